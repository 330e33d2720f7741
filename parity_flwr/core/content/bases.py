"""The three alphabets in which IPFS nodes write a CID (multibase)."""

from __future__ import annotations

import base64

BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"  # Bitcoin's
BASE36 = "0123456789abcdefghijklmnopqrstuvwxyz"
_BASE32 = frozenset("abcdefghijklmnopqrstuvwxyz234567")


def encode_base32(data: bytes) -> str:
    """Return the data in lower-case base32 (RFC 4648) without padding."""
    return base64.b32encode(data).decode("ascii").lower().rstrip("=")


def decode_base32(text: str) -> bytes | None:
    """Return the bytes of :func:`encode_base32`; None for any other spelling."""
    if not _BASE32.issuperset(text):
        return None
    try:
        data = base64.b32decode(text.upper() + "=" * (-len(text) % 8))
    except ValueError:
        return None
    return data if encode_base32(data) == text else None  # the last bits may not be free


def encode_digits(data: bytes, *, alphabet: str) -> str:
    """Return the data as one big number, leading zero bytes as leading zero digits."""
    number, digits = int.from_bytes(data, "big"), ""
    while number:
        number, digit = divmod(number, len(alphabet))
        digits = alphabet[digit] + digits
    return alphabet[0] * (len(data) - len(data.lstrip(b"\0"))) + digits


def decode_digits(text: str, *, alphabet: str) -> bytes | None:
    """Return the bytes of :func:`encode_digits`; None for a digit of another alphabet."""
    number = 0
    for digit in text:
        place = alphabet.find(digit)
        if place < 0:
            return None
        number = number * len(alphabet) + place
    zeros = len(text) - len(text.lstrip(alphabet[0]))
    return b"\0" * zeros + number.to_bytes((number.bit_length() + 7) // 8, "big")
