"""Whole base units and whole millionths: the border between money and floats."""

from __future__ import annotations

import math
from fractions import Fraction

from parity_flwr.errors import ConfigError

UNIT = 10**18
"""Base units in one token: the token of the contracts has 18 decimals."""

MILLION = 1_000_000
"""1 written in millionths."""

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
