"""Fixed point for sums modulo 2^32: what fits is exact, what does not is refused.

A number x in [-C, C] becomes the integer q = round(x Q / C) in [-Q, Q], written as uint32 in
two's complement. With Q = floor((2^31 - 1) / n) the sum of at most n of them lies within
31 bits, so it can be read off modulo 2^32 without any overflow.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from parity_flwr.core.fixed_point import grid_points
from parity_flwr.core.keystream import keystream
from parity_flwr.errors import ConfigError

Words = NDArray[np.uint32]

_LARGEST: Final = 2**31 - 1
MOST_ADDENDS: Final = 1 << 16
_MAX_RANGE: Final = 1e9


@dataclass(frozen=True)
class Quantised:
    """A vector ready to be masked; ``clipped`` says how many of its numbers were cut."""

    words: Words
    clipped: int


@dataclass(frozen=True, kw_only=True)
class Quantiser:
    """Turns updates into words that can be summed n at a time, and sums back into numbers.

    An addend's error is at most half a step, C/(2Q) (a whole step with stochastic
    rounding), plus the float64 rounding of x Q / C. For n = 10 and C = 8 that is 1.9e-8.

    Parameters
    ----------
    clipping_range : float
        C > 0, the largest magnitude of one number.
    addends : int
        n, the most vectors that are ever summed; from 1 to 65 536.

    Examples
    --------
    >>> fixed = Quantiser(clipping_range=1.0, addends=2)
    >>> one = fixed.quantise(np.array([0.5, -1.0])).words
    >>> fixed.dequantise(one + one).round(6).tolist()
    [1.0, -2.0]
    """

    clipping_range: float
    addends: int

    def __post_init__(self) -> None:
        if not (math.isfinite(self.clipping_range) and 0 < self.clipping_range <= _MAX_RANGE):
            raise ConfigError(
                f"clipping_range needs a number over 0, at most {_MAX_RANGE:g}",
                came=repr(self.clipping_range)[:40],
                action="change clipping_range",
            )
        if type(self.addends) is not int or not 1 <= self.addends <= MOST_ADDENDS:
            raise ConfigError(
                f"a sum needs from 1 to {MOST_ADDENDS} addends",
                came=repr(self.addends)[:40],
                action="aggregate in groups",
            )

    @property
    def levels(self) -> int:
        """Q, the largest integer that one number becomes."""
        return _LARGEST // self.addends

    @property
    def step(self) -> float:
        """C/Q, the distance between two neighbouring values."""
        return self.clipping_range / self.levels

    def quantise(
        self, values: NDArray[Any], *, clip: bool = False, rounding_key: bytes | None = None
    ) -> Quantised:
        """Return the words of a vector.

        Parameters
        ----------
        values : ndarray of real numbers, shape (d,)
            Finite.
        clip : bool
            Cut numbers beyond C to it, and count them, instead of refusing the vector.
        rounding_key : bytes, optional
            32 secret bytes: round up or down at random, without bias, with a ChaCha20
            stream; by default to the nearest.

        Raises
        ------
        DataError
            If a number is NaN or infinite, or beyond C and not to be clipped.
        """
        points = np.empty(values.size, np.int32)
        clipped = grid_points(
            values,
            points,
            limit=self.clipping_range,
            levels=self.levels,
            clip=clip,
            uniform=None if rounding_key is None else keystream(rounding_key, values.size),
        )
        return Quantised(points.view(np.uint32), clipped)

    def count(self, number: int) -> int:
        """Return a count as a word, cut to Q; counts are summed as they are."""
        return max(0, min(number, self.levels))

    def dequantise(self, total: Words) -> NDArray[np.float64]:
        """Return the numbers that a sum of at most n vectors stands for, float64."""
        return np.asarray(total.view(np.int32) * self.step, np.float64)
