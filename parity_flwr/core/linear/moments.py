"""The same statistics as sums, for secure aggregation and noise, which can only add."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_flwr.core.linear.roots import MAX_COUNT, Root
from parity_flwr.errors import ConfigError, DataError

Values = NDArray[np.float64]

_ROUNDING = 1e-9


@dataclass(frozen=True, eq=False)
class Moments:
    """Sums over examples z = ([x y] - shift) / scale: n, sum z, sum z z'.

    Shift and scale are the federation's, the same for all; near the data's means and
    spreads they save the digits that large means would cost.

    Parameters
    ----------
    count : float
        n; a float, since sums may come with noise.
    total : ndarray of float64, shape (d + 1,)
    gram : ndarray of float64, shape (d + 1, d + 1)
        Symmetric, positive semi-definite.

    Raises
    ------
    DataError
        If they are no such sums: n <= 0, not finite, not symmetric, not positive
        semi-definite, or less than the mean alone requires.
    """

    count: float
    total: Values
    gram: Values

    def __post_init__(self) -> None:
        size = len(self.total) if self.total.ndim == 1 else 0
        _require(0 < self.count <= MAX_COUNT, "a count above 0")
        _require(size >= 2 and self.gram.shape == (size, size), "a square of sums")
        _require(
            bool(np.isfinite(self.total).all() & np.isfinite(self.gram).all()), "finite sums"
        )
        bound = _ROUNDING * max(float(np.abs(self.gram).max()), 1e-300)
        _require(bool((np.abs(self.gram - self.gram.T) <= bound).all()), "symmetric sums")
        least = np.linalg.eigvalsh(self._scatter()).min()
        _require(bool(least >= -bound * size), "positive semi-definite sums")

    def _scatter(self) -> Values:
        about = self.gram - np.outer(self.total, self.total) / self.count
        return np.asarray((about + about.T) / 2, np.float64)

    def __add__(self, other: Moments) -> Moments:
        """Return the moments of both clients' examples."""
        if self.total.shape != other.total.shape:
            raise ConfigError(
                "adding moments needs one number of features",
                came=f"{len(self.total) - 1} and {len(other.total) - 1}",
                action="give all clients the same columns",
            )
        return Moments(
            self.count + other.count, self.total + other.total, self.gram + other.gram
        )


def _require(holds: bool, needed: str) -> None:
    if not holds:
        raise DataError(
            f"moments need {needed}", came="other numbers", action="refuse this client's reply"
        )


def moments_of(
    x: NDArray[np.floating[Any]], y: NDArray[np.floating], *, shift: Values, scale: Values
) -> Moments:
    """Return the sums over local data.

    Parameters
    ----------
    x, y : ndarray of shape (n, d), (n,)
        Finite, n >= 1.
    shift, scale : ndarray of float64, shape (d + 1,)
        scale > 0.

    Examples
    --------
    >>> data = np.array([[1.0], [3.0]]), np.array([2.0, 4.0])
    >>> moments_of(*data, shift=np.zeros(2), scale=np.ones(2)).gram.tolist()
    [[10.0, 14.0], [14.0, 20.0]]
    """
    both = np.column_stack([np.asarray(x, np.float64), np.asarray(y, np.float64)])
    z = (both - shift) / scale
    return Moments(float(len(z)), z.sum(axis=0), z.T @ z)


def to_root(moments: Moments, *, shift: Values, scale: Values) -> Root:
    """Return the root of the same data, as good as squared numbers allow.

    Eigenvalues under 1e-14 of the largest are rounding and become 0.
    """
    values, vectors = np.linalg.eigh(moments._scatter())
    kept = np.where(values > 1e-14 * max(values.max(), 0.0), values, 0.0)
    rows = np.sqrt(kept)[:, None] * vectors.T * scale
    count = max(1, round(moments.count))
    size = len(values)
    triangle: Values = np.asarray(np.linalg.qr(rows, mode="r"), np.float64)
    signs = np.where(np.diagonal(triangle) < 0, -1.0, 1.0)
    triangle = np.triu(triangle * signs[:, None]) + 0.0
    triangle[min(count - 1, size) :] = 0.0
    return Root(count, shift + scale * moments.total / moments.count, triangle)
