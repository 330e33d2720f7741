"""Validators with the last word, over real ClientApps in process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from flwr.app import (
    Array,
    ArrayRecord,
    ConfigRecord,
    Context,
    Message,
    MetricRecord,
    RecordDict,
)
from flwr.clientapp import ClientApp
from flwr.clientapp.typing import ClientAppCallable, Mod
from flwr.serverapp.strategy import FedAdam, FedAvg, Strategy

from parity_flwr.app.engines.inprocess import InProcessGrid
from parity_flwr.app.journal.opening import start_journal
from parity_flwr.app.runs.folder import RunFolder
from parity_flwr.app.verification.verify import verify
from parity_flwr.clients import derived_signers, identify, parity_mods
from parity_flwr.core.records import RoundRecord, RoundStatus
from parity_flwr.errors import ConfigError
from parity_flwr.strategies import ReputationConsensus, Sampling

TARGET = np.ones(6, np.float32)


def partition(context: Context) -> int:
    return int(str(context.node_config["partition-id"]))


def app(
    inner: Sequence[Mod] = (), *, poison: Callable[[int], bool] = lambda _: False
) -> ClientApp:
    """Clients that learn a vector of ones; those who poison run away from it together."""
    signer = derived_signers(b"test")
    clients = ClientApp(mods=parity_mods(signer, inner=inner, numpy_client=False))
    identify(clients, signer=signer)

    @clients.train()
    def train(message: Message, context: Context) -> Message:
        model = message.content.array_records["arrays"]["w"].numpy()
        rng = np.random.default_rng(partition(context))
        step = 0.5 * (TARGET - model) + 0.01 * rng.standard_normal(6).astype(np.float32)
        moved = (model - 2 * step if poison(partition(context)) else model + step).astype("f4")
        metrics = MetricRecord({"num-examples": 10})
        content = RecordDict({"arrays": ArrayRecord({"w": Array(moved)}), "metrics": metrics})
        return Message(content, reply_to=message)

    @clients.evaluate()
    def evaluate(message: Message, context: Context) -> Message:
        model = message.content.array_records["arrays"]["w"].numpy()
        loss = float(np.square(model - TARGET).mean())
        metrics = MetricRecord({"num-examples": 10, "loss": loss})
        return Message(RecordDict({"metrics": metrics}), reply_to=message)

    return clients


def lying(liars: set[int]) -> Mod:
    """Liars report the opposite of their loss, so that their votes fit their lies."""

    def mod(message: Message, context: Context, call_next: ClientAppCallable) -> Message:
        reply = call_next(message, context)
        if partition(context) in liars and "loss" in reply.content.metric_records["metrics"]:
            reply.content.metric_records["metrics"]["loss"] *= -1
        return reply

    return mod


def run(
    clients: ClientApp,
    tmp_path: Path,
    *,
    inner: Strategy | None = None,
    rounds: int = 4,
    reviews: bool = False,
) -> tuple[np.ndarray, list[RoundRecord], RunFolder]:
    folder = RunFolder.create(tmp_path)
    journal = start_journal(folder)
    strategy = ReputationConsensus(
        inner or FedAvg(),
        committee=9,
        reviews=reviews,
        seed=1,
        sampling=Sampling(fraction_evaluate=0.0),
        journal=journal,
    )
    with InProcessGrid(clients, 9) as grid:
        start = ArrayRecord({"w": Array(np.zeros(6, np.float32))})
        result = strategy.start(grid, start, num_rounds=rounds)
    return result.arrays["w"].numpy(), journal.rounds(), folder


def test_good_candidates_are_accepted_and_the_run_verifies(tmp_path: Path) -> None:
    model, rounds, folder = run(app(), tmp_path)
    assert [each.decision.status for each in rounds] == [RoundStatus.ACCEPTED] * 4
    assert np.abs(model - 1).max() < 0.15
    committee = rounds[0].decision.committee
    assert committee is not None
    assert committee.accept == committee.total
    assert all(ballot.signature for ballot in rounds[0].facts.ballots)
    assert rounds[-1].state.standings["client-0"].scores[3] > 500
    assert verify(folder).ok


def test_a_poisoned_majority_cannot_pass_honest_validators(tmp_path: Path) -> None:
    clients = app(poison=lambda k: k < 6)  # the wrong ones even look like the consensus
    model, rounds, _ = run(clients, tmp_path, inner=FedAdam(eta=0.5), rounds=2)
    assert [each.decision.status for each in rounds] == [RoundStatus.REJECTED] * 2
    assert model.tolist() == [0.0] * 6
    assert rounds[0].decision.reason.startswith("validators: 0 of ")


@pytest.mark.parametrize("liars", [set(), {4}, {0, 8}])
def test_liars_under_a_third_change_nothing(liars: set[int], tmp_path: Path) -> None:
    _, rounds, _ = run(app([lying(liars)]), tmp_path, rounds=2)
    assert [each.decision.status for each in rounds] == [RoundStatus.ACCEPTED] * 2
    clients = app([lying(liars)], poison=lambda _: True)
    _, rounds, _ = run(clients, tmp_path, rounds=2)
    assert [each.decision.status for each in rounds] == [RoundStatus.REJECTED] * 2


def test_liars_with_a_third_block_every_round(tmp_path: Path) -> None:
    _, rounds, _ = run(app([lying({0, 1, 2})]), tmp_path, rounds=2)
    assert [each.decision.status for each in rounds] == [RoundStatus.REJECTED] * 2


def test_a_refused_candidate_leaves_the_optimiser_alone(tmp_path: Path) -> None:
    strategy = ReputationConsensus(FedAdam(), seed=1, journal=None, committee=9)
    with InProcessGrid(app(poison=lambda _: True), 9) as grid:
        strategy.start(grid, ArrayRecord({"w": Array(np.zeros(6, np.float32))}), num_rounds=1)
    assert isinstance(strategy.inner, FedAdam)
    assert strategy.inner.m_t is None


def test_a_client_without_the_mod_is_absent(tmp_path: Path) -> None:
    def deaf(message: Message, context: Context, call_next: ClientAppCallable) -> Message:
        reply = call_next(message, context)
        if partition(context) == 3 and message.metadata.message_type == "evaluate":
            reply.content["parity"] = ConfigRecord({"vote": 7, "loss-rises": ["x"]})
        return reply

    clients = ClientApp(mods=[deaf])
    identify(clients)

    @clients.train()
    def train(message: Message, context: Context) -> Message:
        arrays = message.content.array_records["arrays"]
        metrics = MetricRecord({"num-examples": 1})
        return Message(RecordDict({"arrays": arrays, "metrics": metrics}), reply_to=message)

    @clients.evaluate()
    def evaluate(message: Message, context: Context) -> Message:
        metrics = MetricRecord({"num-examples": 1, "loss": 1.0})
        return Message(RecordDict({"metrics": metrics}), reply_to=message)

    _, rounds, _ = run(clients, tmp_path, rounds=1)
    assert rounds[0].decision.status is RoundStatus.REJECTED
    committee = rounds[0].decision.committee
    assert committee is not None
    assert len(committee.absentees) == 9
    assert rounds[0].state.standings["client-3"].scores[3] < 500


def test_reviews_give_every_update_a_quality(tmp_path: Path) -> None:
    clients = app(poison=lambda k: k in (2, 5))
    _, rounds, folder = run(clients, tmp_path, reviews=True, rounds=3)
    quality = {reply.identity: reply.quality for reply in rounds[0].facts.replies}
    assert quality["client-2"] == quality["client-5"] == 0.0
    assert (
        min(q or 0 for name, q in quality.items() if name not in ("client-2", "client-5")) > 0.5
    )
    assert verify(folder).ok


def test_a_committee_needs_a_member() -> None:
    with pytest.raises(ConfigError, match="committee"):
        ReputationConsensus(FedAvg(), committee=0, journal=None)
