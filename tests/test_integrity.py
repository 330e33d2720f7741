"""P-17: one result, one hash; any other result, another hash."""

from __future__ import annotations

import hashlib
import struct
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parity_flwr.core.integrity import (
    TaskResult,
    digest_from_hex,
    length_prefixed,
    result_hash,
    verify_result,
)
from parity_flwr.errors import ConfigError

RESULT = TaskResult(
    output_hash="11" * 32,
    error_hash="22" * 32,
    exit_code=-1,
    metadata_hash="33" * 32,
    timestamp=1_790_000_000,
    participant_id="node-é",
    task_id="task",
    nonce=b"\x00\x01",
)


def test_the_hash_is_sha256_over_eight_length_prefixed_fields() -> None:
    fields = [
        b"\x11" * 32,
        b"\x22" * 32,
        b"\xff" * 8,
        b"\x33" * 32,
        struct.pack(">Q", 1_790_000_000),
        "node-é".encode(),
        b"task",
        b"\x00\x01",
    ]
    message = b"".join(struct.pack(">Q", len(part)) + part for part in fields)
    assert result_hash(RESULT) == hashlib.sha256(message).hexdigest()
    assert verify_result(RESULT, result_hash(RESULT))


@pytest.mark.parametrize(
    "change",
    [
        {"output_hash": "11" * 31 + "10"},
        {"error_hash": "00" * 32},
        {"exit_code": 0},
        {"metadata_hash": "32" * 32},
        {"timestamp": 0},
        {"participant_id": "node-e"},
        {"task_id": ""},
        {"nonce": b"\x00\x01\x00"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_every_field_is_in_the_hash(change: dict[str, Any]) -> None:
    changed = replace(RESULT, **change)
    assert result_hash(changed) != result_hash(RESULT)
    assert not verify_result(changed, result_hash(RESULT))


def test_moving_a_letter_between_fields_changes_the_hash() -> None:
    # What the paper's plain concatenation cannot tell apart.
    left = replace(RESULT, participant_id="ab", task_id="c")
    right = replace(RESULT, participant_id="a", task_id="bc")
    assert result_hash(left) != result_hash(right)


@given(st.lists(st.binary(max_size=9), max_size=4), st.lists(st.binary(max_size=9), max_size=4))
def test_length_prefixes_make_sequences_unambiguous(
    left: list[bytes], right: list[bytes]
) -> None:
    assert (length_prefixed(*left) == length_prefixed(*right)) == (left == right)


@pytest.mark.parametrize(
    "change",
    [
        {"output_hash": "11" * 31},
        {"output_hash": "1" * 62 + " 1"},
        {"error_hash": "AA" * 32},
        {"metadata_hash": b"3" * 64},
        {"exit_code": 1 << 63},
        {"exit_code": True},
        {"exit_code": 1.0},
        {"timestamp": -1},
        {"participant_id": "\ud800"},
        {"task_id": b"task"},
        {"nonce": "text"},
    ],
    ids=str,
)
def test_a_field_of_another_form_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(change))):
        result_hash(replace(RESULT, **change))


@pytest.mark.parametrize("expected", ["", "é", "0" * 64, None])
def test_a_malformed_expectation_is_false(expected: Any) -> None:
    assert not verify_result(RESULT, expected)


def test_digests_are_lower_case_hex_only() -> None:
    assert digest_from_hex("0f" * 32, name="x") == b"\x0f" * 32
    with pytest.raises(ConfigError, match="x needs 64 lower-case hex digits; got "):
        digest_from_hex("0F" * 32, name="x")
