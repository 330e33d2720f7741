"""Weighted averages: of everything, of shortened updates, of what agrees with the root's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from parity_flwr.core.distances import norms, products
from parity_flwr.core.rows import Rows
from parity_flwr.core.rules.combining import combine_rows
from parity_flwr.core.rules.protocol import Values, Vector, require_positive, shares
from parity_flwr.errors import ConfigError


@dataclass(frozen=True)
class Mean:
    """The weighted mean sum_k p_k x_k (McMahan et al. 2017, FedAvg). One liar owns it.

    Examples
    --------
    >>> from parity_flwr.core.rows import MatrixRows
    >>> Mean().aggregate(MatrixRows(np.array([[0.0], [4.0]])), weights=np.array([3.0, 1.0]))
    array([1.], dtype=float32)
    """

    def aggregate(self, rows: Rows, *, weights: Values | None = None) -> Vector:
        """See :meth:`AggregationRule.aggregate`."""
        return combine_rows(rows, shares(weights, rows.n))


@dataclass(frozen=True, kw_only=True)
class NormClipping:
    """The weighted mean of updates cut to one length (Sun et al. 2019, norm thresholding).

    sum_k p_k min(1, C / ||x_k||) x_k. Bounds what a loud liar can do, nothing else. Needs
    updates w_k - w: of whole models the length says nothing.

    Parameters
    ----------
    length : float, optional
        C > 0. None is the round's median norm, so that no scale has to be guessed.

    Examples
    --------
    >>> from parity_flwr.core.rows import MatrixRows
    >>> NormClipping(length=1.0).aggregate(MatrixRows(np.array([[0.5], [100.0]])))
    array([0.75], dtype=float32)
    """

    length: float | None = None

    def __post_init__(self) -> None:
        require_positive("norm clipping", "length", self.length)

    def aggregate(self, rows: Rows, *, weights: Values | None = None) -> Vector:
        """See :meth:`AggregationRule.aggregate`."""
        share, lengths = shares(weights, rows.n), norms(rows)
        bound = float(np.median(lengths)) if self.length is None else self.length
        factor = np.divide(bound, lengths, out=np.ones(rows.n), where=lengths > bound)
        return combine_rows(rows, share * factor)


@dataclass(frozen=True, kw_only=True)
class FLTrust:
    """Updates weighed by agreement with a trusted one (Cao et al. 2021, FLTrust, Alg. 2).

    With x_0 the update that the server made on its root data: t_k = p_k max(0, cos(x_k, x_0))
    and the result is sum_k t_k (||x_0|| / ||x_k||) x_k / sum_k t_k. If nobody agrees at all
    the result is 0. The root's own update does not vote.

    Parameters
    ----------
    root : int
        Which row is the root's; the last by default.

    Examples
    --------
    >>> from parity_flwr.core.rows import MatrixRows
    >>> updates = np.array([[5.0, 0.0], [-9.0, 0.0], [2.0, 0.0]])
    >>> FLTrust().aggregate(MatrixRows(updates)).tolist()
    [2.0, 0.0]
    """

    root: int = -1

    def aggregate(self, rows: Rows, *, weights: Values | None = None) -> Vector:
        """See :meth:`AggregationRule.aggregate`; the root's weight is ignored."""
        if not -rows.n <= self.root < rows.n or rows.n < 2:
            raise ConfigError(
                "FLTrust needs the root's row and one more",
                came=f"n={rows.n}, root={self.root}",
                action="append the root's update to the rows",
            )
        share, lengths = shares(weights, rows.n), norms(rows)
        scale = lengths * lengths[self.root]
        cosine = np.divide(
            products(rows, self.root), scale, out=np.zeros(rows.n), where=scale > 0
        )
        trust = share * np.clip(cosine, 0.0, 1.0)
        trust[self.root] = 0.0
        if not trust.any():
            return np.zeros(rows.d, np.float32)
        trust /= trust.sum()
        unit = np.divide(trust, lengths, out=np.zeros(rows.n), where=trust > 0)
        return combine_rows(rows, unit * lengths[self.root])
