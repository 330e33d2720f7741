"""The example `adopt`: the README shows the exact change, and both servers run."""

from __future__ import annotations

import difflib
import json
from pathlib import Path

import pytest

from flower_runs import flwr_run
from parity_flwr.app.engines.engine import Engine, RunOutcome, run_app
from parity_flwr.app.journal import open_journal
from parity_flwr.app.runs.folder import RunFolder
from process_tree import needs_proc
from test_docs import blocks

pytest.importorskip("torch")
pytest.importorskip("sklearn")
pytestmark = pytest.mark.repository

ROUNDS = 6


def changed_lines(diff: list[str]) -> list[str]:
    """Return what a diff adds and removes, without its headers."""
    return [line for line in diff if line[:1] in "+-" and line[:3] not in ("+++", "---")]


def accuracies(path: Path) -> list[float]:
    return list(json.loads(path.read_text()).values())


def run(repository: Path, folder: Path, *overrides: str) -> tuple[RunOutcome, list[float]]:
    output = folder / "curve.json"
    outcome = run_app(
        repository / "examples" / "adopt",
        engine=Engine.INPROCESS,
        folder=RunFolder(folder / "run"),
        num_clients=10,
        run_config_overrides=[
            f"output='{output}'",
            f"num-server-rounds={ROUNDS}",
            *overrides,
        ],
    )
    assert outcome.completed, outcome.reason
    return outcome, accuracies(output)


def test_the_readme_shows_all_that_differs(repository: Path) -> None:
    folder = repository / "examples" / "adopt"
    before, after = (
        (folder / "parity_adopt" / name).read_text().splitlines()
        for name in ("stock.py", "trusted.py")
    )
    (shown,) = blocks(folder / "README.md", "diff")
    real = changed_lines(list(difflib.unified_diff(before, after, lineterm="")))
    assert changed_lines(shown.splitlines()) == real
    assert len(real) == 3


def test_three_lines_hold_against_the_broken_client(repository: Path, tmp_path: Path) -> None:
    outcome, curve = run(repository, tmp_path)
    assert len(curve) == ROUNDS + 1
    assert curve[-1] > 0.9
    assert outcome.journal is not None
    last = open_journal(outcome.journal).rounds()[-1]
    excluded = [each.identity for each in last.decision.replies if each.excluded]
    assert excluded == ["node:1003"]


def test_without_them_the_model_is_ruined(repository: Path, tmp_path: Path) -> None:
    outcome, curve = run(repository, tmp_path, "trust=false")
    assert outcome.journal is None
    assert curve[-1] < 0.3


@pytest.mark.slow
@needs_proc
def test_plain_flwr_runs_it_as_it_was(repository: Path, tmp_path: Path) -> None:
    output = tmp_path / "curve.json"
    log = flwr_run(
        repository / "examples" / "adopt",
        tmp_path / "flower",
        clients=10,
        run_config=f"trust=false num-server-rounds={ROUNDS} output='{output}'",
    )
    assert output.is_file(), log[-2000:]
    assert accuracies(output)[-1] <= 0.85
