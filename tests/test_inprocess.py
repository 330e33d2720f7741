"""The in-process grid: the same messages as over a network, nothing shared, nothing leaked."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from flwr.app import (
    Array,
    ArrayRecord,
    Context,
    Message,
    RecordDict,
)
from flwr.app.error import Error
from flwr.clientapp import ClientApp
from flwr.common.constant import ErrorCode
from flwr.serverapp.strategy import FedAvg
from flwr.supercore.task_identity import TaskIdentity

from inprocess_clients import add_partition, app_of, ask, model, partition, weights
from parity_flwr.app.engines.inprocess import InProcessGrid
from parity_flwr.app.engines.task_identity import task_identity
from parity_flwr.errors import ConfigError


def test_fedavg_gives_the_mean_computed_by_hand() -> None:
    with InProcessGrid(app_of(add_partition), 3) as grid:
        strategy = FedAvg(
            fraction_evaluate=0.0, min_train_nodes=3, min_available_nodes=3
        )  # each round adds mean(1, 2, 3) = 2
        result = strategy.start(grid, model().array_records["arrays"], num_rounds=2)
    found = result.arrays["w"].numpy()
    np.testing.assert_allclose(found, [4.0, 4.0, 4.0])  # Flower draws the order at random


def test_nodes_are_the_same_in_every_run() -> None:
    seen: list[dict[str, object]] = []

    def remember(message: Message, context: Context) -> Message:
        seen.append(dict(context.node_config))
        assert context.run_config == {"lr": 0.5}
        return Message(RecordDict(), reply_to=message)

    app = app_of(remember)
    with InProcessGrid(app, 2, run_config={"lr": 0.5}, node_config={"site": "a"}) as grid:
        assert grid.get_node_ids() == [1000, 1001]
        assert [(info.node_id, info.name) for info in grid.get_nodes()] == [
            (1000, "client-0"),
            (1001, "client-1"),
        ]
        replies = grid.send_and_receive(message for message in ask(grid))
    assert [reply.metadata.src_node_id for reply in replies] == [1000, 1001]
    assert seen[1] == {
        "site": "a",
        "partition-id": 1,
        "num-partitions": 2,
        "parity-engine": "inprocess",
    }


def test_needs_a_client() -> None:
    with pytest.raises(ConfigError, match="at least 1 client; got 0"):
        InProcessGrid(ClientApp(), 0)


def identity() -> tuple[object, ...]:
    return TaskIdentity._run_id, TaskIdentity._task_id, TaskIdentity._node_id


def test_the_task_identity_is_put_back() -> None:
    before = identity()
    with task_identity(5):
        with InProcessGrid(ClientApp(), 1, run_id=9):
            assert Message(RecordDict(), 1, "train").metadata.run_id == 9
        assert identity() == (5, 5, 1)
        with pytest.raises(ZeroDivisionError), InProcessGrid(ClientApp(), 1, run_id=9):
            _ = 1 / 0
        assert identity() == (5, 5, 1)
    assert identity() == before


def replace_array(message: Message) -> None:
    message.content.array_records["arrays"]["w"] = Array(np.full(3, 666.0))


def overwrite_bytes(message: Message) -> None:
    message.content.array_records["arrays"]["w"].data = b"garbage"


def remove_array(message: Message) -> None:
    del message.content.array_records["arrays"]["w"]


def remove_records(message: Message) -> None:
    for name in list(message.content):
        del message.content[name]


def extend_config(message: Message) -> None:
    message.content.config_records["config"]["list"].append(3)  # type: ignore[union-attr, arg-type]
    message.content.config_records["config"]["server-round"] = 99


def change_metadata(message: Message) -> None:
    message.metadata.dst_node_id = 1001
    message.metadata.group_id = "other"


@pytest.mark.parametrize(
    "attack",
    [
        replace_array,
        overwrite_bytes,
        remove_array,
        remove_records,
        extend_config,
        change_metadata,
    ],
)
def test_a_client_cannot_change_what_others_have(attack: Callable[[Message], None]) -> None:
    def behave(message: Message, context: Context) -> Message:
        if partition(context) == 0:
            attack(message)
            return Message(RecordDict(), reply_to=message)
        assert message.content.config_records["config"] == {"server-round": 1, "list": [1, 2]}
        return add_partition(message, context)

    content = model()
    with InProcessGrid(app_of(behave), 2) as grid:
        sent = ask(grid, content)
        _, honest = grid.send_and_receive(sent)
    assert weights(honest) == [2.0, 2.0, 2.0]
    assert content == model()
    assert sent[0].metadata.dst_node_id == 1000


def test_a_client_cannot_change_its_reply_afterwards() -> None:
    kept: list[Message] = []

    def behave(message: Message, context: Context) -> Message:
        for reply in kept:
            replace_array(reply)
        kept.append(add_partition(message, context))
        return kept[-1]

    with InProcessGrid(app_of(behave), 2) as grid:
        first, _ = grid.send_and_receive(ask(grid))
    assert weights(first) == [1.0, 1.0, 1.0]


def test_one_content_returned_twice_arrives_as_two() -> None:
    shared = model()
    with InProcessGrid(app_of(lambda m, _: Message(shared, reply_to=m)), 2) as grid:
        first, second = grid.send_and_receive(ask(grid))
    first.content.array_records["arrays"].pop("w")
    assert weights(second) == [0.0, 0.0, 0.0]


def test_a_client_cannot_speak_for_another() -> None:
    def impersonate(message: Message, context: Context) -> Message:
        reply = Message(model(), reply_to=message)
        reply.metadata.__dict__["_src_node_id"] = 1001
        reply.metadata.__dict__["_reply_to_message_id"] = "other"
        return reply

    with InProcessGrid(app_of(impersonate), 2) as grid:
        sent = ask(grid)
        reply = grid.send_and_receive(sent)[0]
    assert reply.metadata.src_node_id == 1000
    assert reply.metadata.reply_to_message_id == sent[0].metadata.message_id != ""


@pytest.mark.parametrize("error", [ValueError("see /home/alice/data.csv"), SystemExit(3)])
def test_an_exception_becomes_an_error_without_its_text(error: BaseException) -> None:
    caught: list[tuple[int, BaseException]] = []

    def behave(message: Message, context: Context) -> Message:
        if partition(context) == 1:
            raise error
        return add_partition(message, context)

    app = app_of(behave)
    hook = lambda number, problem: caught.append((number, problem))  # noqa: E731
    with InProcessGrid(app, 3, on_client_error=hook) as grid:
        replies = grid.send_and_receive(ask(grid))
    assert [reply.has_error() for reply in replies] == [False, True, False]
    assert replies[1].metadata.src_node_id == 1001
    assert replies[1].error.code == ErrorCode.CLIENT_APP_RAISED_EXCEPTION
    assert replies[1].error.reason == f"the ClientApp raised {type(error).__name__}"
    assert caught == [(1, error)]


def test_an_interrupt_is_not_a_client_error() -> None:
    def interrupted(message: Message, context: Context) -> Message:
        raise KeyboardInterrupt

    with InProcessGrid(app_of(interrupted), 1) as grid, pytest.raises(KeyboardInterrupt):
        grid.send_and_receive(ask(grid))


def test_what_is_no_message_is_an_error() -> None:
    with InProcessGrid(app_of(lambda m, c: 5), 1) as grid:  # type: ignore[arg-type, return-value]
        (reply,) = grid.send_and_receive(ask(grid))
    assert reply.error.reason == "the ClientApp raised TypeError"


def test_a_record_that_no_network_could_carry_is_an_error() -> None:
    def behave(message: Message, context: Context) -> Message:
        reply = Message(model(), reply_to=message)
        reply.content.array_records["arrays"]["w"].data = bytearray(8)  # type: ignore[assignment]
        return reply

    with InProcessGrid(app_of(behave), 1) as grid:
        (reply,) = grid.send_and_receive(ask(grid))
    assert reply.has_error()


def test_a_client_may_answer_with_an_error() -> None:
    def refuse(message: Message, context: Context) -> Message:
        return Message(Error(code=6, reason="x" * 9999), reply_to=message)

    with InProcessGrid(app_of(refuse), 1) as grid:
        (reply,) = grid.send_and_receive(ask(grid))
    assert (reply.error.code, len(reply.error.reason or "")) == (6, 500)


def test_no_reply_is_missing() -> None:
    def behave(message: Message, context: Context) -> Message | None:
        return None if partition(context) == 0 else add_partition(message, context)

    with InProcessGrid(app_of(behave), 2) as grid:
        replies = grid.send_and_receive(ask(grid), timeout=60)
    assert [reply.metadata.src_node_id for reply in replies] == [1001]


def test_an_unknown_node_is_an_error() -> None:
    with InProcessGrid(app_of(add_partition), 1) as grid:
        (reply,) = grid.send_and_receive([Message(model(), 7, "train")])
    assert reply.error.code == ErrorCode.NODE_UNAVAILABLE


@pytest.mark.parametrize(("timeout", "nodes"), [(29.9, [1000]), (30.0, [1000, 1001])])
def test_a_late_reply_is_missing(timeout: float, nodes: list[int]) -> None:
    with InProcessGrid(app_of(add_partition), 2, delays={1: 30.0}) as grid:
        assert [grid.response_time(node) for node in grid.get_node_ids()] == [0.0, 30.0]
        replies = grid.send_and_receive(ask(grid), timeout=timeout)
    assert [reply.metadata.src_node_id for reply in replies] == nodes


def test_the_stamps_show_virtual_time() -> None:
    with InProcessGrid(app_of(add_partition), 2, delays={1: 30.0}) as grid:
        sent = ask(grid)
        replies = grid.send_and_receive(sent)
    pairs = zip(sent, replies, strict=True)
    took = [reply.metadata.created_at - message.metadata.created_at for message, reply in pairs]
    assert took == [0.0, 30.0]


def test_real_time_counts_for_each_client_alone() -> None:
    with InProcessGrid(app_of(add_partition), 3) as grid:
        assert grid.send_and_receive(ask(grid), timeout=1e-9) == []
        assert len(grid.send_and_receive(ask(grid), timeout=None)) == 3


def test_push_and_pull_give_each_reply_once() -> None:
    with InProcessGrid(app_of(add_partition), 2) as grid:
        first, second = grid.push_messages(
            grid.create_message(model(), "train", node, "1") for node in grid.get_node_ids()
        )
        assert first != second
        assert [weights(reply) for reply in grid.pull_messages([second])] == [[2.0] * 3]
        assert len(grid.pull_messages([first, second, "unknown"])) == 1
        assert grid.pull_messages([first, second]) == []


def test_a_thousand_clients_work() -> None:
    with InProcessGrid(app_of(add_partition), 1000) as grid:
        content = RecordDict(
            {"arrays": ArrayRecord({"w": Array(np.zeros(10_000, np.float32))})}
        )
        replies = grid.send_and_receive(ask(grid, content))
    assert len(replies) == 1000
    assert weights(replies[999])[0] == 1000.0
