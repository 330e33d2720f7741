"""Rules that look at one parameter at a time (Yin et al. 2018)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from parity_flwr.core.rows import Rows
from parity_flwr.core.rules.ordering import reduce_columns
from parity_flwr.core.rules.protocol import (
    Values,
    Vector,
    require_count,
    require_replies,
    shares,
)


@dataclass(frozen=True)
class CoordinateMedian:
    """The median of every parameter (Yin et al. 2018, Definition 1). Ignores weights.

    Examples
    --------
    >>> from parity_flwr.core.rows import MatrixRows
    >>> CoordinateMedian().aggregate(MatrixRows(np.array([[1.0], [2.0], [90.0]])))
    array([2.], dtype=float32)
    """

    def aggregate(self, rows: Rows, *, weights: Values | None = None) -> Vector:
        """See :meth:`AggregationRule.aggregate`."""
        n = len(shares(weights, rows.n))
        low, high = (n - 1) // 2, n // 2 + 1
        return reduce_columns(rows, middle, ranks=(low, high))


def middle(ordered: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the mean of one or two equally wide rows, without overflow."""
    half = np.float32(0.5)
    if len(ordered) == 1:
        return np.asarray(ordered[0])
    return np.asarray(ordered[0] * half + ordered[1] * half)


@dataclass(frozen=True, kw_only=True)
class TrimmedMean:
    """The mean of every parameter without its f smallest and f largest values.

    Yin et al. 2018, Definition 2. Ignores weights: a trimmed value has none.

    Parameters
    ----------
    byzantine : int
        f >= 0, trimmed at each end; needs n > 2f.

    Examples
    --------
    >>> from parity_flwr.core.rows import MatrixRows
    >>> rule = TrimmedMean(byzantine=1)
    >>> rule.aggregate(MatrixRows(np.array([[0.0], [1.0], [3.0], [90.0]])))
    array([2.], dtype=float32)
    """

    byzantine: int

    def __post_init__(self) -> None:
        require_count("trimmed mean", "byzantine", self.byzantine)

    def aggregate(self, rows: Rows, *, weights: Values | None = None) -> Vector:
        """See :meth:`AggregationRule.aggregate`."""
        n, trim = len(shares(weights, rows.n)), self.byzantine
        require_replies("trimmed mean", n, least=2 * trim + 1, byzantine=trim, bound="n > 2f")
        return reduce_columns(rows, average, ranks=(trim, n - trim))


def average(ordered: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the mean of the rows; a matrix product, the fastest of numpy's sums."""
    parts = np.full(len(ordered), 1.0 / len(ordered), np.float32)
    limit = np.finfo(np.float32).max
    with np.errstate(over="ignore"):
        return np.asarray(np.clip(parts @ ordered, -limit, limit), np.float32)
