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
from parity_flwr.app.tabular.one_release import OneRelease
from parity_flwr.app.tabular.privacy import TablePrivacy
from parity_flwr.app.tabular.private_encoding import LIMIT
from parity_flwr.clients.tables import Table
from parity_flwr.core.privacy.accounting import Mechanism
from parity_flwr.core.privacy.adassp import Bounds, statistics
from parity_flwr.core.privacy.noisy_statistics import (
    SENSITIVITY,
    fit_noisy,
    noisy_statistics,
    packed_length,
)
from parity_flwr.core.privacy.stream import RandomStream

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
        self._multiplier = privacy.training_multiplier(count=1)
        # A row of standardised columns is about as long as the intercept's number beside it.
        self._bounds = Bounds(x=2 * math.sqrt(len(data.encoder.rules)), y=LIMIT)

    def initial(self) -> dict[str, Values]:
        """Return statistics of no rows."""
        return {"statistics": np.zeros(packed_length(self._data.features + 1))}

    def client(self, table: Table, context: Context) -> NumPyClient:
        """Return the client of these rows."""
        y = (table.y - self._data.centre) / self._data.scale

        def release(stream: RandomStream) -> Values:
            return noisy_statistics(
                statistics(table.x, y, bounds=self._bounds),
                bounds=self._bounds,
                noise_multiplier=self._multiplier,
                stream=stream,
            )

        return OneRelease(
            release,
            examples=len(table),
            context=context,
            ledger=self._privacy.open_ledger(context, run=self._run),
            noise_multiplier=self._multiplier,
            mechanism=Mechanism.GAUSSIAN,
        )

    def predict(self, arrays: Arrays, x: NDArray[np.float32]) -> Values:
        """Return numbers in the target's own units."""
        rows = sum(len(each) for each in self._data.clients)
        clients = len(self._data.clients)
        sigma = self._multiplier * SENSITIVITY * math.sqrt(clients) / rows
        coefficients = fit_noisy(arrays["statistics"], bounds=self._bounds, sigma=sigma)
        numbers = self._bounds.predict_rows(x) @ coefficients
        return np.asarray(numbers * self._data.scale + self._data.centre)
