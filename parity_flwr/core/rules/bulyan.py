"""Bulyan: pick updates by Krum, then trust only the middle of every parameter."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from parity_flwr.core.distances import squared_distances
from parity_flwr.core.rows import Rows, take_rows
from parity_flwr.core.rules.coordinates import average, middle
from parity_flwr.core.rules.krum import krum_order
from parity_flwr.core.rules.ordering import reduce_columns
from parity_flwr.core.rules.protocol import (
    Values,
    Vector,
    require_count,
    require_replies,
    shares,
)


@dataclass(frozen=True, kw_only=True)
class Bulyan:
    """The mean, in every parameter, of the n - 4f values nearest to the median of n - 2f.

    El Mhamdi et al. 2018: n - 2f updates are taken one by one, each time Krum's choice
    among those left; then in every parameter the n - 4f selected values closest to their
    median are averaged. Ignores weights.

    Parameters
    ----------
    byzantine : int
        f >= 0; needs n >= 4f + 3.

    Examples
    --------
    >>> from parity_flwr.core.rows import MatrixRows
    >>> line = np.array([[0.0], [1.0], [2.0], [3.0], [4.0], [90.0], [-90.0]])
    >>> Bulyan(byzantine=1).aggregate(MatrixRows(line))
    array([2.], dtype=float32)
    """

    byzantine: int

    def __post_init__(self) -> None:
        require_count("Bulyan", "byzantine", self.byzantine)

    def aggregate(self, rows: Rows, *, weights: Values | None = None) -> Vector:
        """See :meth:`AggregationRule.aggregate`."""
        n, f = len(shares(weights, rows.n)), self.byzantine
        require_replies("Bulyan", n, least=4 * f + 3, byzantine=f, bound="n >= 4f + 3")
        chosen = krum_sequence(squared_distances(rows), byzantine=f, count=n - 2 * f)
        picked = take_rows(rows, chosen)
        return reduce_columns(
            picked, lambda ordered: _near_middle(ordered, n - 4 * f), ranks=(0, picked.n)
        )


def krum_sequence(squared: Values, *, byzantine: int, count: int) -> NDArray[np.intp]:
    """Return ``count`` rows in the order in which Krum takes them one by one."""
    left, taken = list(range(len(squared))), list[int]()
    while len(taken) < count:
        best = krum_order(squared[np.ix_(left, left)], byzantine=byzantine)[0]
        taken.append(left.pop(int(best)))
    return np.array(taken, np.intp)


def _near_middle(ordered: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """Return the mean of the ``count`` values nearest to the median, shape (width,).

    In sorted order they are neighbours, so it is enough to compare the windows of that
    length by their farthest value; the lower one wins a tie.
    """
    m = len(ordered)
    half = ordered * np.float32(0.5)  # differences of halves fit float32
    centre = middle(half[(m - 1) // 2 : m // 2 + 1])
    best = np.full(ordered.shape[1], np.inf, np.float32)
    result = np.empty(ordered.shape[1], np.float32)
    for start in range(m - count + 1):
        window = ordered[start : start + count]
        reach = np.maximum(centre - half[start], half[start + count - 1] - centre)
        better = reach < best
        best[better] = reach[better]
        result[better] = average(window)[better]
    return result
