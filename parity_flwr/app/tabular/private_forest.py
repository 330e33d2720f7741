"""Forests from one noisy release of each client."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import numpy as np
from flwr.app import Context
from flwr.client import NumPyClient
from numpy.typing import NDArray

from parity_flwr.app.tabular.data import TabularData
from parity_flwr.app.tabular.one_release import OneRelease
from parity_flwr.app.tabular.privacy import TablePrivacy
from parity_flwr.app.tabular.private_encoding import LIMIT
from parity_flwr.clients.tables import Table
from parity_flwr.core.privacy.accounting import Mechanism
from parity_flwr.core.privacy.leaf_counts import SharedTrees, noisy_counts
from parity_flwr.core.privacy.stream import RandomStream

Values = NDArray[np.float64]
Arrays = Mapping[str, NDArray[Any]]

_TREES, _DEPTH = 20, 5
_RANGE = 2.0  # thresholds are drawn within so many deviations
_BINS = 12  # classes that stand for a number that a forest predicts


class PrivateForest:
    """Random trees from a public seed, with each client's noisy leaf counts.

    A number is predicted as one of 12 equal steps of its standardised range.

    Parameters
    ----------
    data : TabularData
        Encoded within the budget.
    privacy : TablePrivacy
    run : str
        Names the encoding's charge.
    seed : int
        The trees', public.
    """

    def __init__(
        self, data: TabularData, privacy: TablePrivacy, run: str, *, seed: int
    ) -> None:
        self._data, self._privacy, self._run = data, privacy, run
        self._multiplier = privacy.training_multiplier(
            count=1, mechanism=Mechanism.DISCRETE_LAPLACE
        )
        low, high = data.encoder.ranges(_RANGE)
        self._trees = SharedTrees(seed=seed, trees=_TREES, depth=_DEPTH, low=low, high=high)
        self._classes = len(data.classes) or _BINS
        edges = np.linspace(-LIMIT, LIMIT, _BINS + 1) / 2
        self._inner, self._middles = edges[1:-1], (edges[1:] + edges[:-1]) / 2

    def initial(self) -> dict[str, Values]:
        """Return the counts of no rows."""
        return {"counts": np.zeros((_TREES, 2**_DEPTH, self._classes))}

    def client(self, table: Table, context: Context) -> NumPyClient:
        """Return the client of these rows."""
        epsilon = float(Fraction(1) / Fraction(self._multiplier))

        def release(stream: RandomStream) -> Values:
            counts = self._trees.disjoint_counts(
                table.x, self._labels(table.y), classes=self._classes, stream=stream
            )
            noisy = noisy_counts(counts, epsilon=epsilon, sensitivity=1, stream=stream)
            return noisy.astype(np.float64)

        return OneRelease(
            release,
            examples=len(table),
            context=context,
            ledger=self._privacy.open_ledger(context, run=self._run),
            noise_multiplier=self._multiplier,
            mechanism=Mechanism.DISCRETE_LAPLACE,
        )

    def _labels(self, y: NDArray[Any]) -> NDArray[np.int64]:
        if self._data.classes:
            return np.asarray(y, np.int64)
        scaled = (y - self._data.centre) / self._data.scale
        return np.searchsorted(self._inner, scaled).astype(np.int64)

    def predict(self, arrays: Arrays, x: NDArray[np.float32]) -> Values:
        """Return probabilities, or numbers in the target's own units."""
        rows = sum(len(each) for each in self._data.clients)
        counts = np.rint(arrays["counts"] * rows).astype(np.int64)
        shares = self._trees.probabilities(counts, x)
        if self._data.classes:
            return shares
        return np.asarray(shares @ self._middles * self._data.scale + self._data.centre)
