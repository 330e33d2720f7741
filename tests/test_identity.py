"""Reputation belongs to an identity: who may speak for it, and with which key."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from flwr.app import ConfigRecord, Message, RecordDict
from flwr.proto.node_pb2 import NodeInfo
from flwr.serverapp import Grid

from parity_flwr.app.engines.inprocess import InProcessGrid
from parity_flwr.core.records import Verdict
from parity_flwr.strategies import NodeKeyIdentity, PartitionIdentity, ReputationFedAvg
from parity_flwr.strategies.identity import Roster, default_identity_source, reported_partition
from trust_runs import ListJournal, Watched, client_app, facts_of, is_node, record, run

PEM = b"-----BEGIN PUBLIC KEY-----\nMHYwEAYHKoZIzj0CAQYF%d\n-----END PUBLIC KEY-----\n"


class Federation(InProcessGrid):
    """A grid whose nodes are described as a deployment describes them."""

    def __init__(self, nodes: Sequence[NodeInfo], clients: int = 4) -> None:
        super().__init__(client_app(), clients)
        self.described = list(nodes)

    def get_nodes(self) -> list[NodeInfo]:
        return self.described


def named(claims: Mapping[int, str]) -> Any:
    class Fixed:
        def identify(self, grid: Grid, node_ids: Sequence[int]) -> Mapping[int, str]:
            return {node: claims[node] for node in node_ids if node in claims}

    return Fixed()


def test_registered_key_is_the_identity_and_an_ephemeral_one_is_not(
    caplog: pytest.LogCaptureFixture,
) -> None:
    nodes = [
        NodeInfo(node_id=1000, name="hospital-a", public_key=PEM % 1),
        NodeInfo(node_id=1001, name="", public_key=PEM % 2),  # --insecure: a key of the day
        NodeInfo(node_id=1002, name="", public_key=bytes(range(32))),
    ]
    with Federation(nodes) as grid, caplog.at_level(logging.WARNING, "flwr"):
        claimed = NodeKeyIdentity().identify(grid, [1000, 1001, 1002, 1003])
    first, second = (hashlib.sha256((PEM % k).strip()).hexdigest()[:16] for k in (1, 2))
    assert claimed == {
        1000: f"key:{first}",
        1001: f"key:{second}",
        1002: "node:1002",
        1003: "node:1003",
    }
    warned = [text for text in caplog.messages if "no registered key" in text]
    assert [text.split()[1] for text in warned] == ["1001", "1002", "1003"]


def test_same_key_under_another_node_id_is_the_same_identity() -> None:
    with Federation([NodeInfo(node_id=5, name="a", public_key=PEM % 1)]) as grid:
        (before,) = NodeKeyIdentity().identify(grid, [5]).values()
    moved = NodeInfo(node_id=9, name="a", public_key=b"\n" + PEM % 1)
    with Federation([moved]) as grid:
        (after,) = NodeKeyIdentity().identify(grid, [9]).values()
    assert before == after.replace("node:9", before)


def test_run_by_registered_keys() -> None:
    nodes = [NodeInfo(node_id=1000 + k, name=f"h{k}", public_key=PEM % k) for k in range(4)]
    strategy = ReputationFedAvg(seed=1, journal=None, identity=NodeKeyIdentity())
    with Federation(nodes) as grid:
        strategy.start(grid, record({"w": np.zeros(3)}), num_rounds=1)
    names = set(strategy.state.standings)
    assert len(names) == 4
    assert all(name.startswith("key:") for name in names)


def test_partitions_are_asked_for_where_all_nodes_are_ours_only() -> None:
    class Remote(Grid):
        def _no(self, *args: Any, **options: Any) -> Any:
            raise AssertionError

        @property
        def run(self) -> Any:
            raise AssertionError

        set_run = create_message = push_messages = pull_messages = _no
        send_and_receive = get_node_ids = _no

    with InProcessGrid(client_app(), 2) as grid:
        assert isinstance(default_identity_source(grid), PartitionIdentity)
        found = PartitionIdentity().identify(grid, [1000, 1001])
    assert found == {1000: "client-0", 1001: "client-1"}
    assert isinstance(default_identity_source(Remote()), NodeKeyIdentity)


@pytest.mark.parametrize("value", [-1, 2**31, 1.0, "3", True, [1], b"1"])
def test_implausible_partition_is_no_identity(value: Any) -> None:
    content = RecordDict({"parity": ConfigRecord({"partition-id": value})})
    assert reported_partition(content) is None


def test_client_that_does_not_answer_goes_by_its_node_id_and_is_heard() -> None:
    def mute(reply: Message) -> list[Message]:
        return [] if not reply.content.metric_records else [claiming(reply, 3)]

    class Deaf(Watched):
        def send_and_receive(self, messages: Iterable[Message], **options: Any) -> Any:
            replies = super().send_and_receive(messages, **options)
            return [m for r in replies for m in (mute(r) if is_node(r, 1003) else [r])]

    journal = ListJournal()
    with Deaf(client_app(), 5) as grid:
        strategy = ReputationFedAvg(seed=1, journal=journal)
        strategy.start(grid, record({"w": np.zeros(3)}), num_rounds=1)
    facts = facts_of(journal)
    assert facts["node:1003"].verdict is Verdict.ACCEPTED


def claiming(reply: Message, partition: int) -> Message:
    reply.content["parity"] = ConfigRecord({"partition-id": partition})
    return reply


def test_reply_that_claims_another_partition_is_quarantined() -> None:
    journal = ListJournal()
    strategy = ReputationFedAvg(seed=1, journal=journal)
    run(strategy, spoil={1: lambda r: [claiming(r, 2)], 3: lambda r: [claiming(r, 3)]})
    facts = facts_of(journal)
    assert facts["client-1"].reason == "now claims client-2"
    assert facts["client-1"].verdict is Verdict.QUARANTINED
    assert {facts[f"client-{k}"].verdict for k in (0, 2, 3, 4)} == {Verdict.ACCEPTED}


def test_second_node_that_claims_an_identity_is_quarantined_and_the_first_keeps_it() -> None:
    claims = {1000: "a", 1001: "b", 1002: "b", 1003: "c", 1004: "d"}
    journal = ListJournal()
    strategy = ReputationFedAvg(seed=1, journal=journal, identity=named(claims))
    run(strategy)
    facts = facts_of(journal)
    assert facts["b"].node_id == 1001
    assert facts["b"].verdict is Verdict.ACCEPTED
    assert facts["node:1002"].reason == "claims b, which another node holds"
    assert strategy.state.standings["b"].composite > 500
    assert strategy.state.standings["node:1002"].composite < 500
    assert strategy.state.standings["b"].quarantines == 0


def test_identity_passes_on_only_when_its_node_is_gone() -> None:
    roster = Roster(named({1: "a", 2: "a", 3: ""}))
    with InProcessGrid(client_app(), 1) as grid:
        roster.update(grid, [1, 3])
        assert roster.connected([1, 3]) == {"a": 1, "node:3": 3}
        roster.update(grid, [2, 3])  # 1 restarted under another node id
        assert roster.connected([2, 3]) == {"a": 2, "node:3": 3}
        roster.update(grid, [1, 2, 3])  # the old node comes back: the identity has moved
        assert roster.connected([1, 2, 3]) == {"a": 2, "node:3": 3}
    assert roster.conflicts == {}


def test_source_is_asked_about_each_node_once() -> None:
    asked: list[list[int]] = []

    class Counting:
        def identify(self, grid: Grid, node_ids: Sequence[int]) -> Mapping[int, str]:
            asked.append(list(node_ids))
            return {}

    roster = Roster(Counting())
    with InProcessGrid(client_app(), 1) as grid:
        roster.update(grid, [2, 1])
        roster.update(grid, [1, 2])
        roster.update(grid, [3, 1])
    assert asked == [[1, 2], [3]]
