"""The neural network of `parity run data.csv`: a perceptron of two hidden layers."""

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
from parity_flwr.app.tabular.plan import TabularPlan
from parity_flwr.clients import (
    Examples,
    LocalTraining,
    Table,
    TorchClient,
    initial_arrays,
    mlp,
)

_HIDDEN = (64, 32)
_BATCH, _LEAST_STEPS = 32, 50


class Network:
    """Model, training and predictions of one plan.

    Numbers are predicted in units of the clients' deviation from their mean.

    Parameters
    ----------
    plan : TabularPlan
        Its seed is used.
    data : TabularData
        Inputs, classes, and the target's mean and deviation.
    hidden : tuple of int
        Widths of the hidden layers.
    """

    def __init__(
        self, plan: TabularPlan, data: TabularData, *, hidden: tuple[int, ...] = _HIDDEN
    ) -> None:
        self._data = data
        self._seed = plan.seed
        self._factory = mlp(data.features, hidden=hidden, classes=len(data.classes) or 1)

    def initial(self) -> dict[str, NDArray[Any]]:
        """Return the first model."""
        return initial_arrays(self._factory, seed=self._seed)

    def client(self, table: Table, context: Context) -> NumPyClient:
        """Return the client of these rows."""
        examples = Examples(table.x.astype(np.float32), self._targets(table))
        return TorchClient(
            self._factory,
            train=examples,
            test=examples,
            context=context,
            training=self._training(len(table)),
        )

    def _training(self, rows: int) -> LocalTraining:
        """Return two epochs, or as many as give 50 steps.

        A round of few steps leaves the network on its first plateau, where gradients grow
        with every step; the default rule takes clients whose updates grow for liars.
        """
        batches = max(1, math.ceil(rows / _BATCH))
        epochs = max(2, math.ceil(_LEAST_STEPS / batches))
        return LocalTraining(
            seed=self._seed, epochs=epochs, batch_size=_BATCH, learning_rate=0.05
        )

    def _targets(self, table: Table) -> NDArray[Any]:
        if self._data.classes:
            return table.y.astype(np.int64)
        return ((table.y - self._data.centre) / self._data.scale).astype(np.float32)

    def fitted(self, arrays: Mapping[str, NDArray[Any]]) -> FittedModel:
        """Return the model in the arrays; it predicts numbers in the target's own units."""
        return FittedModel(
            kind=Kind.NETWORK,
            arrays=arrays,
            features=self._data.features,
            classes=self._data.classes,
            centre=self._data.centre,
            scale=self._data.scale,
        )
