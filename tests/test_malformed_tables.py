"""Every malformed table: exit code 2, one line that says what to do, nothing left behind."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from malformed_tables import MALFORMED, Malformed
from parity_flwr.cli.main import execute

pytest.importorskip("pyarrow")

REAL = (
    "empty", "only a header", "no such target", "one class", "target without values",
    "fewer rows than clients", "column without values", "duplicate header", "target twice",
    "blank name", "latin-1 values", "UTF-16", "line too long", "line too short",
    "quote never closed", "binary junk", "NUL bytes in a text", "gzip cut short", "a bomb",
    "a directory", "infinite numbers", "numbers asked of texts", "too many classes",
    "clients by no column", "a hundred thousand columns",
)  # fmt: skip
"""Those that are tried with a process of their own."""


def skip_where_it_is_not_malformed(name: str) -> None:
    if name == "unreadable" and os.geteuid() == 0:
        pytest.skip("root reads everything")


def prepared(case: Malformed, tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """Make the file and empty folders; return it and where a run would leave something."""
    path = case.write(tmp_path)
    for name in ("here", "temporary"):
        (tmp_path / name).mkdir()
    places = {"PARITY_HOME": str(tmp_path / "home"), "TMPDIR": str(tmp_path / "temporary")}
    return path, places


def assert_one_line(error: str, case: Malformed) -> None:
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert case.expected in error
    assert error.count("; ") >= 2  # what was needed; what came; what to do
    assert len(error) < 700


def assert_nothing_left(tmp_path: Path, path: Path) -> None:
    found = {each.name for each in tmp_path.rglob("*")} - {path.name}
    assert found == {"here", "temporary"}


@pytest.mark.parametrize("name", MALFORMED)
def test_it_is_one_line_and_leaves_nothing(
    name: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    skip_where_it_is_not_malformed(name)
    case = MALFORMED[name]
    path, places = prepared(case, tmp_path)
    for key, value in places.items():
        monkeypatch.setenv(key, value)
    monkeypatch.chdir(tmp_path / "here")
    assert execute(case.arguments(path)) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert_one_line(captured.err, case)
    assert_nothing_left(tmp_path, path)


@pytest.mark.slow
@pytest.mark.parametrize("name", REAL)
def test_so_does_a_process_of_its_own(name: str, tmp_path: Path) -> None:
    case = MALFORMED[name]
    path, places = prepared(case, tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "parity_flwr.cli.main", *case.arguments(path)],
        cwd=tmp_path / "here",
        env={**os.environ, **places, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert_one_line(done.stderr, case)
    assert_nothing_left(tmp_path, path)


def test_a_good_file_is_not_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good = Malformed(make=MALFORMED["no such target"].make, expected="")
    path, places = prepared(good, tmp_path)
    for key, value in places.items():
        monkeypatch.setenv(key, value)
    assert execute([*good.arguments(path), "--rounds", "1", "--quiet"]) == 0
    assert (tmp_path / "home" / "runs").is_dir()


def test_blanks_around_names_and_a_mark_do_no_harm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = str(MALFORMED["no such target"].make).replace("age,colour,ill", "age , colour, ill")
    good = Malformed(make=b"\xef\xbb\xbf\r\n" + text.encode(), expected="")
    path, places = prepared(good, tmp_path)
    for key, value in places.items():
        monkeypatch.setenv(key, value)
    assert execute([*good.arguments(path), "--rounds", "1", "--quiet"]) == 0
