"""`parity rerun`: the same again, and what is said when it is not the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from apps_made import make_app
from parity_flwr.app.runs.folder import RunFolder
from parity_flwr.cli.main import execute


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Return a table of 120 rows with two classes."""
    pytest.importorskip("pyarrow")
    pytest.importorskip("sklearn")
    rng = np.random.default_rng(0)
    x = rng.normal(size=(120, 3))
    y = (x[:, 0] + x[:, 1] > 0).astype(int)
    lines = ["a,b,c,y", *(f"{a:.4f},{b:.4f},{c:.4f},{t}" for (a, b, c), t in zip(x, y))]  # noqa: B905
    path = tmp_path / "table.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def done(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    """Run a command that succeeds and return its JSON."""
    assert execute([*arguments, "--json"]) == 0, capsys.readouterr().err
    return json.loads(capsys.readouterr().out)


def run_table(capsys: pytest.CaptureFixture[str], path: Path, *more: str) -> Any:
    options = ["--target", "y", "--model", "logistic", "--clients", "3", "--rounds", "2"]
    return done(capsys, "run", str(path), *options, "--quiet", *more)


def run_app(capsys: pytest.CaptureFixture[str], app: Path, *more: str) -> Any:
    options = ["--engine", "inprocess", "--clients", "4", "--quiet"]
    return done(capsys, "run", str(app), *options, *more)


@pytest.mark.parametrize("model", ["logistic", "random_forest"])
def test_a_table_gives_the_same_model(
    model: str, table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("sklearn")
    first = run_table(
        capsys, table, "--model", model, "--seed", "5", "--partition", "stratified"
    )
    again = done(capsys, "rerun", "latest")
    assert again["run_id"] != first["run_id"]
    assert again["model_hash"] == first["model_hash"]
    assert again["metrics"] == first["metrics"]
    assert again["rerun"] == {
        "of": first["run_id"],
        "original_model_hash": first["model_hash"],
        "model_hash": first["model_hash"],
        "same": True,
        "changed": [],
        "reasons": [],
    }


def test_an_app_gives_the_same_model_from_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make_app(tmp_path / "app")
    monkeypatch.chdir(tmp_path / "app")
    first = run_app(capsys, Path(), "--run-config", "rounds=3")
    monkeypatch.chdir(tmp_path)
    again = done(capsys, "rerun", first["run_id"])
    assert (again["rounds"], again["rerun"]["same"]) == (3, True)
    third = done(capsys, "rerun", again["run_id"])
    assert third["rerun"]["of"] == again["run_id"]
    assert third["rerun"]["same"]


@pytest.mark.slow
def test_the_demo_gives_the_same_model(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("sklearn")
    first = done(capsys, "demo", "--seed", "2", "--chain", "off", "--quiet")
    again = done(capsys, "rerun", "latest", "--quiet")
    assert again["accuracy_parity"] == first["accuracy_parity"]
    assert again["rerun"]["same"]


def test_another_seed_gives_another_model_and_says_so(
    table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_table(capsys, table)
    again = done(capsys, "rerun", "latest", "--seed", "9")
    assert again["rerun"]["same"] is False
    assert again["rerun"]["reasons"] == ["the seed is 9 now"]
    assert execute(["rerun", again["run_id"], "--quiet"]) == 0
    text = capsys.readouterr().out
    assert f"rerun      the same model as {again['run_id']}" in text
    assert "--seed 9" not in text


def test_a_seed_needs_an_app_that_has_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_app(capsys, make_app(tmp_path / "app"))
    assert execute(["rerun", "latest", "--seed", "9"]) == 2
    assert "'seed'" in capsys.readouterr().err
    assert len(list((tmp_path / "parity-home" / "runs").iterdir())) == 1


def test_changed_data_is_refused_unless_allowed(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_table(capsys, table)
    with table.open("a") as file:
        file.write("1,1,1,1\n" * 8)
    assert execute(["rerun", "latest"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "--allow-changed-data" in line
    again = done(capsys, "rerun", "latest", "--allow-changed-data")
    assert again["rerun"]["same"] is False
    assert again["rerun"]["reasons"] == [f"the data in {table} changed"]
    table.unlink()
    assert execute(["rerun", "latest", "--allow-changed-data"]) == 2
    assert f"no {table}" in capsys.readouterr().err


def test_a_changed_app_runs_and_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    app = make_app(tmp_path / "app")
    run_app(capsys, app)
    (client,) = app.glob("*/client.py")
    client.write_text(client.read_text().replace("+ 1", "+ 2") + "\n# another\n")
    again = done(capsys, "rerun", "latest")
    assert again["rerun"]["changed"] == [f"the app in {app} changed"]


def test_secrets_are_not_kept_and_must_be_given_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    app = make_app(tmp_path / "app")
    project = app / "pyproject.toml"
    project.write_text(project.read_text() + 'db-password = ""\n')
    first = run_app(capsys, app, "--run-config", "rounds=1 db-password='hunter2'")
    assert "hunter2" not in (Path(first["path"]) / "request.json").read_text()
    assert execute(["rerun", "latest"]) == 2
    assert "run_config db-password" in capsys.readouterr().err
    again = done(capsys, "rerun", "latest", "--run-config", "db-password='hunter2'")
    assert again["rerun"]["same"]
    assert again["rounds"] == 1


def test_a_nodes_key_is_not_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from parity_flwr.cli.asked import asked_of
    from parity_flwr.cli.run import run

    url = "https://user:hunter2@node.example:8545/v3/0123456789"
    app = str(make_app(tmp_path / "app"))
    with run.make_context("run", [app, "--chain", url]) as context:
        asked = asked_of(context)
    assert asked.options["chain"] == "https://node.example:8545"
    assert asked.withheld == ("chain",)


def test_a_run_that_nobody_asked_for_cannot_be_repeated(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = RunFolder.create(tmp_path / "parity-home", "mine")
    assert execute(["rerun", "mine"]) == 2
    assert "request.json" in capsys.readouterr().err
    for text in ("{", "[]", '{"command": "run"}', "[" * 5000, '{"command": 3, "options": {}}'):
        (folder.path / "request.json").write_text(text)
        assert execute(["rerun", "mine"]) == 2
        assert "undamaged" in capsys.readouterr().err


@pytest.mark.parametrize(
    "change",
    [{"command": "wallet"}, {"options": {"no-such": "1"}}, {"options": {"app": ["--x"]}}],
)
def test_a_foreign_request_is_an_error(
    change: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = run_app(capsys, make_app(tmp_path / "app"))
    path = Path(first["path"]) / "request.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    assert execute(["rerun", first["run_id"]]) == 2
    assert len(list((tmp_path / "parity-home" / "runs").iterdir())) == 1


def test_a_resumed_run_keeps_what_started_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    app = make_app(tmp_path / "app")
    command = ["run", str(app), "--engine", "inprocess", "--clients", "4", "--quiet"]
    assert execute([*command, "--run-config", "broken=true"]) == 3
    (folder,) = (tmp_path / "parity-home" / "runs").iterdir()
    before = (folder / "request.json").read_text()
    assert execute([*command, "--resume", "latest"]) == 0
    assert (folder / "request.json").read_text() == before
