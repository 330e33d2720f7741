"""What the disk, other programs, other versions and other people do to a journal."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Column, Text, create_engine, inspect

from journal_records import checkpoint, finished, header, journal_in, play, record
from parity_flwr.app.journal import from_environment, open_journal
from parity_flwr.app.journal.database import Database
from parity_flwr.app.journal.migrations import MIGRATIONS, current_version, upgrade
from parity_flwr.app.journal.schema import metadata
from parity_flwr.app.runs.folder import RunFolder, all_runs
from parity_flwr.app.verification.verify import verify
from parity_flwr.core.records import ReputationState
from parity_flwr.errors import CheckpointError, ConfigError, JournalError, MissingExtraError


def test_the_migrations_build_what_the_schema_declares(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'new.sqlite'}")
    with engine.begin() as connection:
        upgrade(connection)
        differences = compare_metadata(MigrationContext.configure(connection), metadata)
        ours = set(inspect(connection).get_table_names()) - {"parity_journal_version"}
    engine.dispose()
    assert ours == set(metadata.tables)
    assert [each for each in differences if each[0] != "remove_table"] == []


def test_an_older_journal_is_upgraded_in_place(tmp_path: Path) -> None:
    journal = journal_in(tmp_path / "run")
    play(journal, 2)

    def add_note(operations: Operations) -> None:
        operations.add_column("runs", Column("note", Text, nullable=True))

    engine = create_engine(journal.folder.journal_url)
    with engine.begin() as connection:
        upgrade(connection, (*MIGRATIONS, ("0004", add_note)))
    with engine.begin() as connection:
        assert current_version(connection) == "0004"
        assert "note" in [each["name"] for each in inspect(connection).get_columns("runs")]
        upgrade(connection, (*MIGRATIONS, ("0004", add_note)))
    engine.dispose()


@pytest.mark.parametrize("version", ["0004", "9999", "", "x" * 100])
def test_a_journal_of_a_newer_version_is_refused(tmp_path: Path, version: str) -> None:
    folder = finished(tmp_path / "run")
    connection = sqlite3.connect(folder.database)
    connection.execute("UPDATE parity_journal_version SET version = ?", (version,))
    connection.commit()
    connection.close()
    before = folder.database.read_bytes()
    with pytest.raises(JournalError, match="needs schema version 0003 or older"):
        journal_in(folder.path).rounds()
    with pytest.raises(JournalError, match="install the parity-flwr that wrote it"):
        journal_in(folder.path).begin(header())
    assert folder.database.read_bytes() == before


@pytest.mark.parametrize(
    "content", [b"", b"no database" * 100, b"SQLite format 3\0" + b"\xff" * 4096]
)
def test_a_file_that_is_no_journal_is_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "journal.sqlite").write_bytes(content)
    for use in (verify, lambda folder: open_journal(folder).status()):
        with pytest.raises(JournalError) as caught:
            use(RunFolder(tmp_path / "run"))
        assert "\n" not in str(caught.value)


def test_a_journal_with_damaged_pages_never_crashes(tmp_path: Path) -> None:
    folder = finished(tmp_path / "run")
    whole = folder.database.read_bytes()
    for place in range(100, len(whole), 4096 // 2):
        damaged = bytearray(whole)
        damaged[place : place + 64] = b"\xa5" * 64
        folder.database.write_bytes(damaged)
        with suppress(JournalError):
            verify(folder)


def test_a_locked_journal_is_one_line_and_loses_nothing(tmp_path: Path) -> None:
    journal = journal_in(tmp_path / "run", timeout_s=0.05)
    state = play(journal, 1)
    other = sqlite3.connect(journal.folder.database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(
        JournalError, match="got database is locked; wait for the other process"
    ):
        journal.commit(record(2, state), checkpoint(2))
    assert journal.status().round == 1
    other.execute("ROLLBACK")
    other.close()
    journal.commit(record(2, state), checkpoint(2))
    assert verify(journal.folder).ok


def test_a_full_disk_is_one_line_and_loses_nothing(tmp_path: Path) -> None:
    """RLIMIT_FSIZE makes writes fail as on a full disk, in a process of its own."""
    play(journal_in(tmp_path / "run"), 2)
    size = (tmp_path / "run" / "journal.sqlite").stat().st_size
    code = f"""
