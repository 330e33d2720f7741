"""Forests from one noisy release of each client."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from flwr.app import Context
from flwr.client import NumPyClient
from numpy.typing import NDArray

from parity_flwr.app.tabular.data import TabularData
from parity_flwr.app.tabular.fitted import FittedModel, Kind
from parity_flwr.app.tabular.privacy import TablePrivacy
from parity_flwr.app.tabular.private_encoding import LIMIT
from parity_flwr.clients import ForestRelease, ReleaseClient
from parity_flwr.clients.tables import Table
from parity_flwr.core.forest import encode_forest
from parity_flwr.core.privacy.accounting import Mechanism
from parity_flwr.core.privacy.leaf_counts import SharedTrees
from parity_flwr.core.privacy.sums_release import no_sums

Values = NDArray[np.float64]
Arrays = Mapping[str, NDArray[Any]]

_TREES, _DEPTH = 20, 5
_RANGE = 2.0  # thresholds are drawn within so many deviations
_STEPS = 12  # that stand for a number that a forest predicts


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
        low, high = data.encoder.ranges(_RANGE)
        self.release = ForestRelease(
            trees=SharedTrees(seed=seed, trees=_TREES, depth=_DEPTH, low=low, high=high),
            classes=data.classes,
            steps=() if data.classes else _steps(data),
            noise_multiplier=privacy.training_multiplier(
                count=1, mechanism=Mechanism.DISCRETE_LAPLACE
            ),
            most=privacy.most,
        )

    def initial(self) -> dict[str, Values]:
        """Return the counts of no rows."""
        return no_sums(self.release)

    def client(self, table: Table, context: Context) -> NumPyClient:
        """Return the client of these rows."""
        budget = self._privacy.open_ledger(context, run=self._run).budget
        return ReleaseClient(self.release, train=table, context=context, budget=budget)

    def fitted(self, arrays: Arrays) -> FittedModel:
        """Return the forest of the clients' mean counts."""
        forest = self.release.fitted(arrays, clients=len(self._data.clients))
        return FittedModel(
            kind=Kind.FOREST,
            arrays=encode_forest(forest),
            features=self._data.features,
            classes=self._data.classes,
        )


def _steps(data: TabularData) -> tuple[float, ...]:
    edges = np.linspace(-LIMIT, LIMIT, _STEPS + 1) / 2
    middles = (edges[1:] + edges[:-1]) / 2 * data.scale + data.centre
    return tuple(middles.tolist())
