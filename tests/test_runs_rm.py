"""`parity runs rm`: what goes, what stays, and what it never touches."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from parity_flwr.app.runs.folder import RunFolder, all_runs
from parity_flwr.app.runs.removal import parse_age
from parity_flwr.app.runs.size import folder_bytes, parse_size
from parity_flwr.cli.main import execute
from parity_flwr.errors import ConfigError
from sample_runs import write_sample_run

_WORKER = """
import sys
from pathlib import Path
from parity_flwr.app.journal.opening import start_journal
from parity_flwr.app.runs.folder import RunFolder
from sample_runs import sample_header
journal = start_journal(RunFolder.create(Path(sys.argv[1]), sys.argv[2]))
journal.begin(sample_header())
print("begun", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return this test's PARITY_HOME, with nothing in it."""
    return tmp_path / "parity-home"


@contextmanager
def at_work(home: Path, name: str) -> Iterator[subprocess.Popen[str]]:
    """Run a process whose journal is begun, until the block ends."""
    paths = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    with subprocess.Popen(
        [sys.executable, "-c", _WORKER, str(home), name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": paths},
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        yield process


def three_runs(home: Path) -> list[RunFolder]:
    """Write three runs, of 90, 40 and 0 days ago."""
    names = ["20260101-000000-aaaa", "20260201-000000-bbbb", "20260301-000000-cccc"]
    runs = [write_sample_run(home, run_id=name, count=1) for name in names]
    for run, days in zip(runs, (90, 40, 0), strict=True):
        stamp = time.time() - days * 86400
        for path in run.path.iterdir():
            os.utime(path, (stamp, stamp))
    return runs


def json_of(capsys: pytest.CaptureFixture[str]) -> Any:
    (line,) = capsys.readouterr().out.splitlines()
    return json.loads(line)


def left(home: Path) -> list[str]:
    return [run.id[-4:] for run in all_runs(home)]


@pytest.mark.parametrize(
    ("options", "stays"),
    [
        (["--all"], []),
        (["--older-than", "30d"], ["cccc"]),
        (["--older-than", "60d"], ["bbbb", "cccc"]),
        (["--keep", "1"], ["cccc"]),
        (["--keep", "0"], []),
        (["--older-than", "30d", "--keep", "2"], ["bbbb", "cccc"]),
        (["20260101", "20260301"], ["bbbb"]),
    ],
)
def test_what_goes_and_what_stays(
    options: list[str], stays: list[str], home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sizes = {run.id: folder_bytes(run.path) for run in three_runs(home)}
    assert execute(["runs", "rm", *options, "--yes", "--json"]) == 0
    done = json_of(capsys)
    assert left(home) == stays
    assert [name for name in sizes if name[-4:] not in stays] == [
        each["run_id"] for each in done["removed"]
    ]
    assert done["freed_bytes"] == sum(sizes[each["run_id"]] for each in done["removed"])
    assert sorted(path.name[-4:] for path in (home / "runs").iterdir()) == stays


def test_the_listing_says_how_big_and_who_is_at_work(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = write_sample_run(home, count=1)
    (run.path / "updates").mkdir()
    (run.path / "updates" / "x").write_bytes(b"x" * 5_000_000)
    with at_work(home, "busy"):
        assert execute(["runs", "--json"]) == 0
        found = {each["run_id"]: each for each in json_of(capsys)["runs"]}
    assert 5_000_000 < found["sample"]["bytes"] < 6_000_000
    assert (found["sample"]["in_use"], found["busy"]["in_use"]) == (False, True)
    assert execute(["runs"]) == 0
    assert " 5.1 MB " in capsys.readouterr().out


def test_a_running_run_stays_and_a_killed_one_goes(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_sample_run(home, run_id="over", count=1)
    with at_work(home, "busy") as process:
        assert execute(["runs", "rm", "over", "busy", "--yes"]) == 2
        assert "one that is running" in capsys.readouterr().err
        assert [run.id for run in all_runs(home)] == ["over", "busy"]
        assert execute(["runs", "rm", "--all", "--yes", "--json"]) == 0
        assert json_of(capsys)["skipped"] == [
            {"run_id": "busy", "reason": "one that is running"}
        ]
        process.kill()
    assert execute(["runs", "rm", "busy", "--yes"]) == 0
    assert all_runs(home) == []


def test_links_and_folders_elsewhere_are_not_touched(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    away = write_sample_run(tmp_path / "away", count=1)
    mine = write_sample_run(home, run_id="mine", count=1)
    (mine.path / "updates").symlink_to(away.path)
    (home / "runs" / "link").symlink_to(away.path)
    before = folder_bytes(away.path)
    for reference in ("link", str(away.path), str(home / "runs" / "link"), ".."):
        assert execute(["runs", "rm", reference, "--yes"]) == 2
    assert execute(["runs", "rm", "--all", "--yes"]) == 0
    assert "kept       link: a link to somewhere else" in capsys.readouterr().out
    assert [run.id for run in all_runs(home)] == ["link"]
    assert folder_bytes(away.path) == before
    assert [path.name for path in (home / "runs").iterdir()] == ["link"]


@pytest.mark.parametrize("options", [[], ["--all", "--keep", "1"], ["sample", "--all"]])
def test_a_selection_is_one_thing(options: list[str], home: Path) -> None:
    write_sample_run(home, count=1)
    assert execute(["runs", "rm", *options, "--yes"]) == 2
    assert len(all_runs(home)) == 1


def test_without_a_terminal_a_yes_is_needed(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_sample_run(home, count=1)
    assert execute(["runs", "rm", "--all"]) == 2
    assert "add --yes" in capsys.readouterr().err
    assert len(all_runs(home)) == 1


@pytest.mark.parametrize(("answer", "count"), [("n\n", 1), ("y\n", 0)])
def test_on_a_terminal_it_asks(answer: str, count: int, home: Path) -> None:
    write_sample_run(home, count=1)
    ours, theirs = pty.openpty()
    os.write(ours, answer.encode())
    command = [sys.executable, "-m", "parity_flwr.cli.main", "runs", "rm", "sample"]
    done = subprocess.run(command, stdin=theirs, capture_output=True, text=True, check=True)
    os.close(ours)
    os.close(theirs)
    assert "Remove 1 run" in done.stdout
    assert len(all_runs(home)) == count


def test_what_an_interrupted_removal_left_goes_with_the_next(home: Path) -> None:
    run = write_sample_run(home, count=1)
    run.path.rename(run.path.with_name(".removing-sample"))
    assert all_runs(home) == []
    assert execute(["runs", "rm", "--all", "--yes"]) == 0
    assert list((home / "runs").iterdir()) == []


def test_a_folder_that_cannot_be_removed_is_1(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_sample_run(home, count=1)
    write_sample_run(home, run_id="other", count=1)
    (home / "runs" / ".removing-sample").write_text("in the way")
    assert execute(["runs", "rm", "--all", "--yes", "--json"]) == 1
    found = capsys.readouterr()
    assert "error: removing sample needs" in found.err
    assert [each["run_id"] for each in json.loads(found.out)["removed"]] == ["other"]
    assert [run.id for run in all_runs(home)] == ["sample"]


@pytest.mark.parametrize("text", ["", "30", "d", "-1d", "1y", "1.5d", "9999999d"])
def test_ages_that_are_none(text: str) -> None:
    with pytest.raises(ConfigError, match="--older-than"):
        parse_age(text)


@pytest.mark.parametrize("text", ["", "0", "GB", "-1GB", "1PB", "1iB", "1e9", "nan", "0.1B"])
def test_sizes_that_are_none(text: str) -> None:
    with pytest.raises(ConfigError, match="--disk-cap"):
        parse_size(text, name="--disk-cap")
