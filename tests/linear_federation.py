"""A small federation of linear models: diabetes or breast cancer in unequal parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from flwr.app import Array, ArrayRecord, Context
from flwr.client import Client
from flwr.clientapp import ClientApp
from flwr.clientapp.typing import Mod
from flwr.serverapp.strategy import Strategy
from numpy.typing import NDArray

from parity_flwr.app.engines.inprocess import InProcessGrid
from parity_flwr.clients import (
    LinearClient,
    LinearTraining,
    StatisticsClient,
    Table,
    initial_linear,
    parity_mods,
)
from parity_flwr.clients.attacks import Attack, AttackMod
from sample_tables import sample_table


@dataclass(frozen=True)
class LinearFederation:
    """Eight clients by default; the last one has no data if ``idle``."""

    classes: tuple[Any, ...] = ()
    clients: int = 8
    statistics: bool = False
    idle: bool = False
    attackers: Mapping[int, Attack] = field(default_factory=dict)
    training: LinearTraining = field(default_factory=LinearTraining)

    @cached_property
    def data(self) -> Table:
        x, y = sample_table("breast_cancer" if self.classes else "diabetes")
        rows = np.random.default_rng(0).permutation(len(y))
        x = (x - x.mean(axis=0)) / x.std(axis=0)
        return Table(x[rows], y[rows])

    def part(self, partition: int) -> Table:
        cuts = np.linspace(0, 1, self.clients - self.idle + 1)[1:-1] ** 1.5 * len(self.data)
        parts = np.split(np.arange(len(self.data)), cuts.astype(int))
        rows = parts[partition] if partition < len(parts) else np.arange(0)
        return Table(self.data.x[rows], self.data.y[rows])

    def app(self, *mods: Mod) -> ClientApp:
        def client_fn(context: Context) -> Client:
            part = self.part(int(context.node_config["partition-id"]))
            if self.statistics:
                return StatisticsClient(train=part, test=part, context=context).to_client()
            return LinearClient(
                self.classes, train=part, test=part, context=context, training=self.training
            ).to_client()

        mod = AttackMod(self.attackers, seed=0, num_partitions=self.clients)
        return ClientApp(client_fn, mods=parity_mods(inner=[*mods, mod]))

    def run(
        self, strategy: Strategy, *mods: Mod, rounds: int = 1
    ) -> dict[str, NDArray[np.float64]]:
        initial = initial_linear(self.data.x.shape[1], self.classes)
        record = ArrayRecord({name: Array(array) for name, array in initial.items()})
        with InProcessGrid(self.app(*mods), self.clients) as grid:
            result = strategy.start(grid, record, num_rounds=rounds)
        return {name: array.numpy() for name, array in result.arrays.items()}
