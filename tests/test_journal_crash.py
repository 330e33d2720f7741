"""kill -9 at any step of a commit: the round is there whole, or it is repeated."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from journal_crash import STEPS
from journal_records import SECRET, header, journal_in, play
from parity_flwr.app.verification.verify import verify
from parity_flwr.files import TEMPORARY

HERE = Path(__file__).parent
CALLS = {"_append": 5, "_write": 5, "_insert": 6}  # how often before the second round is done


def crash(folder: Path, step: str, calls: int) -> None:
    """Run the run in a process of its own until it kills itself."""
    command = [sys.executable, str(HERE / "journal_crash.py"), str(folder), step, str(calls)]
    ended = subprocess.run(command, env=os.environ, cwd=HERE, capture_output=True, check=False)
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()


def integrity(folder: Path) -> str:
    """Return what SQLite itself says about the file."""
    connection = sqlite3.connect(folder / "journal.sqlite")
    try:
        return str(connection.execute("PRAGMA integrity_check").fetchone()[0])
    finally:
        connection.close()


@pytest.mark.parametrize("step", STEPS)
def test_a_killed_run_resumes_and_ends_the_same(tmp_path: Path, step: str) -> None:
    expected = play(journal_in(tmp_path / "whole"), 4)
    crash(tmp_path / "killed", step, calls=CALLS.get(step.partition(":")[2], 3))
    assert integrity(tmp_path / "killed") == "ok"
    journal = journal_in(tmp_path / "killed")
    committed = journal.status().round
    assert verify(journal.folder).ok
    assert 1 <= committed <= 3
    assert play(journal, 4) == expected
    assert [each.round for each in journal.rounds()] == [1, 2, 3, 4]
    journal.finish("completed", sketch_seed=SECRET)
    assert verify(journal.folder).ok
    assert not list((tmp_path / "killed").rglob(f"*{TEMPORARY}"))


@pytest.mark.parametrize("step", ["before:_append", "after:_append", "after:_write"])
def test_a_run_killed_as_it_starts_starts_again(tmp_path: Path, step: str) -> None:
    crash(tmp_path / "killed", step, calls=1)
    assert journal_in(tmp_path / "killed").begin(header(4)) is None
    play(journal_in(tmp_path / "killed"), 4)
    assert verify(journal_in(tmp_path / "killed").folder).ok
