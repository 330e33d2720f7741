"""A small federation that grows forests: breast cancer or diabetes, divided evenly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from flwr.app import Context
from flwr.client import Client
from flwr.clientapp import ClientApp
from flwr.clientapp.typing import Mod

from parity_flwr.app.engines.inprocess import InProcessGrid
from parity_flwr.clients import ForestClient, ForestTraining, Table, parity_mods
from parity_flwr.clients.attacks.forests import ForestAttack, ForestAttackMod
from parity_flwr.core.forest import Forest, ForestSchema, decode_forest
from parity_flwr.strategies import ForestBagging, TreeUnion
from sample_tables import sample_table


@dataclass(frozen=True)
class ForestFederation:
    """Ten clients by default, a quarter of the data held out."""

    seed: int = 0
    clients: int = 10
    regression: bool = False
    attackers: Mapping[int, ForestAttack] = field(default_factory=dict)
    lying: bool = False
    training: ForestTraining = field(default_factory=lambda: ForestTraining(trees=6))

    @cached_property
    def tables(self) -> tuple[Table, Table]:
        x, y = sample_table("diabetes" if self.regression else "breast_cancer")
        rows = np.random.default_rng(self.seed).permutation(len(y))
        held, rest = np.split(rows, [len(y) // 4])
        x = x.astype(np.float32)
        return Table(x[rest], y[rest]), Table(x[held], y[held])

    @property
    def schema(self) -> ForestSchema:
        features = self.tables[0].x.shape[1]
        return ForestSchema(features, () if self.regression else (0, 1))

    def part(self, partition: int) -> Table:
        train = self.tables[0]
        rows = np.arange(partition, len(train), self.clients)
        return Table(train.x[rows], train.y[rows])

    def app(self, *mods: Mod) -> ClientApp:
        def client_fn(context: Context) -> Client:
            data = self.part(int(context.node_config["partition-id"]))
            return ForestClient(
                self.schema, train=data, test=data, context=context, training=self.training
            ).to_client()

        mod = ForestAttackMod(self.attackers, seed=self.seed, lying=self.lying)
        return ClientApp(client_fn, mods=parity_mods(inner=[*mods, mod]))

    def run(self, strategy: ForestBagging | TreeUnion, *, rounds: int = 1) -> Forest:
        from parity_flwr.core.forest import encode_forest
        from parity_flwr.strategies.arrays import write_arrays

        initial = write_arrays(encode_forest(Forest.of(self.schema, [])))
        with InProcessGrid(self.app(), self.clients) as grid:
            result = strategy.start(grid, initial, num_rounds=rounds)
        return decode_forest({name: array.numpy() for name, array in result.arrays.items()})


def accuracy(forest: Forest, table: Table, trees: Sequence[int] | None = None) -> float:
    from parity_flwr.core.forest import forest_values

    return float((forest_values(forest, table.x).argmax(axis=1) == table.y).mean())
