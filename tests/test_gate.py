"""The gate and the array reader: hostile bytes in, a reason or checked views out."""

from __future__ import annotations

import copy
import io
from typing import Any

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, Message, MetricRecord, RecordDict
from flwr.app.error import Error
from numpy.typing import NDArray

from parity_flwr.core.config import GateConfig
from parity_flwr.strategies.gate import Gate, Passed, Refused, finite_metrics
from trust_runs import record

BASE: dict[str, NDArray[Any]] = {
    "w": np.arange(6, dtype=np.float32).reshape(2, 3),
    "steps": np.array(3, np.int64),
    "mask": np.array([True, False]),
}


def image(array: NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def as_array(data: bytes, like: NDArray[Any] = BASE["w"]) -> Array:
    return Array(str(like.dtype), like.shape, "numpy.ndarray", data)


def reply(
    arrays: dict[str, NDArray[Any]] | None = None, metrics: dict[str, Any] | None = None
) -> Message:
    told: dict[str, Any] = {"num-examples": 10} if metrics is None else metrics
    content = RecordDict(
        {"arrays": record(BASE if arrays is None else arrays), "metrics": MetricRecord(told)}
    )
    return Message(content, 1000, "train")


def reason(message: Message, config: GateConfig | None = None) -> str:
    found = Gate(BASE, config=config or GateConfig()).inspect(message)
    assert isinstance(found, Refused)
    return found.reason


pytestmark = pytest.mark.usefixtures("task_identity")


def test_honest_reply_passes_with_views_of_the_message_s_own_bytes() -> None:
    message = reply(metrics={"num-examples": 10, "loss": 0.5})
    found = Gate(BASE).inspect(message)
    assert isinstance(found, Passed)
    assert found.num_examples == 10
    assert found.metrics == {"num-examples": 10, "loss": 0.5}
    assert list(found.arrays) == list(BASE)
    for name, array in message.content.array_records["arrays"].items():
        assert np.shares_memory(found.arrays[name], np.frombuffer(array.data, np.uint8))
        assert not found.arrays[name].flags.writeable
        np.testing.assert_array_equal(found.arrays[name], BASE[name])


def test_arrays_come_in_the_model_s_order_whatever_the_reply_s() -> None:
    found = Gate(BASE).inspect(reply(dict(reversed(BASE.items()))))
    assert isinstance(found, Passed)
    assert list(found.arrays) == list(BASE)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"w": np.full((2, 3), np.nan, np.float32)}, "NaN or infinite values"),
        ({"w": np.full((2, 3), -np.inf, np.float32)}, "NaN or infinite values"),
        ({"w": np.full((2, 3), 2e12, np.float32)}, "magnitude 2e+12 over 1e+12"),
        ({"w": np.zeros((3, 2), np.float32)}, "shape (3, 2) instead of (2, 3)"),
        ({"w": np.zeros(1, np.float32)}, "shape (1,) instead of (2, 3)"),
        ({"w": np.zeros((2, 3))}, "dtype float64 instead of float32"),
        ({"w": np.zeros((2, 3), ">f4")}, "dtype >f4 instead of float32"),
        ({"steps": np.array(2**60)}, "magnitude 1.15e+18 over 1e+12"),
        ({"steps": np.array([3])}, "shape (1,) instead of ()"),
        ({"extra": np.zeros(1)}, "0 arrays missing, 1 unknown"),
    ],
)
def test_wrong_arrays_are_refused(change: dict[str, NDArray[Any]], expected: str) -> None:
    assert reason(reply({**BASE, **change})).endswith(expected)


def test_missing_array_is_refused() -> None:
    assert reason(reply({"w": BASE["w"]})) == "2 arrays missing, 0 unknown"


@pytest.mark.parametrize(
    ("metrics", "expected"),
    [
        ({}, "no 'num-examples' in the metrics"),
        ({"num-examples": 1.0}, "'num-examples' is not an integer"),
        ({"num-examples": float("nan")}, "'num-examples' is not an integer"),
        ({"num-examples": [1]}, "'num-examples' is not an integer"),
        ({"num-examples": -1}, "'num-examples' out of range: -1"),
        ({"num-examples": 2**31 + 1}, "'num-examples' out of range: 2147483649"),
        ({"num-examples": 10**400}, f"'num-examples' out of range: 1{'0' * 29}"),
    ],
)
def test_wrong_example_counts_are_refused(metrics: dict[str, Any], expected: str) -> None:
    assert reason(reply(metrics=metrics)) == expected


def test_zero_examples_are_an_abstention_not_a_fault() -> None:
    found = Gate(BASE).inspect(reply(metrics={"num-examples": 0}))
    assert isinstance(found, Passed)
    assert found.num_examples == 0


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ({"metrics": MetricRecord({"num-examples": 1})}, "exactly one ArrayRecord, 0 came"),
        ({"arrays": record(BASE)}, "exactly one MetricRecord, 0 came"),
        ({"a": record(BASE), "b": record(BASE)}, "exactly one ArrayRecord, 2 came"),
    ],
)
def test_wrong_records_are_refused(
    records: dict[str, ArrayRecord | MetricRecord], expected: str
) -> None:
    assert reason(Message(RecordDict(dict(records)), 1000, "train")).endswith(expected)


def test_error_is_a_fault_with_its_reason_on_one_printable_line() -> None:
    message = Message(Error(2, "boom\n\x1b[31m" + "x" * 10_000), reply_to=reply())
    found = Gate(BASE).inspect(message)
    assert found == Refused("error: boom ?[31m" + "x" * 150, fault=True)


def test_hostile_array_name_is_shown_on_one_short_line() -> None:
    name = "a\n\x00" + "b" * 1000
    gate = Gate({name: np.zeros(1, np.float32)})
    found = gate.inspect(reply({name: np.full(1, np.nan, np.float32)}))
    assert isinstance(found, Refused)
    assert found.reason.isprintable()
    assert len(found.reason) < 220


def test_oversized_reply_is_refused_before_it_is_read() -> None:
    size = sum(len(image(array)) for array in BASE.values())
    assert isinstance(Gate(BASE, config=GateConfig(max_bytes=size)).inspect(reply()), Passed)
    refused = reason(reply(), GateConfig(max_bytes=size - 1))
    assert refused == f"{size} bytes of arrays, {size - 1} allowed"


def test_booleans_that_are_neither_0_nor_1_are_refused() -> None:
    message = reply()
    honest = message.content.array_records["arrays"]["mask"]
    data = honest.data[:-1] + b"\x02"
    message.content.array_records["arrays"]["mask"] = as_array(data, BASE["mask"])
    assert reason(message) == "array 'mask': booleans that are neither 0 nor 1"


def test_metrics_without_what_spoils_an_average() -> None:
    told = MetricRecord(
        {"a": 1.0, "b": float("nan"), "c": [1.0, float("inf")], "d": [1, 2], "e": 1e301}
    )
    told["f"] = 10**400
    assert finite_metrics(told) == {"a": 1.0, "d": [1, 2]}


def test_inspection_changes_nothing() -> None:
    message = reply()
    before = copy.deepcopy(message.content)
    Gate(BASE).inspect(message)
    assert message.content == before
