"""What the inner strategy gets: copies whose n_k carries the weight, with uniform metrics."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
from flwr.app import Message, MetricRecord, RecordDict
from flwr.serverapp.strategy.strategy_utils import aggregate_arrayrecords
from hypothesis import given
from hypothesis import strategies as st

from parity_flwr.strategies.forwarding import anchor, forward, forward_metrics, uniform_metrics
from parity_flwr.strategies.gate import Gate, Passed
from trust_runs import numbers, record

pytestmark = pytest.mark.usefixtures("task_identity")


def reply(value: float, *, examples: int = 10, count: int = 1, **metrics: Any) -> Message:
    arrays = {"w": np.full(3, value, np.float32), "steps": np.array([count, -count])}
    told = MetricRecord({"num-examples": examples, **metrics})
    return Message(RecordDict({"mine": record(arrays), "told": told}), 1000, "train")


def passed(messages: list[Message]) -> list[tuple[Message, Passed]]:
    gate = Gate({"w": np.zeros(3, np.float32), "steps": np.array([0, 0])})
    found = [gate.inspect(message) for message in messages]
    return [(m, f) for m, f in zip(messages, found, strict=True) if isinstance(f, Passed)]


def told(message: Message) -> dict[str, Any]:
    return dict(message.content.metric_records["metrics"])


def send(messages: list[Message], weights: list[float]) -> list[Message]:
    return forward(passed(messages), weights, weight_key="num-examples", arrays_key="arrays")


def test_n_k_is_the_weight_times_the_total() -> None:
    copies = send([reply(1.0, examples=10), reply(2.0, examples=30)], [0.25, 0.75])
    assert [told(each)["num-examples"] for each in copies] == [10.0, 30.0]
    mean = aggregate_arrayrecords([each.content for each in copies], "num-examples")
    np.testing.assert_array_equal(numbers(mean)["w"], np.full(3, 1.75, np.float32))


def test_copies_share_the_bytes_but_not_the_containers() -> None:
    messages = [reply(1.0), reply(2.0)]
    before = copy.deepcopy([each.content for each in messages])
    copies = send(messages, [0.5, 0.5])
    sent = messages[0].content.array_records["mine"]["w"]
    assert copies[0].content.array_records["arrays"]["w"].data is sent.data
    for each in copies:
        each.content.array_records["arrays"].clear()  # as FedMedian does
        each.content.metric_records["metrics"].clear()
        each.metadata.message_type = "query"
    assert [each.content for each in messages] == before


def test_counters_become_the_lower_median_of_each_coordinate() -> None:
    copies = send([reply(0.0, count=n) for n in (1, 5, 10**11)], [1 / 3] * 3)
    for each in copies:
        np.testing.assert_array_equal(
            numbers(each.content.array_records["arrays"])["steps"], [5, -5]
        )
    copies = send([reply(0.0, count=n) for n in (1, 2, 3, 10**11)], [0.25] * 4)
    steps = numbers(copies[3].content.array_records["arrays"])["steps"]
    np.testing.assert_array_equal(steps, [2, -3])


def test_metrics_that_one_client_lacks_or_invents_do_not_end_the_round() -> None:
    messages = [
        reply(0.0, loss=1.0, acc=0.5),
        reply(0.0, loss=2.0, acc=0.6),
        reply(0.0, acc=[0.1, 0.2], mine=9.0),
    ]
    copies = [told(each) for each in send(messages, [1 / 3] * 3)]
    assert [each["loss"] for each in copies] == [1.0, 2.0, 1.5]
    assert [each["acc"] for each in copies] == [0.5, 0.6, 0.55]
    assert all(set(each) == {"num-examples", "loss", "acc"} for each in copies)


def test_anchor_takes_the_rest_of_the_weight_for_the_old_model() -> None:
    messages = [reply(4.0, examples=10)]
    base = {"w": np.ones(3, np.float32), "steps": np.array([0, 0])}
    replies = [*passed(messages), anchor(messages[0], record(base), base)]
    copies = forward(replies, [0.25, 0.75], weight_key="num-examples", arrays_key="arrays")
    mean = aggregate_arrayrecords([each.content for each in copies], "num-examples")
    np.testing.assert_array_equal(numbers(mean)["w"], np.full(3, 1 + 0.25 * 3, np.float32))


def test_evaluations_carry_metrics_only() -> None:
    (sent,) = forward_metrics([reply(1.0)], [{"acc": 0.5}], [3.5], weight_key="n")
    assert sent.content.array_records == {}
    assert told(sent) == {"n": 3.5, "acc": 0.5}


def test_keys_of_half_or_fewer_are_dropped() -> None:
    assert uniform_metrics([{"a": 1.0}, {"b": 2.0}], skip="n") == [{}, {}]
    assert uniform_metrics([{"a": 1.0, "n": 3}], skip="n") == [{"a": 1.0}]
    assert uniform_metrics([], skip="n") == []


def test_lists_of_the_usual_length_stay_and_others_become_the_median() -> None:
    records: list[dict[str, Any]] = [
        {"a": [1.0, 2.0]},
        {"a": [3.0, 4.0]},
        {"a": [9.0]},
        {"a": 7},
    ]
    three = uniform_metrics(records[:3], skip="n")
    assert three == [{"a": [1.0, 2.0]}, {"a": [3.0, 4.0]}, {"a": [2.0, 3.0]}]
    assert uniform_metrics(records, skip="n") == [{}, {}, {}, {}]  # 2 of 4 are no majority


VALUES = st.one_of(
    st.integers(-(10**6), 10**6),
    st.floats(-1e6, 1e6),
    st.lists(st.floats(-1e6, 1e6), max_size=3),
)


@given(
    st.lists(st.dictionaries(st.sampled_from("abcn"), VALUES, max_size=4), max_size=6),
    st.randoms(use_true_random=False),
)
def test_any_metrics_become_uniform_whatever_their_order(
    records: list[dict[str, Any]], random: Any
) -> None:
    uniform = uniform_metrics(records, skip="n")
    assert len(uniform) == len(records)
    keys = {frozenset(each) for each in uniform}
    assert len(keys) <= 1
    for name in next(iter(keys), ()):
        shapes = {len(v) if isinstance(v := each[name], list) else -1 for each in uniform}
        assert len(shapes) == 1
    order = list(range(len(records)))
    random.shuffle(order)
    shuffled = uniform_metrics([records[k] for k in order], skip="n")
    assert shuffled == [uniform[k] for k in order]


def test_a_flood_of_names_costs_no_more_than_reading_it() -> None:
    flood = {f"x{k}": 1.0 for k in range(200_000)}
    honest = [{"loss": 1.0} for _ in range(200)]
    assert uniform_metrics([*honest, flood], skip="n")[-1] == {"loss": 1.0}
