"""The torch client behind encryption learns what it learns in clear."""

from __future__ import annotations

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, Context
from flwr.client import Client
from flwr.clientapp import ClientApp

from encrypted_runs import GIVEN, QUIET
from parity_flwr.app.engines.inprocess import InProcessGrid
from parity_flwr.clients import (
    EncryptionMod,
    Examples,
    LocalTraining,
    TorchClient,
    evaluate_arrays,
    initial_arrays,
    mlp,
    parity_mods,
)
from parity_flwr.strategies import (
    EncryptedAggregation,
    Encryption,
    Reputation,
    ReputationFedAvg,
)

CLIENTS, ROUNDS = 4, 6
FACTORY = mlp(8, classes=3)


def examples(seed: int, count: int = 120) -> Examples:
    """Return three clouds of points."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, count)
    centres = np.random.default_rng(99).normal(size=(3, 8))
    return Examples((centres[y] + 0.6 * rng.normal(size=(count, 8))).astype(np.float32), y)


def client_fn(context: Context) -> Client:
    own = examples(int(context.node_config["partition-id"]))
    training = LocalTraining(epochs=2, learning_rate=0.1)
    return TorchClient(
        FACTORY, train=own, test=own, context=context, training=training
    ).to_client()


def accuracy(strategy: Reputation, app: ClientApp) -> float:
    arrays = initial_arrays(FACTORY, seed=0)
    with InProcessGrid(app, CLIENTS) as grid:
        record = ArrayRecord({name: Array(array) for name, array in arrays.items()})
        result = strategy.start(grid, record, num_rounds=ROUNDS)
    trained = {name: array.numpy() for name, array in result.arrays.items()}
    return evaluate_arrays(FACTORY, trained, examples(1000, 600))[1]


@pytest.mark.slow
def test_encryption_costs_no_accuracy() -> None:
    clear = accuracy(
        ReputationFedAvg(sampling=QUIET, journal=None, seed=1),
        ClientApp(client_fn, mods=parity_mods()),
    )
    encrypted = accuracy(
        EncryptedAggregation(
            encryption=Encryption(clip=1.0), sampling=QUIET, journal=None, seed=1
        ),
        ClientApp(client_fn, mods=parity_mods(inner=[EncryptionMod(GIVEN)])),
    )
    assert clear > 0.8
    assert abs(clear - encrypted) <= 0.01
