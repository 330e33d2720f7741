"""The neural network and the logistic model, trained by DP-SGD on every client."""

from __future__ import annotations

import math

import numpy as np
from flwr.app import Context
from flwr.client import NumPyClient

from parity_flwr.app.tabular.data import TabularData
from parity_flwr.app.tabular.network import Network
from parity_flwr.app.tabular.plan import Model, TabularPlan
from parity_flwr.app.tabular.privacy import TablePrivacy
from parity_flwr.clients import (
    DPTorchClient,
    ExamplePrivacy,
    Examples,
    LocalTraining,
    Table,
)
from parity_flwr.clients.torch_model import default_loss

_EPOCHS = 2
_LEAST, _SHARE = 32, 0.2  # a batch: what hides a row is the noise over its size
_RATE, _NUMBER_RATE = 1.0, 0.25  # clipped gradients are short; squared errors are not


def batch_of(rows: int) -> int:
    """Return how many rows a client of so many draws for one step, on average."""
    return max(_LEAST, round(_SHARE * rows))


def steps_of(rows: int, *, rounds: int) -> tuple[int, float]:
    """Return how many steps a client of so many rows takes in a run, and their sampling."""
    sampling = min(1.0, batch_of(rows) / max(1, rows))
    return rounds * _EPOCHS * math.ceil(1 / sampling), sampling


class PrivateNetwork(Network):
    """A :class:`Network` whose clients noise every gradient step.

    The logistic model is a network of one layer.

    Parameters
    ----------
    plan, data
        As in :class:`Network`; ``data`` encoded within the budget.
    privacy : TablePrivacy
    run : str
        Names the encoding's charge.
    """

    def __init__(
        self, plan: TabularPlan, data: TabularData, privacy: TablePrivacy, run: str
    ) -> None:
        super().__init__(plan, data, hidden=() if plan.model is Model.LOGISTIC else (32,))
        self._rounds = plan.rounds
        self._privacy = privacy
        self._run = run

    def client(self, table: Table, context: Context) -> NumPyClient:
        """Return the client of these rows."""
        self._privacy.open_ledger(context, run=self._run)
        examples = Examples(table.x.astype(np.float32), self._targets(table))
        training = LocalTraining(
            seed=self._seed,
            epochs=_EPOCHS,
            batch_size=batch_of(len(table)),
            learning_rate=_NUMBER_RATE if examples.regression else _RATE,
            loss=default_loss(examples) if examples.regression else None,
        )
        count, sampling = steps_of(len(table), rounds=self._rounds)
        budget = self._privacy.budget
        promise = ExamplePrivacy(
            epsilon=budget.epsilon,
            delta=budget.delta,
            rounds=self._rounds,
            clip=self._privacy.preset.clip,
            physical_batch=64,
            noise_multiplier=self._privacy.training_multiplier(count=count, sampling=sampling),
        )
        return DPTorchClient(
            self._factory,
            train=examples,
            test=Examples(examples.x[:0], examples.y[:0]),  # nothing to ask it about
            context=context,
            privacy=promise,
            training=training,
        )
