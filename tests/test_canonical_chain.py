"""Each entry's hash covers the entries before it."""

from __future__ import annotations

import hashlib
import struct

import pytest

from parity_flwr.core.canonical import chain_hash
from parity_flwr.errors import JournalError


def test_a_chain_hash_is_sha256_of_length_prefixed_fields() -> None:
    parts = [b"parity-flwr/journal/v1", b"", b"round", b"{}"]
    message = b"".join(struct.pack(">Q", len(part)) + part for part in parts)
    assert chain_hash("", "round", b"{}") == hashlib.sha256(message).hexdigest()


def test_a_chain_hash_covers_every_part() -> None:
    first = chain_hash("", "round", b"ab")
    links = {
        chain_hash(first, "round", b"ab"),
        chain_hash(chain_hash("", "round", b"ac"), "round", b"ab"),
        chain_hash(first, "rounda", b"b"),
        chain_hash(first, "round", b"abc"),
        first,
    }
    assert len(links) == 5
    assert chain_hash(bytes.fromhex(first), "round", b"ab") == chain_hash(first, "round", b"ab")


@pytest.mark.parametrize("previous", ["xyz", "ab", b"x" * 31, "é" * 64])
def test_a_chain_needs_a_digest_before_it(previous: str | bytes) -> None:
    with pytest.raises(JournalError, match="SHA-256"):
        chain_hash(previous, "round", b"")
