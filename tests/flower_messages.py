"""Real Flower messages and contexts for tests of clients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from flwr.app import (
    Array,
    ArrayRecord,
    ConfigRecord,
    ConfigRecordValues,
    Context,
    Message,
    MetricRecord,
    RecordDict,
    UserConfigValue,
)
from flwr.client import NumPyClient
from numpy.typing import NDArray

Arrays = Mapping[str, NDArray[Any]]


def instruction(
    arrays: Arrays,
    config: Mapping[str, ConfigRecordValues] | None = None,
    *,
    kind: str = "train",
) -> Message:
    content = RecordDict(
        {
            "arrays": ArrayRecord({name: Array(array) for name, array in arrays.items()}),
            "config": ConfigRecord({"server-round": 1, **(config or {})}),
        }
    )
    return Message(content, 1000, kind)


def node(
    partition: UserConfigValue | None = 0,
    config: Mapping[str, UserConfigValue] | None = None,
    *,
    run_config: Mapping[str, UserConfigValue] | None = None,
) -> Context:
    named = {} if partition is None else {"partition-id": partition}
    return Context(1, 1000, {**named, **(config or {})}, RecordDict(), {**(run_config or {})})


def model() -> dict[str, NDArray[Any]]:
    return {
        "weight": np.arange(6, dtype=np.float32).reshape(2, 3),
        "bias": np.array([1.0, -1.0], dtype=np.float32),
    }


def decoded(message: Message) -> dict[str, NDArray[Any]]:
    assert not message.has_error(), message.error
    (record,) = message.content.array_records.values()
    return {name: array.numpy() for name, array in record.items()}


def metrics_of(message: Message) -> dict[str, Any]:
    assert not message.has_error(), message.error
    (record,) = message.content.metric_records.values()
    return dict(record)


def wire(content: RecordDict) -> bytes:
    """Return all bytes of the records, to see whether any of them changed."""
    parts = []
    for name, record in content.items():
        for key, value in record.items():
            shown = value.data if isinstance(value, Array) else repr(value).encode()
            parts.append(f"{name}/{key}=".encode() + shown)
    return b"\n".join(parts)


def train_reply(message: Message, arrays: Arrays, *, examples: int = 10) -> Message:
    content = RecordDict(
        {
            "arrays": ArrayRecord({name: Array(array) for name, array in arrays.items()}),
            "metrics": MetricRecord({"num-examples": examples}),
        }
    )
    return Message(content, reply_to=message)


class Recorder(NumPyClient):
    """Adds one to every array and remembers what it was asked."""

    def __init__(
        self, seen: list[dict[str, Any]], outputs: Sequence[Any] | None = None
    ) -> None:
        self.seen = seen
        self.outputs = outputs

    def fit(self, parameters: Any, config: Any) -> Any:
        self.seen.append(dict(config))
        outputs = [p + 1 for p in parameters] if self.outputs is None else list(self.outputs)
        return outputs, 7, {"train-loss": 0.5, "steps": 3, "note": "warm", "done": True}

    def evaluate(self, parameters: Any, config: Any) -> Any:
        self.seen.append(dict(config))
        return 0.25, 4, {"accuracy": 0.75, "loss": 99.0}
