"""Rounds that must not move the model: too few replies, or an inner strategy that fails."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, Message, MetricRecord
from flwr.serverapp.exception import AggregationError
from flwr.serverapp.strategy import FedAdam, FedAvg, FedAvgM

from parity_flwr.app.misbehaviour import MISBEHAVIOURS
from parity_flwr.core.config import TrustConfig
from parity_flwr.core.records import RoundStatus, Verdict
from parity_flwr.strategies import Reputation, ReputationFedAvg
from trust_runs import MODEL, ListJournal, Spoil, bits, client_app, numbers, record, run

SILENT = MISBEHAVIOURS["no reply"]
BROKEN = MISBEHAVIOURS["not a number"]


def test_too_few_replies_reject_the_round_and_the_model_stays() -> None:
    journal = ListJournal()
    spoil = dict.fromkeys(range(3), SILENT)  # 2 of 5 answer, 3 are needed
    result, _ = run(ReputationFedAvg(seed=1, journal=journal), spoil=spoil, rounds=2)
    assert bits(result.arrays) == bits(record(MODEL))
    for each in journal.rounds:
        assert each.decision.status is RoundStatus.REJECTED
        assert each.decision.reason == "quorum: 3 of 5 replies needed, 2 came"
        assert each.model_hash == each.base_hash
        assert all(reply.weight == 0 for reply in each.decision.replies)
    assert journal.endings == [("failed", "no round was accepted")]


def test_just_enough_replies_are_a_round() -> None:
    journal = ListJournal()
    result, _ = run(
        ReputationFedAvg(seed=1, journal=journal), spoil={0: SILENT, 1: SILENT}, rounds=1
    )
    assert journal.rounds[0].decision.status is RoundStatus.ACCEPTED
    assert journal.rounds[0].decision.reason == "3 replies: capped weighted mean"
    assert bits(result.arrays) != bits(record(MODEL))
    assert journal.endings == [("completed", "")]


def test_quorum_is_a_setting() -> None:
    journal = ListJournal()
    config = TrustConfig(quorum=1.0)
    run(ReputationFedAvg(seed=1, journal=journal, config=config), spoil={0: SILENT}, rounds=1)
    assert journal.rounds[0].decision.reason == "quorum: 5 of 5 replies needed, 4 came"


@pytest.mark.parametrize("spoil", [BROKEN, SILENT, MISBEHAVIOURS["an error"]])
def test_round_in_which_all_are_refused_keeps_the_bits(spoil: Spoil) -> None:
    journal = ListJournal()
    everybody: dict[int, Spoil] = dict.fromkeys(range(5), spoil)
    result, _ = run(ReputationFedAvg(seed=1, journal=journal), spoil=everybody, rounds=2)
    assert bits(result.arrays) == bits(record(MODEL))
    verdicts = {facts.verdict for facts in journal.rounds[0].facts.replies}
    assert verdicts <= {Verdict.QUARANTINED, Verdict.MISSING}
    assert len(journal.rounds) == 2


def test_rejected_round_leaves_the_server_optimiser_as_it_was() -> None:
    """Round 2 is lost: momentum must go on as if it had not been there."""

    def mute(replies: list[Message]) -> list[Message]:
        lost = [r for r in replies if r.metadata.message_type == "train"]
        seen.append(len(lost))
        return [] if lost and len([n for n in seen if n]) == 2 else replies

    seen: list[int] = []
    app = client_app(lambda partition, round_, array: np.asarray(array + 1, array.dtype))
    result, _ = run(
        Reputation(FedAvgM(server_momentum=0.5), seed=1, journal=None),
        app=app,
        rounds=3,
        order=mute,
    )
    moved = numbers(result.arrays)["a.bias"] - MODEL["a.bias"]
    np.testing.assert_allclose(moved, 1 + 1.5, rtol=1e-6)


Aggregate = Callable[["Failing", tuple[ArrayRecord | None, MetricRecord | None]], Any]


class Failing(FedAdam):
    """FedAdam that goes wrong in round 2, after its optimiser has moved."""

    def __init__(self, how: Aggregate) -> None:
        super().__init__()
        self.how = how

    def aggregate_train(self, server_round: int, replies: Iterable[Message]) -> Any:
        aggregated = super().aggregate_train(server_round, replies)
        return self.how(self, aggregated) if server_round == 2 else aggregated


def raising(error: Exception) -> Aggregate:
    def fail(strategy: Failing, aggregated: Any) -> Any:
        raise error

    return fail


def with_first(value: Any) -> Aggregate:
    def change(strategy: Failing, aggregated: Any) -> Any:
        arrays, metrics = aggregated
        return ArrayRecord({**arrays, "a.bias": value}), metrics

    return change


def nothing(strategy: Failing, aggregated: Any) -> Any:
    return None, None


FAILURES: dict[str, tuple[Aggregate, str]] = {
    "raises a value error": (raising(ValueError("no\nway")), "failed: ValueError: no way"),
    "divides by zero": (raising(ZeroDivisionError("by zero")), "failed: ZeroDivisionError"),
    "raises Flower's error": (
        raising(AggregationError("bad")),
        "failed: AggregationError: bad",
    ),
    "raises a key error": (raising(KeyError("acc")), "failed: KeyError: 'acc'"),
    "raises a type error": (raising(TypeError("list")), "failed: TypeError: list"),
    "returns nothing": (nothing, "returned no model"),
    "returns NaN": (with_first(Array(np.full(3, np.nan, np.float32))), "no finite model"),
    "returns another shape": (with_first(Array(np.zeros(4, np.float32))), "no finite model"),
    "overflows float32": (with_first(Array(np.full(3, 1e300))), "no finite model"),
    "returns garbage": (
        with_first(Array("float32", (3,), "numpy.ndarray", b"garbage")),
        "needs plain numeric numpy arrays",
    ),
}


@pytest.mark.parametrize("name", FAILURES)
def test_inner_strategy_that_fails_leaves_a_note_and_the_model(name: str) -> None:
    how, expected = FAILURES[name]
    journal, short = ListJournal(), ListJournal()
    strategy = Reputation(Failing(how), seed=1, journal=journal)
    run(strategy, rounds=2)
    result, _ = run(Reputation(FedAdam(), seed=1, journal=short), rounds=1)
    first, second = journal.rounds
    assert first.note == ""
    assert expected in second.note
    assert "\n" not in second.note
    assert second.decision.status is RoundStatus.ACCEPTED
    assert second.model_hash == second.base_hash == first.model_hash
    np.testing.assert_array_equal(
        journal.checkpoints[1].model["a.bias"], numbers(result.arrays)["a.bias"]
    )
    # Its optimiser is as round 1 left it: momentum of a round that did not happen is gone.
    before, after = (
        {path: array.tobytes() for path, array in checkpoint.inner.items() if "_t|" in path}
        for checkpoint in journal.checkpoints
    )
    assert before == after
    assert journal.endings == [("completed", "")]


def test_run_that_never_makes_a_model_has_failed() -> None:
    class Empty(FedAvg):
        def aggregate_train(self, server_round: int, replies: Iterable[Message]) -> Any:
            return None, None

    journal = ListJournal()
    result, _ = run(Reputation(Empty(), seed=1, journal=journal))
    assert journal.endings == [("failed", "the inner strategy made no new model in any round")]
    assert bits(result.arrays) == bits(record(MODEL))


def test_error_of_our_own_is_not_swallowed() -> None:
    def score(round_: int, arrays: Any) -> float:
        return 2.0

    journal = ListJournal()
    with pytest.raises(ValueError, match=r"a number from 0 to 1; got 2\.0"):
        run(ReputationFedAvg(seed=1, journal=journal, score=score))
    assert journal.rounds == []
    assert journal.endings[0][0] == "failed"


def test_abstention_costs_nothing_and_weighs_nothing() -> None:
    journal = ListJournal()
    app = client_app(examples=lambda partition: 0 if partition == 2 else 10)
    strategy = ReputationFedAvg(seed=1, journal=journal)
    run(strategy, app=app)
    facts = {each.identity: each for each in journal.rounds[0].facts.replies}
    weights = {each.identity: each.weight for each in journal.rounds[0].decision.replies}
    assert facts["client-2"].verdict is Verdict.ABSTAINED
    assert weights["client-2"] == 0
    assert sum(weights.values()) == pytest.approx(1)
    assert strategy.state.standings["client-2"].composite == 500


def test_models_with_counters_scalars_and_empty_arrays_train() -> None:
    model: dict[str, Any] = {
        "w": np.zeros((2, 2), np.float16),
        "norm.num_batches_tracked": np.array(3, np.int64),
        "temperature": np.array(0.5, np.float32),
        "empty": np.zeros((0, 3), np.float32),
        "flags": np.array([True, False]),
        "bytes": np.array([250, 3], np.uint8),
        "columns": np.asfortranarray(np.zeros((2, 3))),
    }

    def step(partition: int, round_: int, array: Any) -> Any:
        if array.dtype.kind == "b":
            return array
        return np.asarray(array + np.ones((), array.dtype), array.dtype)

    journal = ListJournal()
    strategy = Reputation(FedAvg(), seed=1, journal=journal)
    result, _ = run(strategy, app=client_app(step), model=model, rounds=2)
    assert [each.note for each in journal.rounds] == ["", ""]
    for name, array in numbers(result.arrays).items():
        expected = model[name] if name == "flags" else model[name] + 2
        assert array.dtype == model[name].dtype
        assert array.shape == model[name].shape
        np.testing.assert_allclose(array, expected.astype(model[name].dtype), rtol=1e-3)
