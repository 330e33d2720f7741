"""Solidity's ABI encoding of flat values, and keccak-256.

Only what Merkle leaves need: the static types address, uint256, int256, bytes32 and bool,
and the dynamic types string and bytes. The core needs no web3 for that.
"""

from __future__ import annotations

from collections.abc import Sequence

from Crypto.Hash import keccak

from parity_flwr.errors import ConfigError

AbiValue = str | int | bool | bytes
"""What a Merkle leaf may hold: int for uint256 and int256, bytes for bytes32 and bytes."""

DYNAMIC = frozenset({"string", "bytes"})
TYPES = frozenset({"address", "uint256", "int256", "bytes32", "bool"}) | DYNAMIC
_WORD = 32


def keccak256(data: bytes) -> bytes:
    """Return Ethereum's keccak-256 of the data, 32 bytes (not FIPS 202's SHA3-256).

    Examples
    --------
    >>> keccak256(b"").hex()[:16]
    'c5d2460186f7233c'
    """
    return keccak.new(digest_bits=256, data=data).digest()


def abi_encode(types: Sequence[str], values: Sequence[AbiValue]) -> bytes:
    """Return ``abi.encode(values...)`` as Solidity computes it.

    Parameters
    ----------
    types : sequence of str
        One of :data:`TYPES` per value.
    values : sequence
        address: 20 bytes, or "0x" and 40 hex digits (with a right EIP-55 checksum if the
        case is mixed); uint256, int256: int; bytes32: 32 bytes; bool; string: str; bytes.

    Raises
    ------
    ConfigError
        If a type is unknown, or a value is not of its type.

    Examples
    --------
    >>> abi_encode(["uint256", "bool"], [1, True]).hex() == ("0" * 63 + "1") * 2
    True
    """
    if len(types) != len(values):
        raise _refusal("one type for each value", f"{len(types)} types, {len(values)} values")
    heads: list[bytes] = []
    tail = b""
    for kind, value in zip(types, values, strict=True):
        if kind in DYNAMIC:
            # A dynamic value's head is where its tail starts, counted from the first head.
            heads.append(_word(_WORD * len(types) + len(tail)))
            tail += _dynamic(kind, value)
        else:
            heads.append(_static(kind, value))
    return b"".join(heads) + tail


def _refusal(needed: str, came: object) -> ConfigError:
    return ConfigError(
        f"ABI encoding needs {needed}",
        came=came if isinstance(came, str) else ascii(came)[:80],
        action="change the value or its type",
    )


def _word(value: int) -> bytes:
    return value.to_bytes(_WORD, "big")


def _static(kind: str, value: AbiValue) -> bytes:
    if kind == "address":
        return _address(value).rjust(_WORD, b"\0")
    if kind == "bool":
        if not isinstance(value, bool):
            raise _refusal("True or False for bool", ascii(value)[:80])
        return _word(int(value))
    if kind == "bytes32":
        if not isinstance(value, bytes) or len(value) != _WORD:
            raise _refusal("32 bytes for bytes32", ascii(value)[:80])
        return value
    return _integer(kind, value)


def _integer(kind: str, value: AbiValue) -> bytes:
    ranges = {"uint256": (0, (1 << 256) - 1), "int256": (-(1 << 255), (1 << 255) - 1)}
    if kind not in ranges:
        raise _refusal(f"one of the types {', '.join(sorted(TYPES))}", ascii(kind)[:80])
    low, high = ranges[kind]
    valid = isinstance(value, int) and not isinstance(value, bool)
    if not isinstance(value, int) or not valid or not low <= value <= high:
        raise _refusal(f"an int that fits {kind}", ascii(value)[:80])
    return _word(value % (1 << 256))


def _dynamic(kind: str, value: AbiValue) -> bytes:
    if kind == "string" and isinstance(value, str):
        try:
            data = value.encode("utf-8")
        except UnicodeEncodeError:
            raise _refusal("text that UTF-8 can hold", ascii(value)[:80]) from None
    elif kind == "bytes" and isinstance(value, bytes):
        data = value
    else:
        raise _refusal(f"{'text' if kind == 'string' else 'bytes'} for {kind}", type(value))
    return _word(len(data)) + data + b"\0" * (-len(data) % _WORD)


def _address(value: AbiValue) -> bytes:
    if isinstance(value, bytes) and len(value) == 20:
        return value
    if not isinstance(value, str) or len(value) != 42 or not value.startswith("0x"):
        raise _refusal("20 bytes or 0x and 40 hex digits for an address", ascii(value)[:80])
    digits = value[2:]
    if not set(digits.lower()) <= set("0123456789abcdef"):
        raise _refusal("hex digits in an address", ascii(value)[:80])
    if digits not in (digits.lower(), digits.upper(), checksum_address(digits)[2:]):
        raise _refusal("an address whose EIP-55 checksum is right", value)
    return bytes.fromhex(digits)


def checksum_address(digits: str) -> str:
    """Return 40 hex digits with "0x" and the upper and lower case of EIP-55."""
    lower = digits.lower()
    mask = keccak256(lower.encode("ascii")).hex()
    return "0x" + "".join(
        letter.upper() if nibble >= "8" else letter
        for letter, nibble in zip(lower, mask, strict=False)
    )
