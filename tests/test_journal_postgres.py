"""The same journal in a real PostgreSQL server, which several runs share."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from journal_records import SECRET, checkpoint, header, play, record
from parity_flwr.app.journal import SqlJournal, open_journal
from parity_flwr.app.journal.opening import start_journal
from parity_flwr.app.runs.folder import RunFolder
from parity_flwr.app.verification.verify import verify
from parity_flwr.core.records import Action, ReputationState
from parity_flwr.errors import JournalError

pytestmark = pytest.mark.postgres


@pytest.fixture
def url(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the URL of an empty database, as the environment names it."""
    monkeypatch.setenv("PARITY_JOURNAL", postgres_url)
    return postgres_url


def start(path: Path, url: str) -> SqlJournal:
    """Return the journal of a run in ``path``."""
    return start_journal(RunFolder(path).make(), url=url)


def execute(url: str, statement: str) -> None:
    """Change the database behind the journal's back."""
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text(statement))
    engine.dispose()


def test_two_runs_share_one_database(tmp_path: Path, url: str) -> None:
    first, second = start(tmp_path / "first", url), start(tmp_path / "second", url)
    state = play(first, 3)
    second.begin(header(9))
    second.commit(record(1, ReputationState()), checkpoint(1))
    first.finish("completed", sketch_seed=SECRET)
    assert [each.round for each in second.rounds()] == [1]
    assert open_journal(first.folder).rounds()[-1].state == state
    assert second.status().status == "running"
    assert verify(first.folder).ok
    assert verify(second.folder).ok


def test_a_run_resumes(tmp_path: Path, url: str) -> None:
    play(start(tmp_path / "run", url), 2)
    resumption = start(tmp_path / "run", url).begin(header(4))
    assert resumption is not None
    assert resumption.checkpoint.round == 2
    assert play(start(tmp_path / "run", url), 4).round == 4
    assert verify(RunFolder(tmp_path / "run")).ok


def test_bans_and_rounds_share_one_chain(tmp_path: Path, url: str) -> None:
    journal = start(tmp_path / "run", url)
    journal.begin(header(6))

    def ban() -> None:
        other = start(tmp_path / "run", url)
        for number in range(10):
            other.add_action(Action(kind="ban", identity=f"client {number}", reason="load"))

    workers = [threading.Thread(target=ban) for _ in range(2)]
    for worker in workers:
        worker.start()
    play(journal, 6)
    for worker in workers:
        worker.join()
    assert len(journal.all_actions()) == 20
    assert verify(journal.folder).ok


def test_two_processes_may_create_the_tables_at_once(tmp_path: Path, url: str) -> None:
    journals = [start(tmp_path / f"run{number}", url) for number in range(4)]
    workers = [threading.Thread(target=journal.begin, args=(header(),)) for journal in journals]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [journal.status().status for journal in journals] == ["running"] * 4


@pytest.mark.parametrize(
    ("statement", "name", "detail"),
    [
        ("UPDATE replies SET weight = weight + 1e-9 WHERE round = 2", "projections", "round 2"),
        ("DELETE FROM entries WHERE sequence = 3", "hash chain", "entry 3 is missing"),
        (
            "UPDATE entries SET body = replace(body, 'FedAvg', 'FedBad')",
            "hash chain",
            "entry 1",
        ),
    ],
)
def test_verify_names_what_was_changed(
    tmp_path: Path, url: str, statement: str, name: str, detail: str
) -> None:
    journal = start(tmp_path / "run", url)
    play(journal, 3)
    execute(url, statement)
    failed = {
        line.name: line.detail for line in verify(journal.folder).lines if line.ok is False
    }
    assert detail in failed[name]


def test_a_locked_run_is_one_line(tmp_path: Path, url: str) -> None:
    start(tmp_path / "run", url).begin(header())
    hasty = SqlJournal(url, "run", RunFolder(tmp_path / "run"), timeout_s=0.05)
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("SELECT * FROM runs FOR UPDATE"))
        with pytest.raises(JournalError, match="wait for the other process") as caught:
            hasty.add_action(Action(kind="ban", identity="bob", reason=""))
    engine.dispose()
    assert "\n" not in str(caught.value)


def test_the_folder_notes_the_database_but_never_the_password(
    tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = url.replace("parity@", "parity:hunter2@")
    journal = start(tmp_path / "run", secret)
    play(journal, 1)
    assert "hunter2" not in journal.folder.pointer.read_text()
    monkeypatch.delenv("PARITY_JOURNAL")
    with pytest.raises(JournalError, match="set PARITY_JOURNAL") as caught:
        open_journal(journal.folder)
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in repr(journal.__dict__)


def test_a_server_that_is_not_there_is_one_line(tmp_path: Path, url: str) -> None:
    away = url.replace("host=", "host=/nowhere")
    with pytest.raises(JournalError, match="check that the server runs") as caught:
        start(tmp_path / "run", away).begin(header())
    assert "\n" not in str(caught.value)
