"""Robust centres found in the space of coefficients, where d does not matter."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from parity_flwr.core.centre import geometric_median
from parity_flwr.core.distances import squared_distances
from parity_flwr.core.rows import Rows
from parity_flwr.core.rules.combining import MixedRows, combine_rows
from parity_flwr.core.rules.protocol import (
    Values,
    Vector,
    one_hot,
    require_count,
    require_positive,
    shares,
)

_FAR = 1e3
_ROUNDING = 1e-12


@dataclass(frozen=True)
class GeometricMedian:
    """The point with the least weighted sum of distances to the updates.

    Pillutla et al. 2022 (RFA), to convergence and without smoothing.

    Examples
    --------
    >>> from parity_flwr.core.rows import MatrixRows
    >>> GeometricMedian().aggregate(MatrixRows(np.array([[1.0], [4.0], [7.0]]))).round(4)
    array([4.], dtype=float32)
    """

    def aggregate(self, rows: Rows, *, weights: Values | None = None) -> Vector:
        """See :meth:`AggregationRule.aggregate`."""
        share = shares(weights, rows.n)
        coefficients, _ = geometric_median(squared_distances(rows), share)
        return combine_rows(rows, coefficients)


@dataclass(frozen=True, kw_only=True)
class CentredClipping:
    """Steps from a centre towards the updates, each cut to a length (Karimireddy et al. 2021).

    v <- v + sum_k p_k (x_k - v) min(1, tau / ||x_k - v||), *Algorithm 2*. The paper starts
    from the last round's v; this rule has no memory and starts from the update that is
    nearest to its nearest half of the weight, which a minority cannot move far. An update
    farther from it than 1,000 tau is first moved to there along its ray: its pull stays the
    same to three digits, and distances keep theirs.

    Parameters
    ----------
    radius : float, optional
        tau > 0. None is the start's weighted median distance to the updates of the round.
    steps : int
        How often; each costs n^2, not d.

    Examples
    --------
    >>> from parity_flwr.core.rows import MatrixRows
    >>> line = np.array([[-2.0], [-1.0], [0.0], [1.5], [900.0]])
    >>> CentredClipping(radius=3.0, steps=1).aggregate(MatrixRows(line)).round(4)
    array([0.1], dtype=float32)
    """

    radius: float | None = None
    steps: int = 10

    def __post_init__(self) -> None:
        require_positive("centred clipping", "radius", self.radius)
        require_count("centred clipping", "steps", self.steps, least=1)

    def aggregate(self, rows: Rows, *, weights: Values | None = None) -> Vector:
        """See :meth:`AggregationRule.aggregate`."""
        share, squared = shares(weights, rows.n), squared_distances(rows)
        start, typical = _inmost(np.sqrt(squared), share)
        radius = self.radius or typical
        factor = _clipped(np.sqrt(squared[start]), _FAR * radius)
        if factor.min() < 1.0:
            rows = MixedRows(rows, _shortening(factor, start))
            squared = squared_distances(rows)
        return combine_rows(rows, self._coefficients(squared, share, start, radius))

    def _coefficients(
        self, squared: Values, share: Values, start: int, radius: float
    ) -> Values:
        """Return v as coefficients c with sum 1.

        With c, ||x_k - v||^2 = (D c)_k - c' D c / 2, and a step is
        c <- c + sum_k q_k (e_k - c), q_k = p_k min(1, tau / ||x_k - v||).
        """
        centre = one_hot(len(share), start)
        for _ in range(self.steps):
            from_rows = squared @ centre
            inner = 0.5 * float(centre @ from_rows)
            pull = share * _clipped(np.sqrt(np.maximum(from_rows - inner, 0.0)), radius)
            centre = centre + pull - pull.sum() * centre
        return centre


def _shortening(factor: Values, start: int) -> Values:
    """Return A with (A X)_k = s + factor_k (x_k - s), s the start's row, shape (n, n)."""
    mixing = np.diag(factor)
    mixing[:, start] += 1.0 - factor
    return mixing


def _clipped(reach: Values, radius: float) -> Values:
    """Return min(1, radius / reach)."""
    return np.divide(radius, reach, out=np.ones(reach.size), where=reach > radius)


def _inmost(distance: Values, share: Values) -> tuple[int, float]:
    """Return the row nearest to its nearest half of the weight, and how far that reaches."""
    order = np.argsort(distance, axis=1, kind="stable")
    nearest, weight = np.take_along_axis(distance, order, axis=1), share[order]
    counted = np.cumsum(weight, axis=1) - weight < 0.5 - _ROUNDING
    cost = (nearest * weight * counted).sum(axis=1)
    best = int(np.lexsort((distance @ share, cost))[0])  # each other's nearest cost the same
    return best, float(nearest[best][counted[best]][-1])
