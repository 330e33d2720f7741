"""Rules that pick whole updates by the company they keep (Blanchard et al. 2017)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from parity_flwr.core.distances import squared_distances
from parity_flwr.core.rows import Rows
from parity_flwr.core.rules.combining import combine_rows
from parity_flwr.core.rules.protocol import (
    Values,
    Vector,
    one_hot,
    require_count,
    require_replies,
    shares,
)


def krum_scores(squared: Values, *, byzantine: int) -> Values:
    """Return the sum of squared distances to the n - f - 2 nearest others, shape (n,).

    Blanchard et al. 2017, section 4. At least one neighbour counts, however few there are.

    Examples
    --------
    >>> line = np.array([0.0, 1.0, 2.0, 3.0, 90.0])
    >>> krum_scores((line[:, None] - line[None, :]) ** 2, byzantine=1).tolist()
    [5.0, 2.0, 2.0, 5.0, 15313.0]
    """
    count = max(len(squared) - byzantine - 2, 1)
    others = squared.copy()
    np.fill_diagonal(others, np.inf)
    nearest = np.partition(others, count - 1, axis=1)[:, :count]
    return np.asarray(nearest.sum(axis=1), np.float64)


def krum_order(squared: Values, *, byzantine: int) -> NDArray[np.intp]:
    """Return the rows from the best Krum score to the worst, shape (n,).

    Two rows that are each other's nearest have the same score when one neighbour counts; the
    one with the smaller sum of all squared distances then comes first.
    """
    scores = krum_scores(squared, byzantine=byzantine)
    return np.lexsort((squared.sum(axis=1), scores))


@dataclass(frozen=True, kw_only=True)
class Krum:
    """The one update whose n - f - 2 nearest are nearest (Blanchard et al. 2017, Krum).

    Ignores weights.

    Parameters
    ----------
    byzantine : int
        f >= 0; needs n > 2f + 2.

    Examples
    --------
    >>> from parity_flwr.core.rows import MatrixRows
    >>> line = np.array([[0.0], [1.0], [2.1], [3.2], [90.0]])
    >>> Krum(byzantine=1).aggregate(MatrixRows(line))
    array([1.], dtype=float32)
    """

    byzantine: int

    def __post_init__(self) -> None:
        require_count("Krum", "byzantine", self.byzantine)

    def aggregate(self, rows: Rows, *, weights: Values | None = None) -> Vector:
        """See :meth:`AggregationRule.aggregate`."""
        return combine_rows(rows, _selected(rows, weights, byzantine=self.byzantine, count=1))


@dataclass(frozen=True, kw_only=True)
class MultiKrum:
    """The weighted mean of the m updates with the lowest Krum scores.

    Blanchard et al. 2017, section 4.

    Parameters
    ----------
    byzantine : int
        f >= 0; needs n > 2f + 2.
    selected : int, optional
        m from 1 to n; None is n - f, all that can be honest.

    Examples
    --------
    >>> from parity_flwr.core.rows import MatrixRows
    >>> line = np.array([[0.0], [1.0], [2.0], [3.0], [90.0]])
    >>> MultiKrum(byzantine=1).aggregate(MatrixRows(line))
    array([1.5], dtype=float32)
    """

    byzantine: int
    selected: int | None = None

    def __post_init__(self) -> None:
        require_count("Multi-Krum", "byzantine", self.byzantine)
        require_count("Multi-Krum", "selected", self.selected, least=1)

    def aggregate(self, rows: Rows, *, weights: Values | None = None) -> Vector:
        """See :meth:`AggregationRule.aggregate`."""
        count = rows.n - self.byzantine if self.selected is None else self.selected
        require_replies(
            "Multi-Krum", rows.n, least=count, byzantine=self.byzantine, bound="n >= selected"
        )
        return combine_rows(
            rows, _selected(rows, weights, byzantine=self.byzantine, count=count)
        )


def _selected(rows: Rows, weights: Values | None, *, byzantine: int, count: int) -> Values:
    """Return the shares of the ``count`` best rows, 0 for the others, shape (n,)."""
    share = shares(weights, rows.n)
    require_replies(
        "Krum", rows.n, least=2 * byzantine + 3, byzantine=byzantine, bound="n > 2f + 2"
    )
    chosen = krum_order(squared_distances(rows), byzantine=byzantine)[:count]
    if count == 1:
        return one_hot(rows.n, int(chosen[0]))
    kept = np.zeros(rows.n)
    kept[chosen] = shares(share[chosen], count)
    return kept
