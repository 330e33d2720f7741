"""`parity run APP --data FILE`: the file's path reaches the app, or one line says why not."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from flwr.common.config import parse_config_args

from apps_made import make_app
from parity_flwr.app.engines.run_data import DATA_KEY, with_data
from parity_flwr.cli.main import execute
from parity_flwr.errors import ConfigError


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """Return an app that declares data, and fails unless it can read 'the rows' there."""
    folder = make_app(tmp_path / "app")
    project = folder / "pyproject.toml"
    project.write_text(project.read_text() + '\ndata = ""\n')
    server = next(folder.glob("*/server.py"))
    text = server.read_text()
    check = (
        '    from pathlib import Path\n    path = Path(str(context.run_config["data"]))\n'
        '    assert path.is_absolute() and path.read_text() == "the rows", path\n'
    )
    head = "def main(grid, context):\n"
    assert text.count(head) == 1
    server.write_text(text.replace(head, head + check))
    return folder


def run(app: Path, *options: str) -> int:
    return execute(["run", str(app), "--engine", "inprocess", "--clients", "4", *options])


def test_the_app_gets_an_absolute_path(
    app: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "its rows.csv").write_text("the rows")
    monkeypatch.chdir(tmp_path)
    assert run(app, "--data", "its rows.csv", "--run-config", "rounds=1") == 0


def test_an_app_without_data_refuses_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("a\n1\n")
    assert run(make_app(tmp_path / "other"), "--data", str(file)) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert "'data'" in lines[0]


def test_a_table_refuses_it_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("a,b\n1,2\n")
    options = ["--target", "b", "--model", "linear", "--data", str(file)]
    assert execute(["run", str(file), *options]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert "leave out --data" in lines[0]


def test_a_file_that_is_not_there_leaves_nothing_behind(
    app: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(app, "--data", str(tmp_path / "none.csv")) == 2
    assert "No such file" in capsys.readouterr().err
    assert not (tmp_path / "parity-home").exists()


@pytest.mark.parametrize(
    "name", ["plain.csv", "two words.csv", 'a "quoted" one', "it's", "back\\slash", "é €.csv"]
)
def test_flowers_parser_reads_the_path_back(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    file.write_text("")
    overrides = with_data(["seed=7"], file)
    assert parse_config_args(list(overrides)) == {"seed": 7, DATA_KEY: str(file)}
    assert tomllib.loads(overrides[1]) == {DATA_KEY: str(file)}


@pytest.mark.parametrize("name", ["'\"", "'\\", "line\nbreak"])
def test_a_path_that_toml_cannot_hold_is_refused(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    file.write_text("")
    with pytest.raises(ConfigError, match="link the file"):
        with_data([], file)


@pytest.mark.parametrize("text", ["run.toml", "data='x.csv'", "seed=1 data='x.csv'"])
def test_data_that_is_named_twice_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "x.csv"
    file.write_text("")
    with pytest.raises(ConfigError, match="only one to name data"):
        with_data([text], file)


def test_a_directory_is_no_data(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Is a directory"):
        with_data([], tmp_path)
