"""The same seed gives the same bits, whatever order the replies come in."""

from __future__ import annotations

import numpy as np
import pytest
from flwr.app import Message
from flwr.serverapp.strategy import FedAdam, FedAvg, FedMedian, Krum, Strategy

from parity_flwr.app.misbehaviour import MISBEHAVIOURS
from parity_flwr.core.canonical import dumps
from parity_flwr.strategies import Reputation, Sampling
from trust_runs import ListJournal, client_app, run

SPOIL = {1: MISBEHAVIOURS["not a number"], 4: MISBEHAVIOURS["no reply"]}


def trail(
    inner: Strategy, *, seed: int = 7, shuffle: int | None = None
) -> tuple[list[str], bytes, list[bytes]]:
    """Return the model hashes, the final state and the canonical records of a run."""
    rng = None if shuffle is None else np.random.default_rng(shuffle)

    def order(replies: list[Message]) -> list[Message]:
        return replies if rng is None else [replies[k] for k in rng.permutation(len(replies))]

    journal = ListJournal()
    sampling = Sampling(fraction_train=0.8)
    strategy = Reputation(inner, seed=seed, journal=journal, sampling=sampling)
    app = client_app(examples=lambda partition: 10 + 3 * partition)
    run(strategy, app=app, clients=9, rounds=3, spoil=SPOIL, order=order)
    hashes = [each.model_hash for each in journal.rounds]
    return hashes, dumps(strategy.state), [dumps(each) for each in journal.rounds]


@pytest.mark.parametrize(
    "make", [FedAvg, FedAdam, FedMedian, lambda: Krum(num_malicious_nodes=1)]
)
def test_same_seed_same_bits(make: type[Strategy]) -> None:
    assert trail(make()) == trail(make())


def test_another_seed_selects_others() -> None:
    assert trail(FedAvg(), seed=8)[0] != trail(FedAvg(), seed=7)[0]


@pytest.fixture(scope="module")
def in_order() -> tuple[list[str], bytes, list[bytes]]:
    return trail(FedAvg())


@pytest.mark.parametrize("shuffle", range(20))
def test_order_of_the_replies_changes_nothing(
    shuffle: int, in_order: tuple[list[str], bytes, list[bytes]]
) -> None:
    assert trail(FedAvg(), shuffle=shuffle) == in_order