import resource, signal, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from journal_records import *
from parity_flwr.errors import RunError
journal = journal_in(Path({str(tmp_path / "run")!r}))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, ({size} // 2, {size} // 2))
for number in range(3, 60):
    try:
        journal.commit(record(number, ReputationState()), checkpoint(number))
    except RunError as error:
        print(error)
        break
"""
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert "needs to be" in ended.stdout
    assert ended.stdout.count("\n") == 1
    journal = journal_in(tmp_path / "run")
    assert journal.status().round >= 2
    assert {line.name for line in verify(journal.folder).lines if line.ok is False} <= {
        "decisions"  # the script above does not carry the state on
    }


def test_a_read_only_folder_is_one_line(tmp_path: Path) -> None:
    """Root may write anywhere, so the process becomes somebody else first."""
    home = tmp_path / "home"
    home.mkdir(mode=0o555)
    code = """
import os
from parity_flwr.app.journal import from_environment
from parity_flwr.errors import JournalError
if os.geteuid() == 0:
    os.seteuid(65534)
try:
    from_environment()
except JournalError as error:
    print(error)
"""
    ended = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PARITY_HOME": str(home)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stdout.startswith("a run needs the folder")
    assert "Permission denied; set PARITY_HOME to a directory you can write" in ended.stdout
    assert ended.stdout.count("\n") == 1


def test_a_checkpoint_folder_that_is_a_file_is_one_line(tmp_path: Path) -> None:
    journal = journal_in(tmp_path / "run")
    journal.begin(header())
    journal.folder.checkpoints.write_text("in the way")
    with pytest.raises(CheckpointError, match="needs to be written"):
        journal.commit(record(1, ReputationState()), checkpoint(1))
    assert journal.status().round == 0


def test_a_corrupt_checkpoint_is_named_and_nothing_is_lost(tmp_path: Path) -> None:
    journal = journal_in(tmp_path / "run")
    play(journal, 3)
    path = journal.checkpoints.path(3)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CheckpointError, match=r"round-00003\.npz needs to be an undamaged"):
        journal_in(tmp_path / "run").begin(header())
    path.write_bytes(journal.checkpoints.path(2).read_bytes())
    with pytest.raises(CheckpointError, match="needs to hold round 3; got round 2"):
        journal_in(tmp_path / "run").begin(header())
    path.write_bytes(whole)
    assert journal_in(tmp_path / "run").begin(header()) is not None


def test_another_seed_in_the_checkpoint_is_refused(tmp_path: Path) -> None:
    journal = journal_in(tmp_path / "run")
    play(journal, 2)
    journal.checkpoints.write(replace(checkpoint(2), sketch_seed=bytes(32)))
    with pytest.raises(CheckpointError, match="another seed"):
        journal_in(tmp_path / "run").begin(header())


def test_from_environment_makes_a_run_under_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARITY_HOME", str(tmp_path))
    journal = from_environment()
    journal.begin(header())
    assert [run.id for run in all_runs(tmp_path)] == [journal.run_id]
    assert (journal.keep_updates, journal.baseline, journal.carried) == (False, False, None)


def test_from_environment_follows_the_variables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    earlier = finished(tmp_path / "runs" / "earlier")
    monkeypatch.setenv("PARITY_HOME", str(tmp_path))
    monkeypatch.setenv("PARITY_RUN_DIR", str(tmp_path / "mine"))
    monkeypatch.setenv("PARITY_KEEP_UPDATES", "1")
    monkeypatch.setenv("PARITY_BASELINE", "1")
    monkeypatch.setenv("PARITY_REPUTATION_FROM", "earlier")
    journal = from_environment()
    assert journal.run_id == "mine"
    assert journal.keep_updates
    assert journal.baseline
    assert journal.carried is not None
    assert journal.carried.standings == open_journal(earlier).rounds()[-1].state.standings
    assert journal.carried.round == 0


def test_reputation_needs_a_round_to_carry_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal_in(tmp_path / "runs" / "empty").begin(header())
    monkeypatch.setenv("PARITY_HOME", str(tmp_path))
    monkeypatch.setenv("PARITY_REPUTATION_FROM", "empty")
    with pytest.raises(JournalError, match="needs a round in empty"):
        from_environment()


def test_a_home_that_is_a_file_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "home").write_text("")
    monkeypatch.setenv("PARITY_HOME", str(tmp_path / "home"))
    with pytest.raises(JournalError, match="journal=None"):
        from_environment()


@pytest.mark.parametrize(
    "url", ["", "sqlite://", "sqlite:///", "mysql://u:hunter2@h/d", "no url", "://", "a:b"]
)
def test_a_url_of_another_database_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="a journal needs a URL like") as caught:
        Database(url)
    assert "hunter2" not in str(caught.value)


def test_without_psycopg_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(MissingExtraError, match=r"parity-flwr\[postgres\]"):
        Database("postgresql://me@host/db")


def test_a_path_with_odd_characters_is_a_path(tmp_path: Path) -> None:
    odd = tmp_path / "100% ?odd #name"
    odd.mkdir()
    play(journal_in(odd / "run"), 1)
    assert (odd / "run" / "journal.sqlite").is_file()
    assert verify(RunFolder(odd / "run")).ok
