"""What both ways of hiding updates build on: agreed keys, derived keys, boxes, streams."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from parity_flwr.core.key_agreement import agree, derive_key, seal, unseal
from parity_flwr.core.keystream import Keystream, keystream


def private(byte: int) -> X25519PrivateKey:
    return X25519PrivateKey.from_private_bytes(bytes([byte]) * 32)


def test_both_ends_agree_and_nobody_with_a_key_of_small_order() -> None:
    one, other = private(1), private(2)
    secret = agree(one, other.public_key().public_bytes_raw())
    assert secret == agree(other, one.public_key().public_bytes_raw())
    assert agree(one, bytes(32)) is None
    assert agree(one, b"short") is None


def test_derived_key_is_hkdf_over_length_prefixed_labels() -> None:
    """RFC 5869, with 8-byte lengths before each label."""
    info = bytes(7) + b"\x02ab" + bytes(7) + b"\x01c"
    expected = HKDF(SHA256(), 64, None, info).derive(b"s" * 32)
    assert derive_key(b"s" * 32, b"ab", b"c", size=64) == expected


@pytest.mark.parametrize("place", [0, 5, 20])
def test_box_opens_whole_or_not_at_all(place: int) -> None:
    box = bytearray(seal(bytes(32), b"hello"))
    assert len(box) == 5 + 16
    assert unseal(bytes(32), bytes(box)) == b"hello"
    assert unseal(b"k" * 32, bytes(box)) is None
    box[place] ^= 1
    assert unseal(bytes(32), bytes(box)) is None
    assert unseal(bytes(32), b"") is None


def test_stream_goes_on_where_it_was() -> None:
    whole = keystream(bytes(32), 100_000).tobytes()
    stream, parts = Keystream(bytes(32)), [bytearray(n) for n in (1, 63, 131_073, 17)]
    for part in parts:
        stream.fill(part)
    assert b"".join(parts) == whole[: sum(map(len, parts))]
