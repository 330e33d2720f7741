"""Where runs lie and how they are found."""

from __future__ import annotations

from pathlib import Path

import pytest

from parity_flwr.app.environment import Environment
from parity_flwr.app.runs.folder import RunFolder, all_runs, new_id
from parity_flwr.errors import ConfigError, JournalError


def home_with(path: Path, *names: str) -> Path:
    """Return a home that holds runs of these ids."""
    for name in names:
        RunFolder.create(path, name)
    return path


def test_a_new_run_has_an_id_and_a_folder_of_its_own(tmp_path: Path) -> None:
    first, second = RunFolder.create(tmp_path), RunFolder.create(tmp_path)
    assert first.path.is_dir()
    assert first.path.parent == tmp_path / "runs"
    assert first.id == first.path.name != second.id
    assert len(new_id()) == len("20261120-064512-ab12")


def test_runs_are_found_by_id_beginning_latest_and_path(tmp_path: Path) -> None:
    home = home_with(tmp_path, "20260101-000000-aaaa", "20260102-000000-bbbb", "demo")
    assert RunFolder.find("20260101-000000-aaaa", home).id == "20260101-000000-aaaa"
    assert RunFolder.find("20260102", home).id == "20260102-000000-bbbb"
    assert RunFolder.find(str(home / "runs" / "demo"), home).id == "demo"
    assert RunFolder.find("latest", home) == all_runs(home)[-1]


def test_an_id_wins_over_a_longer_one_that_begins_with_it(tmp_path: Path) -> None:
    home = home_with(tmp_path, "demo", "demo2")
    assert RunFolder.find("demo", home).id == "demo"


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("2026", "which fits 20260101-000000-aaaa, 20260102-000000-bbbb"),
        ("nothing", "which fits none"),
        ("", "which fits none"),
        ("/", "1 to 64 letters"),
        ("../nowhere", "no directory"),
        ("/etc/passwd", "no directory"),
        ("x" * 5000, "which fits none"),
        ("\0", "which fits none"),
        ("/\0", "no directory"),
        ("~nobody-of-that-name/x", "no directory"),
    ],
)
def test_what_is_no_run_is_a_clear_error(tmp_path: Path, reference: str, message: str) -> None:
    home = home_with(tmp_path / ".home", "20260101-000000-aaaa", "20260102-000000-bbbb")
    with pytest.raises(ConfigError, match=message):
        RunFolder.find(reference, home)


def test_a_folder_that_is_no_run_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="a folder with a journal"):
        RunFolder.find(f"{tmp_path}/", tmp_path)


def test_there_is_no_latest_of_nothing(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="which fits none"):
        RunFolder.find("latest", tmp_path)
    assert all_runs(tmp_path / "absent") == []


@pytest.mark.parametrize("name", ["..", "a/b", "", ".hidden", "x" * 65, "a b", "a\n", "é"])
def test_a_hostile_id_makes_no_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="a run's id needs"):
        RunFolder.create(tmp_path, name)
    assert not (tmp_path / "runs").exists()


def test_an_id_is_given_once(tmp_path: Path) -> None:
    RunFolder.create(tmp_path, "demo")
    with pytest.raises(ConfigError, match="'demo', which is taken"):
        RunFolder.create(tmp_path, "demo")


def test_what_cannot_be_a_run_is_left_out(tmp_path: Path) -> None:
    home = home_with(tmp_path, "good")
    (home / "runs" / "file").write_text("no run")
    (home / "runs" / ".hidden").mkdir()
    (home / "runs" / "dangling").symlink_to("/nowhere")
    assert [run.id for run in all_runs(home)] == ["good"]


def test_a_home_that_cannot_be_made_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file")
    with pytest.raises(JournalError, match=r"set PARITY_HOME to a directory .* journal=None"):
        RunFolder.create(tmp_path / "home")


def test_the_environment_is_read_once_and_round_trips(tmp_path: Path) -> None:
    variables = {
        "PARITY_HOME": str(tmp_path),
        "PARITY_RUN_DIR": str(tmp_path / "run"),
        "PARITY_JOURNAL": "postgresql://me:hunter2@host/db",
        "PARITY_REPUTATION_FROM": "latest",
        "PARITY_KEEP_UPDATES": "1",
        "PARITY_PUBLISH": "1",
        "PARITY_BASELINE": "yes",
    }
    environment = Environment.read(variables)
    assert environment.run_dir == tmp_path / "run"
    assert environment.keep_updates
    assert not environment.trust
    assert "hunter2" not in repr(environment)
    assert Environment.read(environment.variables()) == environment


def test_an_empty_environment_has_defaults() -> None:
    environment = Environment.read({})
    assert environment == Environment(home=Path.home() / ".parity")
    assert environment.variables() == {"PARITY_HOME": str(Path.home() / ".parity")}


@pytest.mark.parametrize("name", ["PARITY_KEEP_UPDATES", "PARITY_BASELINE", "PARITY_PUBLISH"])
def test_a_flag_is_yes_or_no(name: str) -> None:
    assert Environment.read({name: "0"}) == Environment.read({name: "off"})
    with pytest.raises(ConfigError, match=f"{name} needs 1 or 0; got 'maybe'"):
        Environment.read({name: "maybe"})
