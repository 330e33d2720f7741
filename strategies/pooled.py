"""Plain pooling of statistics: everybody's count, with no question asked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from flwr.app import ArrayRecord, Message, MetricRecord
from flwr.serverapp.strategy import FedAvg
from numpy.typing import NDArray

from parity_flwr.core.linear import Root, merge, solve
from parity_flwr.core.linear.roots import TOLERANCE, residual
from parity_flwr.core.linear.wire import unpack_root
from parity_flwr.strategies.arrays import read_arrays, write_arrays


class PooledStatistics(FedAvg):
    """The least-squares fit of all clients' statistics, liars' included.

    What :class:`LeastSquares` is compared with. A reply that holds no statistics ends the
    round, as with Flower's own strategies.

    Parameters
    ----------
    features : int
        d.
    ridge, intercept, tolerance
        As in :class:`LeastSquares`.

    Examples
    --------
    >>> PooledStatistics(3).features
    3
    """

    def __init__(
        self,
        features: int,
        *,
        ridge: float = 0.0,
        intercept: bool = True,
        tolerance: float = TOLERANCE,
    ) -> None:
        super().__init__()
        self.features = features
        self.ridge = ridge
        self.intercept = intercept
        self.tolerance = tolerance

    def aggregate_train(
        self, server_round: int, replies: Iterable[Message]
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        """Return the model of all replies, each example counting once."""
        roots = [_root(each, self.features) for each in replies if not each.has_error()]
        if not roots:
            return None, None
        model, metrics = self.fit(roots)
        return write_arrays(model), metrics

    def fit(
        self, roots: Sequence[Root], weights: Sequence[float] | None = None
    ) -> tuple[dict[str, NDArray[np.float64]], MetricRecord]:
        """Return the arrays of the fit, and how well it fits.

        Parameters
        ----------
        roots : sequence of Root
            At least one.
        weights : sequence of float, optional
            How often each client's examples count; once by default.
        """
        whole = merge(roots, weights)
        coefficients, intercept = solve(
            whole, ridge=self.ridge, intercept=self.intercept, tolerance=self.tolerance
        )
        error = residual(whole, coefficients, intercept)
        metrics = MetricRecord({"examples": whole.count, "train-loss": error})
        return {"coef": coefficients[None, :], "intercept": np.array([intercept])}, metrics


def _root(reply: Message, features: int) -> Root:
    record = next(iter(reply.content.array_records.values()))
    return unpack_root(read_arrays(record), features=features)
