"""`parity check`: its forecasts beside real runs, what it refuses, and what it leaves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from apps_made import make_app
from measured_commands import parity
from parity_flwr.app.journal import open_journal
from parity_flwr.app.journal.outbox import SqlOutbox
from parity_flwr.app.runs.folder import RunFolder
from parity_flwr.app.runs.size import folder_bytes
from parity_flwr.cli.check import check
from parity_flwr.cli.main import execute
from parity_flwr.cli.run import run

APPS = Path(__file__).parent / "apps"
_MEMORY, _DISK = 1.5, 2.0
"""How far the figures may be from what a run takes: docs/runs.md says so."""


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Return a table of 600 people."""
    return people(tmp_path, 600)


def people(folder: Path, count: int) -> Path:
    """Write a table of people: sick by age and dose, cost a number."""
    pytest.importorskip("pyarrow")
    pytest.importorskip("sklearn")
    rng = np.random.default_rng(0)
    lines = ["age,dose,colour,sick,cost"]
    for _ in range(count):
        age, dose = rng.integers(20, 90), rng.normal()
        sick = "yes" if (age - 55) / 15 + dose > 0 else "no"
        colour = ("red", "green", "blue")[rng.integers(3)]
        lines.append(f"{age},{dose:.3f},{colour},{sick},{3 * age + 20 * dose:.2f}")
    path = folder / "people.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def checked(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> Any:
    """Check in this process and return the JSON."""
    assert execute(["check", *arguments, "--json"]) == code
    return json.loads(capsys.readouterr().out)


def near(forecast: float, real: float, *, factor: float) -> bool:
    return real / factor < forecast < real * factor


def _outbox(folder: RunFolder) -> list[int]:
    """Return the gas of each transaction of a run."""
    journal = open_journal(folder)
    return [row.gas_used or 0 for row in SqlOutbox(journal.database, journal.run_id).rows()]


CASES = [
    ("sick", "neural_network", ()),
    ("sick", "logistic", ("--privacy", "low")),
    ("cost", "linear", ("--privacy", "high")),
    ("sick", "random_forest", ("--privacy", "medium")),
    ("cost", "neural_network", ("--keep-updates", "--chain", "embedded")),
]


@pytest.mark.slow
@pytest.mark.parametrize(("target", "model", "more"), CASES)
def test_a_table_runs_as_foreseen(
    target: str, model: str, more: tuple[str, ...], tmp_path: Path
) -> None:
    pytest.importorskip("torch")
    if "--privacy" in more:
        pytest.importorskip("opacus")
    if "--chain" in more:
        pytest.importorskip("eth")
    table = people(tmp_path, 2_400)  # so many that noise hides no column
    options = (str(table), "--target", target, "--model", model, "--clients", "4", *more)
    options += ("--rounds", "6") if model != "linear" else ()
    foreseen = parity("check", *options)
    assert foreseen.code == 0
    assert not (tmp_path / "parity-home").exists()
    real = parity("run", *options, "--quiet")
    assert real.code == 0
    expected, found = foreseen.result, real.result
    for name in ("train_rows", "test_rows", "task", "clients", "skipped_rows"):
        assert expected["configuration"][name] == found[name]
    assert expected["configuration"]["rounds"] == found["rounds"]
    assert near(expected["memory"]["server_bytes"], real.peak_bytes, factor=_MEMORY)
    if "--privacy" in more:
        assert expected["privacy"]["would_spend"] == pytest.approx(
            found["privacy"]["spent"], rel=1e-3
        )
    else:
        assert expected["configuration"]["inputs"] == found["inputs"]
    (folder,) = (tmp_path / "parity-home" / "runs").iterdir()
    assert near(expected["disk"]["bytes"], folder_bytes(folder), factor=_DISK)
    if "--chain" in more:
        rows = _outbox(RunFolder(folder))
        assert expected["chain"]["transactions"] == len(rows)
        assert expected["chain"]["gas"] == pytest.approx(sum(rows), rel=1e-3)


@pytest.mark.slow
def test_an_app_runs_as_foreseen(tmp_path: Path) -> None:
    app = make_app(tmp_path / "app")
    options = (str(app), "--engine", "inprocess", "--clients", "4", "--run-config", "rounds=5")
    foreseen = parity("check", *options)
    assert not (tmp_path / "parity-home").exists()
    real = parity("run", *options, "--quiet")
    configuration = foreseen.result["configuration"]
    assert (configuration["rounds"], configuration["parameters"]) == (5, 3)
    assert (configuration["strategy"], configuration["inner"]) == ("Reputation", "FedAvg")
    assert near(foreseen.result["memory"]["server_bytes"], real.peak_bytes, factor=_MEMORY)
    (folder,) = (tmp_path / "parity-home" / "runs").iterdir()
    assert near(foreseen.result["disk"]["bytes"], folder_bytes(folder), factor=_DISK)


