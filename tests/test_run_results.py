"""What an app leaves in its run's folder, and what `parity run` prints of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from apps_made import make_app
from parity_flwr.app.journal import SqlJournal
from parity_flwr.app.runs.folder import RunFolder, all_runs
from parity_flwr.app.runs.results import (
    MAX_LINES,
    MAX_WIDTH,
    folder_of,
    leave_results,
    results_path,
    summary_lines,
)
from parity_flwr.cli.main import execute
from parity_flwr.errors import JournalError

_LEAVE = """
    from parity_flwr.app.runs.results import folder_of, leave_results
    leave_results(folder_of(journal), {"gain": 0.25}, lines=["a  table", "of two lines"])
"""


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder.create(tmp_path, "one")


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """Return an app that leaves results in the folder of its journal."""
    folder = make_app(tmp_path / "app")
    server = next(folder.glob("*/server.py"))
    text = server.read_text()
    start = "    Reputation(inner, seed=1).start("
    assert text.count(start) == 1
    opened = (
        "    from parity_flwr.app.journal import from_environment\n"
        "    journal = from_environment()\n"
    )
    server.write_text(
        text.replace(start, f"{opened}    Reputation(inner, seed=1, journal=journal).start(")
        + _LEAVE
    )
    return folder


def run(app: Path, *options: str) -> int:
    return execute(["run", str(app), "--engine", "inprocess", "--clients", "4", *options])


def test_what_is_left_is_printed(
    app: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(app, "--quiet") == 0
    printed = capsys.readouterr().out.splitlines()
    (folder,) = all_runs(tmp_path / "parity-home")
    place = folder.path / "results.json"
    assert printed[-4:-1] == ["a  table", "of two lines", f"results    {place}"]
    assert json.loads(place.read_text()) == {"gain": 0.25}
    assert run(app, "--json", "--quiet") == 0
    result = json.loads(capsys.readouterr().out)
    assert result["summary"] == ["a  table", "of two lines"]
    assert json.loads(Path(result["results"]).read_text()) == {"gain": 0.25}


def test_a_run_that_leaves_nothing_prints_nothing(folder: RunFolder) -> None:
    assert summary_lines(folder) == []
    assert results_path(folder) is None


def test_a_summary_from_elsewhere_is_bounded_and_harmless(folder: RunFolder) -> None:
    (folder.path / "summary.txt").write_bytes(b"\x1b[2Jgone\xff" + b"x" * 500 + b"\ny" * 500)
    shown = summary_lines(folder)
    assert len(shown) == MAX_LINES
    assert max(map(len, shown)) == MAX_WIDTH
    assert "\x1b" not in shown[0]


def test_files_stay_in_the_folder_and_are_whole(folder: RunFolder) -> None:
    leave_results(folder, {}, lines=[], pictures={"../up.png": b"p"})
    assert sorted(each.name for each in folder.path.iterdir()) == [
        "results.json",
        "summary.txt",
        "up.png",
    ]


def test_json_has_no_infinity(folder: RunFolder) -> None:
    with pytest.raises(ValueError, match="JSON"):
        leave_results(folder, {"gain": float("nan")}, lines=[])
    assert list(folder.path.iterdir()) == []


def test_a_folder_that_cannot_be_written_says_so(folder: RunFolder) -> None:
    (folder.path / "results.json").mkdir()
    with pytest.raises(JournalError, match="results need to be written"):
        leave_results(folder, {}, lines=[])


def test_only_our_journals_have_a_folder(folder: RunFolder) -> None:
    assert folder_of(SqlJournal(folder.journal_url, folder.id, folder)) == folder
    with pytest.raises(JournalError, match="without one"):
        folder_of(object())  # type: ignore[arg-type]
