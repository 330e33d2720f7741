"""Real numbers as bounded integers, so that sums of them are exact.

Secure sums add integers. :func:`grid_points` rounds each number of an update to one of equally
spaced points of a range, for both kinds of sums: encrypted ones (:class:`FixedPoint`, integers
from 0) and masked ones (:class:`parity_flwr.core.secagg.quantise.Quantiser`, modulo 2^32).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_flwr.errors import ConfigError, DataError

Integers = NDArray[np.int64]
Values = NDArray[np.float64]

DEFAULT_LEVELS = 1 << 14
"""An addend is off by at most range / 2^15, with range = 2 clip."""

MAX_LEVELS = 1 << 30
MAX_SUM = (1 << 62) - 1  # int64 with a bit to spare
_BLOCK = 1 << 18


def grid_points(
    values: NDArray[Any],
    out: NDArray[Any],
    *,
    limit: float,
    levels: int,
    scale: float = 1.0,
    offset: int = 0,
    clip: bool = False,
    uniform: NDArray[np.uint32] | None = None,
) -> int:
    """Write ``offset`` + the rounded ``scale * x * levels / limit``; return how many were cut.

    Points lie in [-levels, levels], and each is off by half a step ``limit / levels`` at most
    (by a whole one with ``uniform``).

    Parameters
    ----------
    values : ndarray of real numbers, shape (d,)
        ``scale`` times each must lie in [-limit, limit], within half a step.
    out : ndarray of integers, shape (d,)
        Where the points go.
    clip : bool
        Cut numbers out of range instead of refusing the update.
    uniform : ndarray of uint32, shape (d,), optional
        Random words: round up or down by them, without bias; by default to the nearest.

    Raises
    ------
    DataError
        If a number is NaN or infinite, or out of range and not to be clipped.
    """
    cut, factor = 0, scale * levels / limit
    for start in range(0, values.size, _BLOCK):
        part = slice(start, start + _BLOCK)
        block = values[part].astype(np.float64)
        block *= factor
        # Whatever is NaN or infinite makes one of the two so.
        largest = max(float(block.max()), -float(block.min()))
        if not largest <= levels:
            cut += _beyond(block, values[part], limit=limit, levels=levels, clip=clip)
        if uniform is None:
            np.rint(block, out=block)
        else:
            block += uniform[part] * 2.0**-32
            np.floor(block, out=block)
        if not largest <= levels:
            np.clip(block, -levels, levels, out=block)
        block += offset
        out[part] = block
    return cut


def _beyond(
    points: Values, values: NDArray[Any], *, limit: float, levels: int, clip: bool
) -> int:
    """Return how many points are off the grid; refuse them unless they may be cut."""
    if not np.isfinite(values).all():
        raise DataError(
            "an update needs finite numbers",
            came="NaN or infinity",
            action="look at the training; nothing was sent",
        )
    outside = int(np.count_nonzero(np.abs(points) > levels + 0.5))
    if outside and not clip:
        largest = float(np.abs(points).max()) * limit / levels
        raise DataError(
            f"an update needs numbers of magnitude {limit:g} at most",
            came=f"{largest:.4g}",
            action="raise the range, lower the learning rate, or clip the update",
        )
    return outside


@dataclass(frozen=True, kw_only=True)
class FixedPoint:
    """A grid of ``levels`` + 1 points on [-clip, clip].

    An addend's error is at most ``step / 2 = clip / levels``: half a step of the grid, which
    is range / 2^15 at the default, plus the rounding of a float64.

    Parameters
    ----------
    clip : float
        The largest magnitude that can be written, positive and finite.
    levels : int
        Steps of the grid, even (so that 0 is a point of it) and at most 2^30.

    Examples
    --------
    >>> grid = FixedPoint(clip=1.0, levels=4)
    >>> grid.quantise(np.array([-1.0, 0.1, 0.5])).tolist()
    [0, 2, 3]
    >>> grid.decode_sum(np.array([5]), addends=2).tolist()
    [0.5]
    """

    clip: float
    levels: int = DEFAULT_LEVELS

    def __post_init__(self) -> None:
        if not (isinstance(self.clip, int | float) and 0 < self.clip < math.inf):
            raise _refusal("a clip above 0 and finite", repr(self.clip))
        if type(self.levels) is not int or not 2 <= self.levels <= MAX_LEVELS:
            raise _refusal(f"levels from 2 to {MAX_LEVELS}", repr(self.levels))
        if self.levels % 2:
            raise _refusal("an even number of levels, or 0 is none of them", str(self.levels))

    @property
    def step(self) -> float:
        """The distance of two points."""
        return 2.0 * self.clip / self.levels

    @property
    def max_error(self) -> float:
        """The most that one number is off: half a step."""
        return self.step / 2

    def quantise(self, values: NDArray[Any], *, scale: float = 1.0) -> Integers:
        """Return the nearest points of ``scale * values``, int64 in [0, levels].

        Parameters
        ----------
        values : ndarray of real numbers, any shape
            What to write; ``scale`` times each must lie in [-clip, clip].
        scale : float
            A factor in [0, 1], the client's weight.

        Raises
        ------
        DataError
            If a number is NaN, infinite or out of range: nothing is clipped in silence.
        """
        if not 0.0 <= scale <= 1.0:
            raise _refusal("a scale from 0 to 1", repr(scale))
        half = self.levels // 2
        flat = np.asarray(values).reshape(-1)
        points = np.empty(flat.size, np.int64)
        grid_points(flat, points, limit=self.clip, levels=half, scale=scale, offset=half)
        return points.reshape(np.shape(values))

    def decode_sum(self, sums: NDArray[Any], *, addends: int) -> Values:
        """Return what the integers' sums stand for, float64.

        Parameters
        ----------
        sums : ndarray of integers
            Sums of ``addends`` outputs of :meth:`quantise`.
        addends : int
            How many were added, at least 0.

        Raises
        ------
        DataError
            If a number is no such sum.
        """
        if sums.size and (sums.min() < 0 or sums.max() > addends * self.levels):
            raise DataError(
                f"a sum of {addends} addends needs integers from 0 to {addends * self.levels}",
                came=f"{int(sums.min())} to {int(sums.max())}",
                action="add outputs of the same grid only",
            )
        centred = sums.astype(np.int64) - addends * (self.levels // 2)
        return np.asarray(centred * self.step, np.float64)


def check_addends(addends: int, levels: int) -> None:
    """Refuse a number of addends whose sum could pass :data:`MAX_SUM`."""
    if type(addends) is not int or addends < 1:
        raise _refusal("at least 1 addend", repr(addends))
    if addends * levels > MAX_SUM:
        raise _refusal(f"addends * levels up to {MAX_SUM}", f"{addends} * {levels}")


def _refusal(needed: str, came: str) -> ConfigError:
    return ConfigError(f"fixed point needs {needed}", came=came, action="change it")