def test_the_options_are_those_of_a_run() -> None:
    names = {param.name for param in run.params} - {param.name for param in check.params}
    assert names == {"quiet", "timeout", "resume"}


def test_it_leaves_nothing(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    app = make_app(tmp_path / "app")
    before = sorted(tmp_path.rglob("*"))
    checked(capsys, str(table), "--target", "cost", "--model", "linear")
    checked(capsys, str(app), "--engine", "inprocess")
    assert sorted(tmp_path.rglob("*")) == before


def test_people_read_it_too(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["check", str(table), "--target", "cost", "--model", "linear"]) == 0
    text = capsys.readouterr().out
    assert "columns            age (number), dose (number), colour (text)" in text
    assert "rows per client    48, 48," in text
    assert text.splitlines()[-1] == "would run"
    assert execute(["check", str(table), "--target", "age", "--model", "logistic"]) == 2
    assert capsys.readouterr().out.splitlines()[-1] == "would not run"


def test_natural_clients_are_counted(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--target", "cost", "--model", "linear", "--partition", "by:colour")
    found = checked(capsys, str(table), *options)["configuration"]
    assert found["client_names"] == ["blue", "green", "red"]
    assert found["clients"] == 3


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--target", "nope", "--model", "linear"), "target column 'nope'"),
        (("--target", "cost"), "--model"),
        (("--target", "cost", "--model", "logistic"), "logistic model predicts classes"),
        (("--target", "cost", "--model", "linear", "--clients", "900"), "900 clients"),
        (("--target", "cost", "--model", "linear", "--epsilon", "1"), "privacy level"),
        (("--target", "cost", "--model", "linear", "--run-config", "a=1"), "own options"),
        (("--target", "cost", "--model", "linear", "--engine", "deployment"), "one place"),
        (("--target", "cost", "--model", "linear", "--chain", "ftp://x"), "--chain"),
        (
            ("--target", "cost", "--model", "linear", "--chain", "http://127.0.0.1:9"),
            "node",
        ),
    ],
)
def test_what_would_not_run_is_a_problem(
    options: tuple[str, ...], said: str, table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = checked(capsys, str(table), *options, code=2)
    assert found["runs"] is False
    assert said in " ".join(str(each) for each in found["problems"])


@pytest.mark.parametrize(
    ("break_it", "options", "said"),
    [
        ("", ("--run-config", "round=3"), "did you mean 'rounds'?"),
        ("", ("--run-config", "broken=true"), "the server app broke"),
        ("", ("--clients", "3"), "Reputation waits for more"),
        ("", ("--target", "x"), "--target needs a CSV file"),
        ("server.py", (), "No module named 'nowhere'"),
        ("client.py", (), "No module named 'nowhere'"),
    ],
)
def test_an_app_that_would_not_run_says_why(
    break_it: str,
    options: tuple[str, ...],
    said: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    app = make_app(tmp_path / "app")
    if break_it:
        (path,) = app.glob(f"*/{break_it}")
        path.write_text("import nowhere\n" + path.read_text())
    found = checked(capsys, str(app), "--engine", "inprocess", *options, code=2)
    assert said in " ".join(str(each) for each in found["problems"])


def test_an_app_that_ends_its_process_is_a_problem(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    app = make_app(tmp_path / "app")
    (path,) = app.glob("*/server.py")
    path.write_text("import os\nprint('goodbye')\nos._exit(3)\n")
    found = checked(capsys, str(app), "--engine", "inprocess", code=2)
    assert found["problems"][0]["came"] == "goodbye"


def test_central_privacy_is_foreseen(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("dp_accounting")
    options = ("--engine", "inprocess", "--clients", "4", "--run-config")
    config = "num-clients=4 num-server-rounds=3"
    found = checked(capsys, str(APPS / "guarded"), *options, config)["privacy"]
    assert (found["epsilon"], found["delta"], found["rounds_covered"]) == (4.0, 1e-3, 3)
    assert 3.99 < found["would_spend"] <= 4.0


def test_a_stock_app_is_told_what_it_misses(capsys: pytest.CaptureFixture[str]) -> None:
    found = checked(capsys, str(APPS / "tiny"), "--engine", "inprocess", "--clients", "2")
    assert found["configuration"]["strategy"] == "FedAvg"
    assert found["disk"] is None
    assert "none of our strategies" in found["warnings"][0]
