"""A small federation whose clients release noisy sums."""

from __future__ import annotations

import numpy as np
from flwr.app import Context
from flwr.client import Client
from flwr.clientapp import ClientApp

from dp_federation import ListJournalWithCharges
from parity_flwr.clients import (
    ForestRelease,
    LinearRelease,
    ReleaseClient,
    Table,
    parity_mods,
)
from parity_flwr.core.privacy.leaf_counts import SharedTrees
from parity_flwr.core.privacy.ledger import Budget, Unit
from parity_flwr.core.privacy.sums_release import SUMS, SumsRelease
from parity_flwr.strategies import ReleasedSums, Sampling
from trust_runs import Spoil, Watched

BUDGET = Budget(epsilon=2.0, delta=1e-5, unit=Unit.EXAMPLE)
TREES = SharedTrees(seed=2, trees=6, depth=3, low=np.full(3, -1.0), high=np.full(3, 1.0))
CLASSES = ForestRelease(trees=TREES, classes=("a", "b"), noise_multiplier=0.5, most=400)
NUMBERS = ForestRelease(trees=TREES, steps=(-1.0, 0.0, 2.0), noise_multiplier=0.5)
LINEAR = LinearRelease.promising(3, epsilon=2.0, delta=1e-5, most=400)
CLIENTS = 5


def rows(partition: int, release: SumsRelease) -> Table:
    rng = np.random.default_rng(partition)
    x = rng.uniform(-0.5, 0.5, (400, 3))
    y = x @ np.array([0.5, -0.4, 0.2])
    return Table(x, (y > 0).astype(np.int64) if release is CLASSES else y)


def app(release: SumsRelease) -> ClientApp:
    def client_fn(context: Context) -> Client:
        partition = int(context.node_config["partition-id"])
        return ReleaseClient(
            release,
            train=rows(partition, release),
            context=context,
            budget=BUDGET,
            noise_seed=bytes([partition]) * 32,
        ).to_client()

    return ClientApp(client_fn, mods=parity_mods())


def run(
    release: SumsRelease, *, spoil: dict[int, Spoil] | None = None, rounds: int = 1
) -> tuple[np.ndarray, ListJournalWithCharges]:
    journal = ListJournalWithCharges()
    sampling = Sampling(fraction_evaluate=0.0, min_available_nodes=CLIENTS)
    strategy = ReleasedSums(release, seed=1, journal=journal, sampling=sampling)
    with Watched(app(release), CLIENTS, spoil=spoil) as grid:
        result = strategy.start(grid, strategy.initial_arrays(), num_rounds=rounds)
    return result.arrays[SUMS].numpy(), journal
