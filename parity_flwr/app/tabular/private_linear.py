"""Linear regression from one noisy release of each client."""

from __future__ import annotations

import math
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
from parity_flwr.clients import LinearRelease, ReleaseClient
from parity_flwr.clients.tables import Table
from parity_flwr.core.privacy.adassp import Bounds
from parity_flwr.core.privacy.sums_release import no_sums

Values = NDArray[np.float64]
Arrays = Mapping[str, NDArray[Any]]


class PrivateLinear:
    """Least squares on each client's noisy sufficient statistics.

    Parameters
    ----------
    data : TabularData
        Encoded within the budget.
    privacy : TablePrivacy
    run : str
        Names the encoding's charge.
    """

    def __init__(self, data: TabularData, privacy: TablePrivacy, run: str) -> None:
        self._data, self._privacy, self._run = data, privacy, run
        self.release = LinearRelease(
            features=data.features,
            noise_multiplier=privacy.training_multiplier(count=1),
            # A standardised row is about as long as the intercept's number beside it.
            bounds=Bounds(x=2 * math.sqrt(len(data.encoder.rules)), y=LIMIT),
            most=privacy.most,
        )

    def initial(self) -> dict[str, Values]:
        """Return statistics of no rows."""
        return no_sums(self.release)

    def client(self, table: Table, context: Context) -> NumPyClient:
        """Return the client of these rows."""
        budget = self._privacy.open_ledger(context, run=self._run).budget
        y = (np.asarray(table.y, np.float64) - self._data.centre) / self._data.scale
        scaled = Table(table.x, y)
        return ReleaseClient(self.release, train=scaled, context=context, budget=budget)

    def fitted(self, arrays: Arrays) -> FittedModel:
        """Return the line through the clients' mean statistics, in the target's own units."""
        model = self.release.fitted(arrays, clients=len(self._data.clients))
        scale, centre = self._data.scale, self._data.centre
        coef = np.asarray(model["coef"], np.float64).reshape(1, -1) * scale
        intercept = np.asarray(model["intercept"], np.float64).reshape(1) * scale + centre
        return FittedModel(
            kind=Kind.LINEAR,
            arrays={"coef": coef, "intercept": intercept},
            features=self._data.features,
        )
