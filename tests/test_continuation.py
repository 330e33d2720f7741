"""A run is continued, or its reputation carried on, by what the run config asks for."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, MetricRecord
from flwr.supercore.run import Run

from parity_flwr.app.conformance import honest_app
from parity_flwr.app.engines.engine import Engine, run_app
from parity_flwr.app.engines.flower_app import read_app
from parity_flwr.app.engines.inprocess import InProcessGrid
from parity_flwr.app.journal import open_journal
from parity_flwr.app.journal.opening import from_environment
from parity_flwr.app.runs.folder import RunFolder, all_runs
from parity_flwr.app.runs.running import RunRequest, run_overrides
from parity_flwr.core.encoding import model_hash
from parity_flwr.errors import ConfigError
from parity_flwr.strategies import ReputationFedAvg

APPS = Path(__file__).parent / "apps"
ROUNDS = 4


class StoppedError(Exception):
    """Stands for a crash of the server."""


def train(*, stop_after: int = ROUNDS, **asked: str) -> str:
    """Run four rounds with a run config that a submitter overrode; return the model's hash."""

    def evaluate(round_: int, arrays: ArrayRecord) -> MetricRecord:
        if round_ > stop_after:
            raise StoppedError
        return MetricRecord({"round": round_})

    with InProcessGrid(honest_app(), 5) as grid:
        config = {f"parity-{name}".replace("_", "-"): value for name, value in asked.items()}
        grid.set_run(dataclasses.replace(Run.create_empty(7), override_config={**config}))
        result = ReputationFedAvg(seed=1).start(
            grid,
            ArrayRecord({"w": Array(np.zeros(8))}),
            num_rounds=ROUNDS,
            evaluate_fn=evaluate,
        )
    assert result.arrays is not None
    return model_hash({name: array.numpy() for name, array in result.arrays.items()})


def newest(home: Path) -> RunFolder:
    return max(all_runs(home), key=lambda run: run.path.stat().st_mtime_ns)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "parity-home"  # as conftest sets it


def test_a_submitter_continues_a_run_by_its_id(home: Path) -> None:
    whole = train()
    with pytest.raises(StoppedError):
        train(stop_after=2)
    broken = next(
        run for run in all_runs(home) if open_journal(run).status().status == "failed"
    )
    before = len(open_journal(broken).rounds())
    assert 0 < before < ROUNDS
    assert train(resume=broken.id) == whole
    assert len(open_journal(broken).rounds()) == ROUNDS
    assert len(all_runs(home)) == 2


def test_a_submitter_carries_reputation_into_a_new_run(home: Path) -> None:
    train()
    (first,) = all_runs(home)
    last = open_journal(first).rounds()[-1].state
    train(reputation_from=first.id)
    (second,) = (run for run in all_runs(home) if run.id != first.id)
    header = open_journal(second).header()
    assert header is not None
    assert header.initial_state.standings == last.standings


@pytest.mark.parametrize("name", ["../elsewhere", "/etc", "a/b", ".", "a\nb"])
def test_a_submitter_names_runs_not_files(home: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="a run config needs a run's id"):
        train(resume=name)
    with pytest.raises(ConfigError, match="a run config needs a run's id"):
        train(reputation_from=name)


def test_an_unknown_run_is_not_made(home: Path) -> None:
    with pytest.raises(ConfigError, match="a run needs to be one of those"):
        train(resume="absent")
    assert all_runs(home) == []


def test_two_wishes_at_once_are_refused(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="with parity-reputation-from"):
        from_environment(resume="one", reputation_from="two")
    monkeypatch.setenv("PARITY_RUN_DIR", str(home / "runs" / "mine"))
    with pytest.raises(ConfigError, match="with PARITY_RUN_DIR"):
        from_environment(resume="one")


def test_a_deployment_sends_the_options_as_run_config(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "runs" / "earlier")
    app = Path("app")
    resumed = RunRequest(app=app, engine=Engine.DEPLOYMENT, run_config=("a=1",), resume=run)
    carried = RunRequest(app=app, engine=Engine.DEPLOYMENT, reputation_from=run)
    assert run_overrides(resumed) == ("a=1", "parity-resume='earlier'")
    assert run_overrides(carried) == ("parity-reputation-from='earlier'",)
    local = RunRequest(app=app, engine=Engine.INPROCESS, resume=run)
    assert run_overrides(local) == ()


def test_an_app_that_does_not_declare_it_is_told_how() -> None:
    with pytest.raises(ConfigError, match='add parity-resume = "" to'):
        read_app(APPS / "tiny", ["parity-resume='x'"])


@pytest.mark.repository
def test_other_engines_have_an_option_for_it(repository: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="give --resume RUN"):
        run_app(
            repository / "examples" / "quickstart",
            engine=Engine.INPROCESS,
            folder=RunFolder(tmp_path / "run"),
            run_config_overrides=["parity-resume='x'"],
        )
    assert not (tmp_path / "run").exists()
