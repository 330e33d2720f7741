"""`parity run data.csv --engine simulation`: the same model, charged by the same clients."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from parity_flwr.app.runs.folder import RunFolder
from parity_flwr.app.tabular.plan import Model, PrivacyAsked, TabularPlan
from parity_flwr.app.tabular.plan_file import read_plan, write_plan
from parity_flwr.app.tabular.target import Task
from parity_flwr.app.verification.verify import verify
from parity_flwr.cli.main import execute
from parity_flwr.core.privacy.presets import Level
from parity_flwr.errors import ConfigError
from private_tables import command, people
from process_tree import needs_proc

pytest.importorskip("pyarrow")


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return people(tmp_path / "people.csv", rows=1200)


def result_of(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    status = execute([*arguments, "--json"])
    captured = capsys.readouterr()
    assert status == 0, captured.err
    found: dict[str, Any] = json.loads(captured.out)
    return found


@pytest.mark.slow
@needs_proc
def test_a_simulated_table_gives_the_same_model(
    table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = command(table, "cost", "linear", "--seed", "3")
    here = result_of(arguments, capsys)
    simulated = result_of([*arguments, "--engine", "simulation"], capsys)
    assert (here["engine"], simulated["engine"]) == ("inprocess", "simulation")
    assert simulated["metrics"] == pytest.approx(here["metrics"], rel=1e-9)
    assert verify(RunFolder(Path(simulated["path"]))).ok


@pytest.mark.slow
@needs_proc
def test_a_simulated_private_table_is_charged_and_not_continued(
    table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("skops")
    arguments = command(table, "sick", "random_forest", "--privacy", "high", "--epsilon", "6")
    result = result_of([*arguments, "--engine", "simulation"], capsys)
    assert set(result["privacy"]["charges"].values()) == {2}  # the encoding, and the round
    assert result["privacy"]["spent"] == pytest.approx(6.0, rel=2e-3)
    assert result["metrics"]["accuracy"] > 0.6
    folder = Path(result["path"])
    assert (folder / "model" / "model.skops").exists()
    assert verify(RunFolder(folder)).ok
    for engine in ("inprocess", "simulation"):
        again = [*arguments, "--resume", result["run_id"], "--engine", engine]
        assert execute(again) == 2
        assert "ledgers of its clients" in capsys.readouterr().err


def test_a_plan_comes_back_from_its_file(tmp_path: Path) -> None:
    asked = PrivacyAsked(level=Level.LOW, epsilon=2.5)
    plan = TabularPlan(
        data=tmp_path / "x.csv",
        target="y",
        model=Model.LOGISTIC,
        task=Task.CLASSIFICATION,
        partition="dirichlet:0.5",
        privacy=asked,
    )
    write_plan(tmp_path, plan)
    assert read_plan(tmp_path) == plan
    for text in ("", "{}", "[]", '{"privacy": {"level": "most"}}'):
        (tmp_path / "plan.json").write_text(text)
        with pytest.raises(ConfigError, match=r"plan\.json"):
            read_plan(tmp_path)
