"""Evaluation replies are hostile too: none ends the run, none owns the mean."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from flwr.app import ConfigRecord, Message, MetricRecord, RecordDict
from flwr.app.error import Error
from flwr.serverapp.strategy import FedAdam, FedAvg

from parity_flwr.strategies import Reputation, ReputationFedAvg
from trust_runs import ListJournal, Spoil, run, state_of


def told(**metrics: Any) -> Spoil:
    values = {name.replace("_", "-"): value for name, value in metrics.items()}

    def spoil(reply: Message) -> list[Message]:
        reply.content = RecordDict({"metrics": MetricRecord(values)})
        return [reply]

    return spoil


def holding(content: Callable[[], RecordDict]) -> Spoil:
    def spoil(reply: Message) -> list[Message]:
        reply.content = content()
        return [reply]

    return spoil


def failing(reply: Message) -> list[Message]:
    twin = copy.copy(reply)
    twin.__dict__["_content"], twin.__dict__["_error"] = None, Error(code=2, reason="boom")
    return [twin]


def huge(reply: Message) -> list[Message]:
    reply.content.metric_records["metrics"]["accuracy"] = 10**400
    return [reply]


USELESS: dict[str, Spoil] = {
    "no reply": lambda reply: [],
    "two replies": lambda reply: [reply, reply],
    "an error": failing,
    "no records": holding(RecordDict),
    "a config only": holding(lambda: RecordDict({"c": ConfigRecord({"a": 1})})),
    "two metric records": holding(
        lambda: RecordDict(
            {"a": MetricRecord({"num-examples": 5}), "b": MetricRecord({"num-examples": 5})}
        )
    ),
    "no num-examples": told(accuracy=9.0),
    "num-examples 0": told(num_examples=0, accuracy=9.0),
    "num-examples negative": told(num_examples=-5, accuracy=9.0),
    "num-examples a float": told(num_examples=5.0, accuracy=9.0),
    "num-examples NaN": told(num_examples=float("nan"), accuracy=9.0),
    "num-examples a list": told(num_examples=[5], accuracy=9.0),
    "num-examples over the limit": told(num_examples=2**31 + 1, accuracy=9.0),
}
FILLED: dict[str, Spoil] = {
    "no accuracy": told(num_examples=5),
    "accuracy NaN": told(num_examples=5, accuracy=float("nan")),
    "accuracy infinite": told(num_examples=5, accuracy=float("inf")),
    "accuracy 1e301": told(num_examples=5, accuracy=1e301),
    "accuracy a list": told(num_examples=5, accuracy=[9.0, 9.0]),
    "accuracy a huge integer": huge,
    "a metric of its own": told(num_examples=5, accuracy=0.5, mine=9.0, **{"": 1.0}),
}


@pytest.mark.parametrize("name", [*USELESS, *FILLED])
@pytest.mark.parametrize("inner", [FedAvg, FedAdam])
def test_one_liar_changes_nothing_and_ends_nothing(name: str, inner: type[FedAvg]) -> None:
    spoil = {**USELESS, **FILLED}[name]
    journal = ListJournal()
    strategy = Reputation(inner(), seed=1, journal=journal)
    result, _ = run(strategy, spoil={2: spoil}, spoils="evaluate")
    for round_ in (1, 2):
        assert dict(result.evaluate_metrics_clientapp[round_]) == {
            "accuracy": pytest.approx(0.5)
        }
    recorded = [(each.round, each.source, list(each.metrics)) for each in journal.evaluations]
    assert recorded == [(k, "clients", ["accuracy"]) for k in (1, 2)]
    assert journal.evaluations[1].metrics["accuracy"] == pytest.approx(0.5)
    assert journal.endings == [("completed", "")]


@pytest.mark.parametrize("name", USELESS)
def test_no_usable_reply_is_no_evaluation(name: str) -> None:
    everybody = dict.fromkeys(range(5), USELESS[name])
    journal = ListJournal()
    strategy = ReputationFedAvg(seed=1, journal=journal)
    result, _ = run(strategy, spoil=everybody, spoils="evaluate", rounds=1)
    assert result.evaluate_metrics_clientapp == {}
    assert journal.evaluations == []
    assert journal.endings == [("completed", "")]


def test_influence_is_capped() -> None:
    """n = 5, 5, 5, 5 and a claim of 2^31: 4 medians at most, then 40 % at most."""
    spoil = {2: told(num_examples=2**31, accuracy=1.0)}
    result, _ = run(
        ReputationFedAvg(seed=1, journal=None), spoil=spoil, spoils="evaluate", rounds=1
    )
    mean = result.evaluate_metrics_clientapp[1]["accuracy"]
    assert mean == pytest.approx(0.6 * 0.5 + 0.4 * 1.0)


def test_clients_without_weight_are_not_asked() -> None:
    strategy = ReputationFedAvg(seed=1, journal=None, carried=state_of(client_1=100.0))
    _, grid = run(strategy, rounds=1)
    assert sorted(grid.asked("evaluate")) == [0, 2, 3, 4]


def test_reply_of_a_node_that_was_not_asked_is_left_out() -> None:
    strategy = ReputationFedAvg(seed=1, journal=None, carried=state_of(client_1=100.0))

    def smuggle(replies: list[Message]) -> list[Message]:
        extra = []
        for reply in replies[:1]:
            if reply.metadata.message_type == "evaluate":
                twin = copy.copy(reply)
                twin.__dict__["_metadata"] = copy.copy(reply.metadata)
                twin.metadata.__dict__["_src_node_id"] = 1001
                twin.content = RecordDict(
                    {"m": MetricRecord({"num-examples": 5, "accuracy": 1.0})}
                )
                extra.append(twin)
        return [*replies, *extra]

    result, _ = run(strategy, rounds=1, order=smuggle)
    assert result.evaluate_metrics_clientapp[1]["accuracy"] == pytest.approx(0.5)


def test_function_of_the_caller_s_that_fails_does_not_end_the_run(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def needs_loss(records: Sequence[RecordDict], key: str) -> MetricRecord:
        values = [float(str(r.metric_records["metrics"]["loss"])) for r in records]
        return MetricRecord({"loss": max(values)})

    inner = FedAvg(evaluate_metrics_aggr_fn=needs_loss)
    result, _ = run(Reputation(inner, seed=1, journal=None), rounds=1)
    assert result.evaluate_metrics_clientapp == {}
    assert any("the inner strategy failed" in text for text in caplog.messages)


def test_server_s_evaluation_is_recorded_with_what_is_finite() -> None:
    journal = ListJournal()

    def evaluate(round_: int, arrays: Any) -> MetricRecord:
        return MetricRecord({"loss": float("nan"), "accuracy": round_ / 10, "per": [1.0, 2.0]})

    run(ReputationFedAvg(seed=1, journal=journal), evaluate_fn=evaluate)
    found = [(e.round, dict(e.metrics)) for e in journal.evaluations if e.source == "server"]
    assert found == [(0, {"accuracy": 0.0}), (1, {"accuracy": 0.1}), (2, {"accuracy": 0.2})]


def test_evaluation_changes_no_reputation() -> None:
    quiet = ReputationFedAvg(seed=1, journal=None)
    run(quiet)
    loud = ReputationFedAvg(seed=1, journal=None)
    run(loud, spoil={0: USELESS["an error"]}, spoils="evaluate")
    assert loud.state == quiet.state
