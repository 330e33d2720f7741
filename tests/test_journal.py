"""The journal: one chain, one transaction a round, and what the tables repeat of it."""

from __future__ import annotations

import logging
import sqlite3
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from journal_records import (
    CLIENTS,
    SECRET,
    checkpoint,
    finished,
    header,
    journal_in,
    model_of,
    play,
    record,
)
from parity_flwr.app.journal import open_journal
from parity_flwr.app.runs.checkpoint import read_model
from parity_flwr.app.verification.verify import verify
from parity_flwr.core.encoding import model_hash
from parity_flwr.core.records import Action, EvaluationRecord, ReputationState
from parity_flwr.errors import ConfigError, JournalError, RunError


def rows(path: Path, query: str) -> list[tuple[object, ...]]:
    """Return what a query gives on the run's SQLite file."""
    connection = sqlite3.connect(path / "journal.sqlite")
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def test_a_fresh_run_begins_with_nothing(tmp_path: Path) -> None:
    journal = journal_in(tmp_path / "run")
    assert journal.begin(header()) is None
    assert journal.header() == header()
    assert journal.rounds() == []
    assert journal.actions() == ()
    assert (journal.status().status, journal.status().round) == ("running", 0)


def test_everything_comes_back_as_it_was_written(tmp_path: Path) -> None:
    journal = journal_in(tmp_path / "run")
    journal.begin(header())
    written = record(1, ReputationState())
    journal.commit(written, checkpoint(1))
    evaluation = EvaluationRecord(round=1, source="clients", metrics={"accuracy": 0.1})
    journal.evaluate(evaluation)
    again = journal_in(tmp_path / "run")
    assert again.rounds() == [written]
    assert again.rounds(after=1) == []
    assert again.last_round() == written
    assert again.evaluations() == [evaluation]


def test_a_resumed_run_gets_all_it_needs(tmp_path: Path) -> None:
    state = play(journal_in(tmp_path / "run"), 4)
    resumption = journal_in(tmp_path / "run").begin(header(6))
    assert resumption is not None
    assert resumption.state == state
    assert resumption.header == header(6)
    assert resumption.evaluated == {(number, "server") for number in range(1, 5)}
    restored, written = resumption.checkpoint, checkpoint(4)
    assert model_hash(restored.model) == model_hash(written.model)
    assert list(restored.model) == list(written.model)
    np.testing.assert_array_equal(restored.inner["momentum"], written.inner["momentum"])
    np.testing.assert_array_equal(restored.memory["../alice"], written.memory["../alice"])
    assert restored.sketch_seed == SECRET
    assert restored.client_state == written.client_state


