"""Whole base units and whole millionths: the border between money and floats."""

from __future__ import annotations

import math
import re
from fractions import Fraction

from parity_flwr.errors import ConfigError

UNIT = 10**18
"""Base units in one token: the token of the contracts has 18 decimals."""

MILLION = 1_000_000
"""1 written in millionths."""

HIGHEST_REPUTATION = 1_000 * MILLION
"""The highest reputation, 1000 points, in millionths of a point (as the contracts have it)."""

MAX_AMOUNT = (1 << 128) - 1
"""No amount is larger: it fits the contracts' uint128, and sums of many fit uint256."""


def millionths(value: float, *, name: str) -> int:
    """Return a number from 0 to 1 in millionths, the nearest integer, ties to even.

    The float is taken for exactly what it is, so that every machine gets the same integer.

    Raises
    ------
    ConfigError
        If it is NaN or outside [0, 1].

    Examples
    --------
    >>> millionths(0.25, name="quality")
    250000
    """
    if not (isinstance(value, int | float) and math.isfinite(value) and 0 <= value <= 1):
        raise ConfigError(
            f"{name} needs a number from 0 to 1",
            came=ascii(value)[:80],
            action=f"change {name}",
        )
    return round(Fraction(value) * MILLION)


def reputation_units(composite: float) -> int:
    """Return a composite reputation R (P-12, 0 to 1000 points) in millionths of a point.

    Raises
    ------
    ConfigError
        If it is NaN or outside [0, 1000].

    Examples
    --------
    >>> reputation_units(500.0)
    500000000
    """
    if not (math.isfinite(composite) and 0 <= composite <= 1000):
        raise ConfigError(
            "a reputation needs a number from 0 to 1000",
            came=ascii(composite)[:80],
            action="restore the journal from a backup",
        )
    return round(Fraction(composite) * MILLION)


def require_integer(name: str, value: object, low: int, high: int) -> int:
    """Return the integer if it lies in [low, high].

    Raises
    ------
    ConfigError
        If it is no int (a bool and a float are none) or out of the range.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ConfigError(
            f"{name} needs an integer from {low} to {high}",
            came=ascii(value)[:80],
            action=f"change {name}",
        )
    return value


def require_amount(name: str, value: object) -> int:
    """Return the amount in base units if it is an integer from 0 to :data:`MAX_AMOUNT`."""
    return require_integer(name, value, 0, MAX_AMOUNT)


def scaled(text: str, *, decimals: int, name: str) -> int:
    """Return a decimal number in its smallest units: "1.5" with 6 decimals is 1 500 000.

    Raises
    ------
    ConfigError
        If it is not written in digits with one point at most, or has more decimals or digits.

    Examples
    --------
    >>> scaled("0.25", decimals=6, name="phi")
    250000
    """
    if not re.fullmatch(rf"[0-9]{{1,40}}(\.[0-9]{{1,{decimals}}})?", text, re.ASCII):
        raise ConfigError(
            f"{name} needs a number >= 0 with at most {decimals} decimals",
            came=ascii(text)[:80],
            action=f"change {name}",
        )
    whole, _, part = text.partition(".")
    return int(whole + part.ljust(decimals, "0"))


def tokens(amount: int) -> str:
    """Return base units as a decimal number of tokens, exactly and without an exponent.

    Examples
    --------
    >>> tokens(1_500_000_000_000_000_000), tokens(-1)
    ('1.5', '-0.000000000000000001')
    """
    whole, part = divmod(abs(amount), UNIT)
    decimals = f"{part:018d}".rstrip("0")
    sign = "-" if amount < 0 else ""
    return f"{sign}{whole}.{decimals}" if decimals else f"{sign}{whole}"
