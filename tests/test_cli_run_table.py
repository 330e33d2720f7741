"""`parity run data.csv`, from the command line to the run folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from parity_flwr.app.journal.opening import open_journal
from parity_flwr.app.runs.folder import RunFolder
from parity_flwr.app.verification.verify import verify
from parity_flwr.cli.main import execute

pytest.importorskip("pyarrow")
pytest.importorskip("sklearn")


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Return a table of 400 people: sick by age and dose, cost a number."""
    rng = np.random.default_rng(0)
    lines = ["age,dose,colour,sick,cost"]
    for _ in range(400):
        age, dose = rng.integers(20, 90), rng.normal()
        sick = "yes" if (age - 55) / 15 + dose + 0.3 * rng.normal() > 0 else "no"
        shown = "" if rng.random() < 0.1 else f"{dose:.3f}"
        colour = ["red", "green", "blue"][rng.integers(3)]
        lines.append(f"{age},{shown},{colour},{sick},{3 * age + 20 * dose:.2f}")
    path = tmp_path / "people.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def run(path: Path, target: str, model: str, *options: str) -> int:
    return execute(
        ["run", str(path), "--target", target, "--model", model, "--clients", "4", *options]
    )


CLASSES = {"accuracy", "auc", "f1", "average_precision", "loss"}
NUMBERS = {"r2", "rmse", "mae"}
CASES = [
    ("sick", "neural_network", CLASSES, "accuracy", 0.8),
    ("sick", "logistic", CLASSES, "accuracy", 0.8),
    ("sick", "random_forest", CLASSES, "accuracy", 0.8),
    ("cost", "neural_network", NUMBERS, "r2", 0.7),
    ("cost", "linear", NUMBERS, "r2", 0.85),
    ("cost", "random_forest", NUMBERS, "r2", 0.7),
]


@pytest.mark.parametrize(("target", "model", "names", "best", "least"), CASES)
def test_every_model_ends_with_metrics_that_fit(
    target: str,
    model: str,
    names: set[str],
    best: str,
    least: float,
    table: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if model == "neural_network":
        pytest.importorskip("torch")
    monkeypatch.setenv("PARITY_HOME", str(tmp_path / "home"))
    assert run(table, target, model, "--rounds", "4", "--json") == 0
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert set(result["metrics"]) == names
    assert result["metrics"][best] > least
    assert result["metric"]["name"] == best
    assert result["metric"]["value"] == pytest.approx(result["metrics"][best], rel=1e-6)
    assert (result["train_rows"], result["test_rows"]) == (320, 80)
    folder = RunFolder(Path(result["path"]))
    assert verify(folder).ok
    assert "The last model besides: " in folder.report.read_text(encoding="utf-8")
    journalled = [each.metrics for each in open_journal(folder).evaluations()]
    assert all(set(each) == names for each in journalled[1:])
    assert json.loads((folder.path / "encoding.json").read_text())["target"] == target
    assert (folder.path / "model" / "model.skops").exists() == (model == "random_forest")


def test_it_prints_what_came_out_and_repeats(
    table: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PARITY_HOME", str(tmp_path / "home"))
    outputs = []
    for _ in range(2):
        assert run(table, "sick", "logistic", "--rounds", "2", "--seed", "3", "--quiet") == 0
        outputs.append(capsys.readouterr().out.splitlines()[1:-3])
    assert outputs[0] == outputs[1]
    assert any(line.startswith("accuracy   ") for line in outputs[0])
    assert "data       320 rows on 4 clients, 80 held out, 8 inputs" in outputs[0]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--model", "logistic"], "--target"),
        (["--target", "sick"], "--model"),
        (["--target", "sick", "--model", "linear"], "predicts numbers"),
        (["--target", "cost", "--model", "logistic"], "predicts classes"),
        (["--target", "gone", "--model", "logistic"], "'gone'"),
        (["--target", "sick", "--model", "logistic", "--clients", "500"], "500 clients"),
        (["--target", "sick", "--model", "logistic", "--engine", "deployment"], "--engine"),
        (["--target", "sick", "--model", "logistic", "--baseline"], "--baseline"),
        (["--target", "sick", "--model", "logistic", "--partition", "odd"], "partition"),
    ],
)
def test_what_does_not_fit_is_one_line(
    options: list[str],
    expected: str,
    table: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PARITY_HOME", str(tmp_path / "home"))
    assert execute(["run", str(table), *options]) == 2
    captured = capsys.readouterr()
    assert expected in captured.err
    assert captured.err.count("\n") == 1
    assert not (tmp_path / "home" / "runs").exists()


def test_the_options_of_a_table_are_not_an_apps(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(["run", str(tmp_path), "--target", "x"]) == 2
    assert "needs a CSV file" in capsys.readouterr().err
