"""SecureAggregation over real ClientApps: exact sums, whoever drops out and whenever."""

from __future__ import annotations

import numpy as np
import pytest

from parity_flwr.core.records import RoundStatus, Verdict
from parity_flwr.core.secagg.graph import needed_degree
from parity_flwr.strategies import SecureAggregation, SecureSetup
from secagg_runs import drops, plain_round, run
from trust_runs import MODEL, ListJournal, numbers

STAGES = ("advertise", "share", "mask", "confirm", "unmask")
INTO_THE_SUM = ("confirm", "unmask")


def test_model_is_the_plain_quantised_mean() -> None:
    journal = ListJournal()
    result, grid = run(SecureAggregation(journal=journal, seed=1), rounds=1)
    assert grid.errors == []
    expected = plain_round(MODEL, range(10), addends=10)
    found = numbers(result.arrays)
    assert all(np.array_equal(found[name], expected[name]) for name in MODEL)
    (only,) = journal.rounds
    assert only.note == ""
    assert [fact.verdict for fact in only.facts.replies] == [Verdict.ACCEPTED] * 10
    assert {reply.weight for reply in only.decision.replies} == {0.1}


@pytest.mark.parametrize("stage", STAGES)
def test_three_of_ten_drop_out(stage: str) -> None:
    """30 % at any stage: the exact sum of those whose vectors came."""
    journal = ListJournal()
    gone = {1: drops(stage), 4: drops(stage), 9: drops(stage)}
    result, _ = run(SecureAggregation(journal=journal, seed=1), bends=gone)
    members = range(10) if stage in INTO_THE_SUM else (0, 2, 3, 5, 6, 7, 8)
    expected = plain_round(MODEL, members, addends=10)
    found = numbers(result.arrays)
    assert all(np.array_equal(found[name], expected[name]) for name in MODEL)
    facts = {fact.identity: fact for fact in journal.rounds[0].facts.replies}
    lost = Verdict.ACCEPTED if stage in INTO_THE_SUM else Verdict.MISSING
    assert {facts[f"client-{k}"].verdict for k in gone} == {lost}
    assert {facts[f"client-{k}"].verdict for k in range(10) if k not in gone} == {
        Verdict.ACCEPTED
    }


@pytest.mark.parametrize("stage", STAGES)
def test_three_of_ten_drop_out_of_a_sparse_graph(stage: str) -> None:
    """Clients mask with some of the others only, and insist on enough of them."""
    clients, journal = 20, ListJournal()
    setup = SecureSetup(degree=needed_degree(clients))
    assert setup.degree < clients - 2
    gone = {k: drops(stage) for k in (0, 3, 7, 8, 12, 19)}
    strategy = SecureAggregation(journal=journal, seed=1, setup=setup)
    result, grid = run(strategy, clients=clients, bends=gone)
    assert grid.errors == []
    members = range(clients) if stage in INTO_THE_SUM else set(range(clients)) - set(gone)
    expected = plain_round(MODEL, members, addends=clients)
    found = numbers(result.arrays)
    assert all(np.array_equal(found[name], expected[name]) for name in MODEL)


def test_too_sparse_a_graph_leaves_the_model_with_a_reason() -> None:
    journal = ListJournal()
    strategy = SecureAggregation(journal=journal, seed=1, setup=SecureSetup(degree=4))
    result, grid = run(strategy, clients=20)
    assert {stage for stage, _ in grid.refusals()} == {"share"}
    assert all(np.array_equal(numbers(result.arrays)[name], MODEL[name]) for name in MODEL)
    assert journal.rounds[0].decision.status is RoundStatus.REJECTED


@pytest.mark.parametrize("stage", STAGES)
def test_too_many_drop_outs_leave_the_model_with_a_reason(stage: str) -> None:
    journal = ListJournal()
    gone = {k: drops(stage) for k in range(8 if stage == "advertise" else 4)}
    result, _ = run(SecureAggregation(journal=journal, seed=1), bends=gone)
    assert numbers(result.arrays).keys() == MODEL.keys()
    assert all(np.array_equal(numbers(result.arrays)[name], MODEL[name]) for name in MODEL)
    (only,) = journal.rounds
    reason = only.note + only.decision.reason
    assert "no sum: " in only.note or only.decision.status is RoundStatus.REJECTED, reason
    assert only.model_hash == only.base_hash
    assert journal.endings[0][0] == "failed"
