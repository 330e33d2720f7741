"""The prime fields of P-23, and drawing from them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

from parity_flwr.errors import ConfigError

Draw: TypeAlias = Callable[[int], bytes]
"""Returns that many bytes; cryptographic ones, such as ``secrets.token_bytes``."""

PRIME_256: Final = 2**256 - 189
"""The largest prime of 256 bits: holds keys and seeds of 32 random bytes.

One in 2^248 of them is not below it, and is refused.
"""

MERSENNE_31: Final = 2**31 - 1
"""Holds the entries of vectors; products fit 64 bits."""

MOST_HOLDERS: Final = 1 << 16


def draw_below(modulus: int, draw: Draw) -> int:
    """Return a uniform integer in [0, modulus), by rejection: no bias.

    Examples
    --------
    >>> draw_below(256, lambda size: bytes([7]) * size)
    7
    """
    bits = (modulus - 1).bit_length()
    size, spare = (bits + 7) // 8, -bits % 8
    while True:
        value = int.from_bytes(draw(size), "big") >> spare
        if value < modulus:
            return value


def require_element(secret: int, modulus: int) -> None:
    """Refuse what is not an element of the field."""
    if type(secret) is not int or not 0 <= secret < modulus:
        raise ConfigError(
            f"a secret needs an integer from 0 to under a {modulus.bit_length()}-bit modulus",
            came=type(secret).__name__ if type(secret) is not int else "one out of range",
            action="share larger secrets in parts",
        )


def require_holders(count: int, *, least: int = 1) -> None:
    """Refuse a number of holders out of range."""
    if type(count) is not int or not least <= count <= MOST_HOLDERS:
        raise ConfigError(
            f"secret sharing needs from {least} to {MOST_HOLDERS} holders",
            came=repr(count)[:40],
            action="change the number of holders",
        )
