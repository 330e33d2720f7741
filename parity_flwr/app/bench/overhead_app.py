"""The federation of `parity bench overhead`: one model, one data set, two strategies."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

import numpy as np
from flwr.app import Array, ArrayRecord, Context
from flwr.client import Client
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg, Strategy

from parity_flwr.app.bench.phases import Stopwatch
from parity_flwr.clients import (
    Examples,
    LocalTraining,
    TorchClient,
    initial_arrays,
    mlp,
    parity_mods,
)
from parity_flwr.errors import ConfigError
from parity_flwr.strategies import ReputationFedAvg, Sampling

_FEATURES, _CLASSES = 784, 10
_EXAMPLES = 600  # a client's share of MNIST among a hundred

server_app = ServerApp()


def hidden_units(parameters: int) -> int:
    """Return the width of the hidden layer that makes about so many parameters.

    Examples
    --------
    >>> hidden_units(159_010)
    200
    """
    return max(1, round((parameters - _CLASSES) / (_FEATURES + 1 + _CLASSES)))


def strategy_of(name: str, clients: int) -> Strategy:
    """Return a strategy by name, with every client in every round.

    Raises
    ------
    ConfigError
        If there is none of that name.
    """
    if name == "fedavg":
        return FedAvg(
            min_train_nodes=clients, min_evaluate_nodes=clients, min_available_nodes=clients
        )
    if name == "reputation":
        sampling = Sampling(
            min_train_nodes=clients, min_evaluate_nodes=clients, min_available_nodes=clients
        )
        return ReputationFedAvg(sampling=sampling, seed=0)
    raise ConfigError("a strategy to be timed", came=repr(name), action="see strategy_of")


@server_app.main()
def main(grid: Grid, context: Context) -> None:
    """Run the configured strategy and write how long its phases took."""
    config, watch = context.run_config, Stopwatch()
    strategy = strategy_of(str(config["strategy"]), int(config["clients"]))
    watch.watch(strategy)
    model = initial_arrays(mlp(_FEATURES, hidden=(_hidden(context),), classes=_CLASSES), seed=0)
    arrays = ArrayRecord({name: Array(array) for name, array in model.items()})
    strategy.start(grid=grid, initial_arrays=arrays, num_rounds=int(config["rounds"]))
    Path(str(config["report"])).write_text(json.dumps(watch.plain()), encoding="utf-8")


def _client(context: Context) -> Client:
    examples = _examples(int(context.node_config["partition-id"]))
    client = TorchClient(
        mlp(_FEATURES, hidden=(_hidden(context),), classes=_CLASSES),
        train=examples,
        test=examples,
        context=context,
        training=LocalTraining(seed=0, epochs=1, batch_size=32, learning_rate=0.1),
    )
    return client.to_client()


client_app = ClientApp(_client, mods=parity_mods())


@lru_cache(maxsize=8)
def _examples(partition: int) -> Examples:
    """Return digits of noise: how long training takes does not depend on what is learnt."""
    rng = np.random.default_rng([partition, 7])
    x = rng.standard_normal((_EXAMPLES, _FEATURES), dtype=np.float32)
    return Examples(x, rng.integers(0, _CLASSES, _EXAMPLES))


def _hidden(context: Context) -> int:
    return hidden_units(int(context.run_config["parameters"]))
