"""Every kind of model in a federation of six, for the conformance suite."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from flwr.app import Array, ArrayRecord, Context
from flwr.client import NumPyClient
from flwr.clientapp import ClientApp
from flwr.clientapp.typing import Mod

from parity_flwr.clients import (
    Examples,
    ForestClient,
    ForestTraining,
    LinearClient,
    LinearTraining,
    LocalTraining,
    StatisticsClient,
    Table,
    TorchClient,
    cnn,
    initial_arrays,
    initial_linear,
    mlp,
    parity_mods,
)
from parity_flwr.clients.attacks import Attack, AttackMod, LabelFlip, SignFlip
from parity_flwr.clients.attacks.forests import FlippedLeaves, ForestAttackMod
from parity_flwr.core.forest import Forest, ForestSchema, encode_forest
from parity_flwr.core.protocols import Journal
from parity_flwr.strategies import (
    ForestBagging,
    LeastSquares,
    Reputation,
    ReputationFedAvg,
    Sampling,
)
from sample_tables import sample_table

CLIENTS = 6
LIARS = (1, 4)
TRAINING = Sampling(fraction_evaluate=1.0, min_available_nodes=CLIENTS - 1)  # one may be gone


def part(name: str, partition: int) -> Table:
    """Return a client's rows of a table, standardised, shuffled."""
    x, y = sample_table(name)
    rows = np.random.default_rng(0).permutation(len(y))[partition::CLIENTS]
    spread = np.where(x.std(axis=0) > 0, x.std(axis=0), 1)
    return Table(((x - x.mean(axis=0)) / spread)[rows], y[rows])


def torch_client(factory: Any, data: str, shape: tuple[int, ...]) -> Callable[..., NumPyClient]:
    def make(context: Context) -> NumPyClient:
        table = part(data, int(context.node_config["partition-id"]))
        x = table.x.reshape(-1, *shape).astype(np.float32)
        examples = Examples(x, table.y.astype(np.int64))
        training = LocalTraining(seed=1, steps=6, batch_size=32)
        return TorchClient(
            factory, train=examples, test=examples, context=context, training=training
        )

    return make


def linear_client(classes: tuple[int, ...], data: str) -> Callable[..., NumPyClient]:
    def make(context: Context) -> NumPyClient:
        table = part(data, int(context.node_config["partition-id"]))
        training = LinearTraining(steps=5)
        return LinearClient(
            classes, train=table, test=table, context=context, training=training
        )

    return make


def statistics_client(context: Context) -> NumPyClient:
    table = part("diabetes", int(context.node_config["partition-id"]))
    return StatisticsClient(train=table, test=table, context=context)


SCHEMA = ForestSchema(30, (0, 1))


def forest_client(context: Context) -> NumPyClient:
    table = part("breast_cancer", int(context.node_config["partition-id"]))
    training = ForestTraining(trees=3)
    return ForestClient(SCHEMA, train=table, test=table, context=context, training=training)


def averaging(journal: Journal | None) -> Reputation:
    return ReputationFedAvg(seed=1, journal=journal, sampling=TRAINING)


@dataclass(frozen=True)
class ModelCase:
    """One kind of model: its clients, first arrays, strategy and attack."""

    make: Callable[[Context], NumPyClient]
    initial: Callable[[], Mapping[str, Any]]
    strategy: Callable[[Journal | None], Reputation] = averaging
    attack: Attack = field(default_factory=lambda: SignFlip(scale=3.0))
    averages: bool = True  # whether any strategy over arrays of fixed shapes can train it
    rounds: int = 2
    patience: int = 4  # rounds in which liars lose their name

    def app(self, *, attacked: bool = False, mods: Iterable[Mod] = ()) -> ClientApp:
        def client_fn(context: Context) -> Any:
            return self.make(context).to_client()

        return ClientApp(client_fn, mods=parity_mods(inner=[*mods, *self._attackers(attacked)]))

    def _attackers(self, attacked: bool) -> list[Mod]:
        if not attacked:
            return []
        if self.make is forest_client:
            return [ForestAttackMod(dict.fromkeys(LIARS, FlippedLeaves()), seed=0, lying=True)]
        attackers: dict[int, Attack] = dict.fromkeys(LIARS, self.attack)
        return [AttackMod(attackers, seed=0, num_partitions=CLIENTS)]

    def record(self) -> ArrayRecord:
        return ArrayRecord({name: Array(np.asarray(a)) for name, a in self.initial().items()})


PERCEPTRON = mlp(64, hidden=(16,), classes=10)
CONVOLUTIONS = cnn((1, 8, 8), channels=(4,), classes=10)

CASES: dict[str, ModelCase] = {
    "perceptron": ModelCase(
        torch_client(PERCEPTRON, "digits", (64,)), lambda: initial_arrays(PERCEPTRON, seed=0)
    ),
    "convolutions with batch norm": ModelCase(
        torch_client(CONVOLUTIONS, "digits", (1, 8, 8)),
        lambda: initial_arrays(CONVOLUTIONS, seed=0),
    ),
    "linear": ModelCase(linear_client((), "diabetes"), lambda: initial_linear(10), patience=26),
    "logistic": ModelCase(
        linear_client((0, 1), "breast_cancer"),
        lambda: initial_linear(30, (0, 1)),
        patience=20,
    ),
    "statistics": ModelCase(
        statistics_client,
        lambda: initial_linear(10),
        lambda journal: LeastSquares(10, seed=1, journal=journal, sampling=TRAINING),
        attack=LabelFlip(classes=2),
        averages=False,
    ),
    "forest": ModelCase(
        forest_client,
        lambda: encode_forest(Forest.of(SCHEMA, [])),
        lambda journal: ForestBagging(SCHEMA, seed=1, journal=journal, sampling=TRAINING),
        averages=False,
    ),
}