def test_a_resumed_run_ends_in_the_state_of_an_uninterrupted_one(tmp_path: Path) -> None:
    expected = play(journal_in(tmp_path / "whole"), 5)
    play(journal_in(tmp_path / "halves"), 2)
    assert play(journal_in(tmp_path / "halves"), 5) == expected
    assert verify(journal_in(tmp_path / "halves").folder).ok


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed": 8}, "seed 7; got 8"),
        ({"seed": None}, "seed 7; got null"),
        ({"strategy": "Other"}, 'strategy "ReputationFedAvg"; got "Other"'),
        ({"inner": "FedAdam"}, "inner"),
        ({"model_hash": "0" * 64}, "model_hash"),
        ({"num_rounds": 4}, "num_rounds 5; got 4"),
        ({"config": {**header().config, "quorum": 0.9}}, "config.quorum 0.5; got 0.9"),
        ({"config": {}}, "config."),
    ],
)
def test_another_run_cannot_continue_this_one(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    play(journal_in(tmp_path / "run"), 5)
    with pytest.raises(JournalError, match="continuing this run needs") as caught:
        journal_in(tmp_path / "run").begin(header(**{"num_rounds": 5, **changes}))
    assert message in str(caught.value)
    assert verify(journal_in(tmp_path / "run").folder).ok


def test_a_start_that_committed_nothing_leaves_its_secrets_behind(tmp_path: Path) -> None:
    journal_in(tmp_path / "run").begin(header(sketch_commitment="0" * 64))
    assert journal_in(tmp_path / "run").begin(header()) is None
    play(journal_in(tmp_path / "run"))
    journal_in(tmp_path / "run").finish("completed", sketch_seed=SECRET)
    assert verify(journal_in(tmp_path / "run").folder).ok


def test_a_completed_run_cannot_go_on(tmp_path: Path) -> None:
    folder = finished(tmp_path / "run")
    with pytest.raises(RunError, match="completed 3 rounds; start a new run"):
        journal_in(folder.path).begin(header(9))


def test_a_failed_run_can_go_on(tmp_path: Path) -> None:
    journal = journal_in(tmp_path / "run")
    play(journal, 2)
    journal.finish("failed", "the power went")
    assert (journal.status().status, journal.status().reason) == ("failed", "the power went")
    assert not journal.folder.model.exists()
    play(journal_in(tmp_path / "run"), 3)
    assert journal.status().status == "running"
    assert journal.status().finished == ""


def test_finish_writes_the_final_model_once(tmp_path: Path) -> None:
    folder = finished(tmp_path / "run")
    journal = journal_in(folder.path)
    assert journal.status().status == "completed"
    assert journal.status().created <= journal.status().finished
    model = read_model(folder.model, expected_hash=model_hash(model_of(3)))
    assert list(model) == list(model_of(3))
    journal.finish("completed")
    assert len(rows(folder.path, "SELECT 1 FROM entries WHERE kind = 'end'")) == 1


def test_rounds_come_in_order(tmp_path: Path) -> None:
    journal = journal_in(tmp_path / "run")
    play(journal, 2)
    for number in (2, 4):
        with pytest.raises(JournalError, match="needs round 3 next"):
            journal.commit(record(number, ReputationState()), checkpoint(number))
    with pytest.raises(JournalError, match="round 3 with checkpoint 2"):
        journal.commit(record(3, ReputationState()), checkpoint(2))


def test_the_last_checkpoints_are_kept(tmp_path: Path) -> None:
    journal = journal_in(tmp_path / "run", keep=2)
    play(journal, 5)
    assert journal.checkpoints.rounds() == [4, 5]


def test_a_ban_waits_until_a_round_has_applied_it(tmp_path: Path) -> None:
    journal = journal_in(tmp_path / "run")
    state = play(journal, 1)
    known = journal.actions()
    ban = journal_in(tmp_path / "run").add_action(
        Action(kind="ban", identity="bob", reason="because")
    )
    # It came after the strategy asked and before it committed, so it is for the round after.
    journal.commit(record(2, state, known), checkpoint(2))
    assert journal.actions() == (ban,)
    assert ban.sequence > 0
    third = record(3, journal.rounds()[-1].state, journal.actions())
    journal.commit(third, checkpoint(3))
    assert third.state.standings["bob"].banned
    assert journal.actions() == ()
    assert journal.all_actions() == [ban]
    assert rows(tmp_path / "run", "SELECT applied_round FROM actions") == [(3,)]
    assert verify(journal.folder).ok


@pytest.mark.parametrize(("kind", "identity"), [("pardon", "bob"), ("ban", "")])
def test_an_action_is_a_ban_or_a_pardon_of_somebody(
    tmp_path: Path, kind: str, identity: str
) -> None:
    journal = journal_in(tmp_path / "run")
    journal.begin(header())
    with pytest.raises(ConfigError, match="'ban' or 'unban'"):
        journal.add_action(Action(kind=kind, identity=identity, reason=""))


def test_bans_from_others_and_rounds_share_one_chain(tmp_path: Path) -> None:
    journal = journal_in(tmp_path / "run")
    journal.begin(header(8))
    failures: list[Exception] = []

    def ban(worker: int) -> None:
        other = journal_in(tmp_path / "run")
        try:
            for number in range(6):
                identity = f"client {worker} {number}"
                other.add_action(Action(kind="ban", identity=identity, reason="load"))
        except JournalError as error:
            failures.append(error)

    workers = [threading.Thread(target=ban, args=(worker,)) for worker in range(3)]
    for worker in workers:
        worker.start()
    play(journal, 8)
    for worker in workers:
        worker.join()
    assert failures == []
    assert len(journal.all_actions()) == 18
    assert verify(journal.folder).ok


def test_sql_users_see_what_the_chain_says(tmp_path: Path) -> None:
    folder = finished(tmp_path / "run")
    third = journal_in(folder.path).rounds()[-1]
    found = rows(
        folder.path,
        "SELECT identity, node_id, verdict, reason, norm, weight, composite, excluded "
        "FROM replies WHERE round = 3 ORDER BY position",
    )
    assert [row[0] for row in found] == sorted(CLIENTS)
    assert found[0][1:4] == ("1", "quarantined", "NaN\ufffd in \N{SNOWMAN}")
    facts, decision = third.facts.replies[2], third.decision.replies[2]
    standing = third.state.standings["bob"]
    assert found[2][1] == str(facts.node_id)
    assert found[2][4:] == (facts.norm, decision.weight, standing.composite, 1)
    assert rows(folder.path, "SELECT source, value FROM metrics WHERE round = 2") == [
        ("train", 0.5),
        ("server", 0.2),
    ]


def test_a_metric_that_is_no_number_is_left_out_and_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    journal = journal_in(tmp_path / "run")
    journal.begin(header())
    metrics = {"loss": float("nan"), "accuracy": 0.5}
    logging.getLogger("flwr").addHandler(caplog.handler)
    try:
        journal.evaluate(EvaluationRecord(round=0, source="server", metrics=metrics))
    finally:
        logging.getLogger("flwr").removeHandler(caplog.handler)
    assert journal.evaluations()[0].metrics == {"accuracy": 0.5}
    assert "not finite, left out of the journal: 'loss'" in caplog.text


def test_a_fact_that_is_no_number_leaves_the_journal_as_it_was(tmp_path: Path) -> None:
    journal = journal_in(tmp_path / "run")
    state = play(journal, 1)
    good = record(2, state)
    bad = replace(
        good,
        facts=replace(good.facts, replies=(replace(good.facts.replies[0], norm=float("nan")),)),
    )
    with pytest.raises(JournalError):
        journal.commit(bad, checkpoint(2))
    assert journal.status().round == 1
    journal.commit(good, checkpoint(2))
    assert verify(journal.folder).ok


def test_updates_are_kept_under_names_that_clients_cannot_choose(tmp_path: Path) -> None:
    journal = journal_in(tmp_path / "run", keep_updates=True)
    journal.begin(header())
    sent = {"../../evil": {"w": np.ones(2)}, "\ud800": {"w": np.zeros(2)}}
    journal.commit(record(1, ReputationState()), checkpoint(1), sent)
    inside = journal.folder.updates / "round-00001"
    assert len(list(inside.iterdir())) == 2
    for identity, arrays in sent.items():
        again = journal.updates.read(1, identity)
        np.testing.assert_array_equal(again["w"], arrays["w"])


def test_a_journal_is_opened_by_its_folder_even_after_a_move(tmp_path: Path) -> None:
    folder = finished(tmp_path / "before")
    folder.path.rename(tmp_path / "after")
    moved = type(folder)(tmp_path / "after")
    assert open_journal(moved).run_id == "before"
    assert len(open_journal(moved).rounds()) == 3
    assert verify(moved).ok
