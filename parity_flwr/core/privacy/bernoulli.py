"""Coins with probability exp(-gamma), exactly: fast where floats decide, rational elsewhere."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from parity_flwr.core.privacy.stream import RandomStream

Exact = Callable[[int], Fraction]
TOLERANCE = 2.0**-40
"""Far above the error of exp and of gamma in float64; below it nothing is decided in floats."""


def exponential_coins(
    stream: RandomStream,
    gammas: NDArray[np.float64],
    *,
    exact: Exact,
    tolerance: float = TOLERANCE,
) -> NDArray[np.bool_]:
    """Return independent coins that are true with probability exp(-gamma_i).

    A uniform real number U is revealed bit by bit until U < exp(-gamma) is decided, so the
    probability is exp(-gamma) itself, not a rounded one. 53 bits decide all but one coin in
    2^39; for the rest ``exact`` gives gamma_i as a fraction, and more bits and Taylor bounds
    decide.

    Parameters
    ----------
    gammas : ndarray of float64, shape (n,)
        gamma_i >= 0, each within a relative error of 2^-48.
    exact : callable
        Gives gamma_i for index i.
    tolerance : float
        How close U and exp(-gamma) may be for floats to decide.
    """
    bits = stream.words(len(gammas)) >> np.uint64(11)
    gap = np.exp(-gammas) - bits.astype(np.float64) * 2.0**-53
    coins: NDArray[np.bool_] = gap > 0
    for index in np.flatnonzero(np.abs(gap) <= tolerance).tolist():
        coins[index] = _decide(stream, int(bits[index]), exact(index))
    return coins


def _decide(stream: RandomStream, known: int, gamma: Fraction) -> bool:
    """Say whether U < exp(-gamma), where U begins with the 53 known bits."""
    length = 53
    while True:
        low, high = _exp_bounds(gamma, length + 8)
        if Fraction(known + 1, 1 << length) <= low:
            return True
        if Fraction(known, 1 << length) >= high:
            return False
        known = (known << 64) | int(stream.words(1)[0])
        length += 64


def _exp_bounds(gamma: Fraction, bits: int) -> tuple[Fraction, Fraction]:
    """Return rationals around exp(-gamma) that are less than 2^-bits apart."""
    if gamma > bits + 2:  # exp(-gamma) < 2^-bits, as e > 2
        return Fraction(0), Fraction(1, 1 << bits)
    whole = max(1, math.ceil(gamma))
    part = gamma / whole  # in [0, 1]: the Taylor sums alternate around exp(-part)
    wanted = Fraction(1, whole << (bits + 2))
    term, total, order = Fraction(1), Fraction(1), 0
    while term > wanted:
        order += 1
        term = term * part / order
        total += term if order % 2 == 0 else -term
    below, above = (total - term, total) if order % 2 == 0 else (total, total + term)
    return max(Fraction(0), below) ** whole, above**whole
