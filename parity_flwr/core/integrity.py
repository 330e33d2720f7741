"""Hashes that bind a result to who computed what, when (P-17).

Everything hashed here is a sequence of length-prefixed fields, so that two different
sequences never give the same bytes.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from parity_flwr.errors import ConfigError

_HEX = frozenset("0123456789abcdef")


def length_prefixed(*fields: bytes) -> bytes:
    """Concatenate fields, each after its length as 8 bytes, big-endian.

    Examples
    --------
    >>> length_prefixed(b"ab", b"c") == length_prefixed(b"a", b"bc")
    False
    """
    return b"".join(len(field).to_bytes(8, "big") + field for field in fields)


def digest_from_hex(value: str, *, name: str) -> bytes:
    """Return the 32 bytes of a SHA-256 digest written as 64 lower-case hex digits.

    Raises
    ------
    ConfigError
        If it is written in any other way (``bytes.fromhex`` would let spaces pass).
    """
    if not isinstance(value, str) or len(value) != 64 or not _HEX.issuperset(value):
        raise ConfigError(
            f"{name} needs 64 lower-case hex digits",
            came=ascii(value)[:80],
            action=f"pass the SHA-256 digest as {name}",
        )
    return bytes.fromhex(value)


def integer_bytes(value: int, *, name: str, signed: bool = False) -> bytes:
    """Return an integer as 8 bytes, big-endian; ConfigError if it does not fit."""
    low, high = (-(1 << 63), (1 << 63) - 1) if signed else (0, (1 << 64) - 1)
    valid = isinstance(value, int) and not isinstance(value, bool)
    if not valid or not low <= value <= high:
        raise ConfigError(
            f"{name} needs an integer from {low} to {high}",
            came=ascii(value)[:80],
            action=f"change {name}",
        )
    return value.to_bytes(8, "big", signed=signed)


def text_bytes(value: str, *, name: str) -> bytes:
    """Return a string's UTF-8 bytes; ConfigError if it has none."""
    try:
        return value.encode("utf-8")
    except (AttributeError, UnicodeEncodeError):
        raise ConfigError(
            f"{name} needs text that UTF-8 can hold",
            came=ascii(value)[:80],
            action=f"change {name}",
        ) from None


@dataclass(frozen=True, kw_only=True)
class TaskResult:
    """The eight fields of P-17, in the paper's order. Digests are SHA-256, in hex."""

    output_hash: str
    error_hash: str
    exit_code: int
    metadata_hash: str
    timestamp: int  # seconds since 1970; recorded, never a weight (see P-8's clock)
    participant_id: str
    task_id: str
    nonce: bytes


def result_hash(result: TaskResult) -> str:
    """Return H_result, as hex: SHA-256 over the eight length-prefixed fields.

    P-17 (Parity, Eq. 17). *Decided*: the paper concatenates the fields, so that moving a
    character from one field to the next leaves its hash unchanged; here every field comes
    after its length. Digests enter as 32 bytes, integers as 8 bytes big-endian (the exit
    code in two's complement), texts as UTF-8.

    Raises
    ------
    ConfigError
        If a field is not what :class:`TaskResult` says.
    """
    if not isinstance(result.nonce, bytes):
        came = type(result.nonce).__name__
        raise ConfigError("nonce needs bytes", came=came, action="pass the nonce as bytes")
    fields = length_prefixed(
        digest_from_hex(result.output_hash, name="output_hash"),
        digest_from_hex(result.error_hash, name="error_hash"),
        integer_bytes(result.exit_code, name="exit_code", signed=True),
        digest_from_hex(result.metadata_hash, name="metadata_hash"),
        integer_bytes(result.timestamp, name="timestamp"),
        text_bytes(result.participant_id, name="participant_id"),
        text_bytes(result.task_id, name="task_id"),
        result.nonce,
    )
    return hashlib.sha256(fields).hexdigest()


def verify_result(result: TaskResult, expected: str) -> bool:
    """Say whether the result has this hash; a malformed `expected` is simply False."""
    return result_hash(result) == expected
