"""Nearest-neighbour mixing: bring every update close to its neighbours before a rule."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from parity_flwr.core.distances import squared_distances
from parity_flwr.core.rows import Rows
from parity_flwr.core.rules.combining import MixedRows
from parity_flwr.core.rules.protocol import (
    AggregationRule,
    Values,
    Vector,
    require_count,
    require_replies,
    shares,
)


@dataclass(frozen=True, kw_only=True)
class NearestNeighbourMixing:
    """Another rule on updates replaced by the mean of their n - f nearest (itself included).

    Allouah et al. 2023 (NNM). It gives the inner rule the best order of robustness under
    heterogeneous data. Mixed blocks are made as the inner rule asks for them, so the mixed
    matrix never exists. Weights go to the inner rule.

    Parameters
    ----------
    inner : AggregationRule
        What runs on the mixed updates, such as ``TrimmedMean``.
    byzantine : int
        f >= 0; needs n > 2f.

    Examples
    --------
    >>> from parity_flwr.core.rows import MatrixRows
    >>> from parity_flwr.core.rules import CoordinateMedian
    >>> rule = NearestNeighbourMixing(inner=CoordinateMedian(), byzantine=1)
    >>> rule.aggregate(MatrixRows(np.array([[0.0], [1.0], [2.0], [90.0]]))).tolist()
    [1.0]
    """

    inner: AggregationRule
    byzantine: int

    def __post_init__(self) -> None:
        require_count("nearest-neighbour mixing", "byzantine", self.byzantine)

    def aggregate(self, rows: Rows, *, weights: Values | None = None) -> Vector:
        """See :meth:`AggregationRule.aggregate`."""
        n, least = len(shares(weights, rows.n)), 2 * self.byzantine + 1
        require_replies(
            "nearest-neighbour mixing",
            n,
            least=least,
            byzantine=self.byzantine,
            bound="n > 2f",
        )
        mixing = mixing_matrix(squared_distances(rows), count=n - self.byzantine)
        return self.inner.aggregate(MixedRows(rows, mixing), weights=weights)


def mixing_matrix(squared: Values, *, count: int) -> Values:
    """Return A with 1/count at each row's ``count`` nearest, itself first, shape (n, n).

    Examples
    --------
    >>> line = np.array([0.0, 1.0, 5.0])
    >>> mixing_matrix((line[:, None] - line[None, :]) ** 2, count=2).tolist()
    [[0.5, 0.5, 0.0], [0.5, 0.5, 0.0], [0.0, 0.5, 0.5]]
    """
    nearest = squared.copy()
    np.fill_diagonal(nearest, -1.0)
    mixing = np.zeros_like(nearest)
    for row, distances in zip(mixing, nearest, strict=True):
        row[np.argsort(distances, kind="stable")[:count]] = 1.0 / count
    return mixing
