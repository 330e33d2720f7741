"""NumPyClients behind the Message API: names, metrics, types, and what failures reveal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from flwr.app import ArrayRecord, ConfigRecord, Context, Message, RecordDict
from flwr.client import NumPyClient
from flwr.clientapp import ClientApp

from flower_messages import Recorder, decoded, instruction, metrics_of, model, node, wire
from parity_flwr.clients import guard_mod, numpy_client_mod

pytestmark = pytest.mark.usefixtures("task_identity")


def app_of(make: Callable[[Context], NumPyClient]) -> ClientApp:
    return ClientApp(lambda context: make(context).to_client(), mods=[numpy_client_mod])


def test_train_keeps_names_dtypes_and_metrics() -> None:
    sent = {**model(), "steps": np.array(3, dtype=np.int64)}
    reply = app_of(lambda _: Recorder([]))(instruction(sent), node())
    returned = decoded(reply)
    assert list(returned) == ["weight", "bias", "steps"]
    for name, array in sent.items():
        np.testing.assert_array_equal(returned[name], array + 1)
        assert returned[name].dtype == array.dtype
        described = reply.content.array_records["arrays"][name]
        assert (described.dtype, described.shape) == (str(array.dtype), array.shape)
    assert metrics_of(reply) == {"num-examples": 7, "train-loss": 0.5, "steps": 3}
    assert dict(reply.content.config_records["info"]) == {"note": "warm", "done": True}


def test_evaluate_returns_one_metric_record() -> None:
    reply = app_of(lambda _: Recorder([]))(instruction(model(), kind="evaluate"), node())
    assert metrics_of(reply) == {"num-examples": 4, "loss": 0.25, "accuracy": 0.75}
    assert not reply.content.array_records


def test_config_arrives_with_its_types_and_the_round() -> None:
    config: dict[str, Any] = {"lr": 0.1, "epochs": 2, "flag": True, "name": "a", "key": b"\0"}
    seen: list[dict[str, Any]] = []
    app_of(lambda _: Recorder(seen))(instruction(model(), config), node())
    assert seen == [{"server-round": 1, **config}]
    assert [type(seen[0][key]) for key in config] == [type(value) for value in config.values()]


@pytest.mark.parametrize("kind", ["train.slow", "evaluate.slow"])
def test_subtypes_are_translated_and_kept(kind: str) -> None:
    message = instruction(model(), kind=kind)
    reply = app_of(lambda _: Recorder([]))(message, node())
    assert metrics_of(reply)["num-examples"] in (4, 7)
    assert reply.metadata.message_type == message.metadata.message_type == kind
    assert reply.metadata.dst_node_id == message.metadata.src_node_id


@pytest.mark.parametrize("count", [0, 1, 3])
def test_another_number_of_arrays_is_named_by_position(count: int) -> None:
    outputs = [np.full(2, index, dtype=np.float32) for index in range(count)]
    reply = app_of(lambda _: Recorder([], outputs))(instruction(model()), node())
    returned = decoded(reply)
    assert list(returned) == [str(index) for index in range(count)]
    assert [float(array[0]) for array in returned.values()] == list(range(count))


def test_the_message_is_not_changed() -> None:
    message = instruction(model())
    content, before = message.content, wire(message.content)
    app_of(lambda _: Recorder([]))(message, node())
    assert message.content is content
    assert wire(content) == before


def test_the_reply_goes_under_the_record_name_that_came() -> None:
    content = RecordDict(
        {"weights": ArrayRecord([np.zeros(2)]), "conf": ConfigRecord({"a": 1})}
    )
    seen: list[dict[str, Any]] = []
    reply = app_of(lambda _: Recorder(seen))(Message(content, 1000, "train"), node())
    assert list(reply.content.array_records) == ["weights"]
    assert seen == [{"a": 1}]


class Leaky(NumPyClient):
    def fit(self, parameters: Any, config: Any) -> Any:
        raise FileNotFoundError("/home/alice/patients.csv")


class Empty(NumPyClient):
    pass


@pytest.mark.parametrize(
    ("client", "kind", "reason"),
    [
        (Leaky, "train", "FileNotFoundError"),
        (Empty, "train", "NotImplementedError"),
        (Empty, "evaluate", "NotImplementedError"),
        (Empty, "query.anything", "ValueError"),
    ],
)
def test_the_server_learns_only_the_class_of_an_exception(
    client: type[NumPyClient], kind: str, reason: str
) -> None:
    reply = app_of(lambda _: client())(instruction(model(), kind=kind), node())
    assert (reply.error.code, reply.error.reason) == (2, reason)


@pytest.mark.parametrize("extra", [{}, {"second": ArrayRecord([np.zeros(1)])}])
def test_a_message_needs_exactly_one_model(extra: dict[str, ArrayRecord]) -> None:
    message = instruction(model())
    if extra:
        message.content = RecordDict({**dict(message.content.items()), **extra})
    else:
        message.content = RecordDict({"config": ConfigRecord({})})
    reply = app_of(lambda _: Recorder([]))(message, node())
    assert reply.error.reason == "ConfigError"


@pytest.mark.parametrize(
    "outputs", [[np.array([object()])], [[1.0, 2.0]], "text"], ids=["object", "list", "str"]
)
def test_what_is_not_arrays_becomes_an_error_reply(outputs: Any) -> None:
    reply = app_of(lambda _: Recorder([], outputs))(instruction(model()), node())
    assert reply.has_error() or all(a.dtype != object for a in decoded(reply).values())


def test_a_list_in_the_config_is_refused_not_dropped() -> None:
    reply = app_of(lambda _: Recorder([]))(instruction(model(), {"sizes": [1, 2]}), node())
    assert reply.error.reason == "TypeError"


def test_the_guard_covers_function_apps_and_other_mods() -> None:
    def broken(message: Message, context: Context, call_next: Any) -> Message:
        raise PermissionError("/etc/secret")

    app = ClientApp(mods=[guard_mod, broken])

    @app.train()
    def train(message: Message, context: Context) -> Message:
        return Message(message.content, reply_to=message)

    assert app(instruction(model()), node()).error.reason == "PermissionError"


def test_the_guard_lets_an_interrupt_through() -> None:
    def interrupted(message: Message, context: Context) -> Message:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        guard_mod(instruction(model()), node(), interrupted)
