"""Clients and messages for the tests of the in-process grid."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
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

from parity_flwr.app.engines.inprocess import InProcessGrid

Behaviour = Callable[[Message, Context], Message | None]


def app_of(behaviour: Behaviour) -> ClientApp:
    """Return an app whose clients all do that when they are asked to train."""
    app = ClientApp()
    app.train()(behaviour)  # type: ignore[arg-type]  # None is a fault under test
    return app


def partition(context: Context) -> int:
    return int(context.node_config["partition-id"])


def add_partition(message: Message, context: Context) -> Message:
    """Return the model plus partition + 1, and count the calls in the client's state."""
    calls = context.state.setdefault("calls", MetricRecord({"count": 0}))
    assert isinstance(calls, MetricRecord)
    calls["count"] = int(calls["count"]) + 1  # type: ignore[arg-type]
    arrays = {
        name: Array(array.numpy() + partition(context) + 1)
        for name, array in message.content.array_records["arrays"].items()
    }
    metrics = MetricRecord({"num-examples": 1})
    return Message(
        RecordDict({"arrays": ArrayRecord(arrays), "metrics": metrics}), reply_to=message
    )


def model(value: float = 0.0) -> RecordDict:
    """Return a message's content: three weights and a config with a list."""
    return RecordDict(
        {
            "arrays": ArrayRecord({"w": Array(np.full(3, value))}),
            "config": ConfigRecord({"server-round": 1, "list": [1, 2]}),
        }
    )


def ask(grid: InProcessGrid, content: RecordDict | None = None) -> list[Message]:
    """Return one message to every client, all with the same content object."""
    shared = content if content is not None else model()
    return [Message(shared, node, "train") for node in grid.get_node_ids()]


def weights(message: Message) -> list[float]:
    return [float(w) for w in message.content.array_records["arrays"]["w"].numpy()]
