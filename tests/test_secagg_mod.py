"""A lying server against real ClientApps: what the mod refuses and forgets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, ConfigRecord, Message, RecordDict

from parity_flwr.clients import SecAggMod
from parity_flwr.clients.peers import keys_from_file
from parity_flwr.core.secagg.messages import unpack_ids
from parity_flwr.core.secagg.trust import GivenKeys
from parity_flwr.core.wire import SECAGG_RECORD
from parity_flwr.errors import ConfigError
from parity_flwr.strategies import SecureAggregation
from secagg_runs import SIGNERS, run, secagg_app
from trust_runs import MODEL, ListJournal, numbers


def test_plain_train_message_is_refused() -> None:
    def ask_plainly(stage: str, partition: int, message: Message) -> Message:
        if stage != "mask":
            return message
        records = {n: each for n, each in message.content.items() if n != SECAGG_RECORD}
        return Message(RecordDict(records), message.metadata.dst_node_id, "train")

    journal = ListJournal()
    result, grid = run(SecureAggregation(journal=journal, seed=1), clients=4, twist=ask_plainly)
    assert grid.refusals() == [("mask", k) for k in range(4)]
    assert all(np.array_equal(numbers(result.arrays)[name], MODEL[name]) for name in MODEL)


@pytest.mark.parametrize("what", ["model", "configuration"])
def test_another_model_or_configuration_for_one_client_is_refused(what: str) -> None:
    """The others' updates would be known, or nothing, and the sum would be the victim's."""

    def single_out(stage: str, partition: int, message: Message) -> Message:
        if stage != "mask" or partition != 2:
            return message
        records = dict(message.content.items())
        if what == "model":
            sent = message.content.array_records["arrays"]
            arrays = {n: Array(a.numpy() + 1) for n, a in sent.items()}
            records["arrays"] = ArrayRecord(arrays)
        else:
            config = message.content.config_records["config"]
            records["config"] = ConfigRecord({**config, "lr": 0.0})
        return Message(RecordDict(records), message.metadata.dst_node_id, "train")

    journal = ListJournal()
    _, grid = run(SecureAggregation(journal=journal, seed=1), clients=4, twist=single_out)
    assert grid.refusals() == [("mask", 2)]
    verdicts = [fact.verdict.value for fact in journal.rounds[0].facts.replies]
    assert verdicts.count("accepted") == 3


def test_round_that_was_unmasked_is_not_unmasked_again() -> None:
    """Two sums of one round that differ in one client would show that client's update."""
    app = secagg_app()
    journal = ListJournal()
    strategy = SecureAggregation(journal=journal, seed=1)
    with_grid: list[Message] = []

    def record_announcement(stage: str, partition: int, message: Message) -> Message:
        if stage == "advertise":
            with_grid.append(message)
        return message

    _, grid = run(strategy, app=app, clients=4, twist=record_announcement)
    assert grid.refusals() == []
    with grid:
        again = grid.send_and_receive([with_grid[0]])
    assert again[0].has_error()


def test_secrets_last_as_long_as_the_round() -> None:
    _, grid = run(SecureAggregation(journal=None, seed=1), clients=4)
    for context in grid._contexts.values():
        assert SECAGG_RECORD not in context.state
        kept = context.state.config_records["parity-secagg-past"]
        assert set(kept) == {"run", "round", "ids", "keys"}
        assert len(unpack_ids(kept["ids"])) == 4


def test_stage_out_of_order_ends_the_session() -> None:
    def skip(stage: str, partition: int, message: Message) -> Message | None:
        return None if stage == "share" and partition == 0 else message

    def misname(stage: str, partition: int, message: Message) -> Message:
        if stage != "advertise":
            return message
        record = ConfigRecord({**message.content.config_records[SECAGG_RECORD], "ask": "?"})
        content = RecordDict({**dict(message.content.items()), SECAGG_RECORD: record})
        return Message(content, message.metadata.dst_node_id, "train")

    journal = ListJournal()
    _, grid = run(SecureAggregation(journal=journal, seed=1), clients=4, twist=skip)
    assert journal.rounds[0].note == ""
    assert grid.refusals() == []
    _, grid = run(SecureAggregation(journal=ListJournal(), seed=1), clients=4, twist=misname)
    assert {stage for stage, _ in grid.refusals()} == {"advertise"}


def test_peers_can_be_given_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "peers"
    path.write_text("# the hospitals\n" + "ab" * 32 + "\n\n" + "cd" * 32 + "\n")
    assert keys_from_file(path) == GivenKeys(frozenset({b"\xab" * 32, b"\xcd" * 32}))
    for text in ("", "ab\n", "not hex\n", "é\n"):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(ConfigError, match="64 hex digits"):
            keys_from_file(path)


def test_client_with_a_list_leaves_a_round_with_a_stranger() -> None:
    mod = SecAggMod(SIGNERS, peers=GivenKeys(frozenset({b"k" * 32})))
    journal = ListJournal()
    _, grid = run(
        SecureAggregation(journal=journal, seed=1), app=secagg_app(mod=mod), clients=4
    )
    assert {stage for stage, _ in grid.refusals()} == {"share"}
    assert journal.rounds[0].decision.status.value == "rejected"
