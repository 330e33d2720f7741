"""Run a Flower app on one of three engines, and say honestly how it ended."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from parity_flwr.app.engines.deployment import find_journal, run_deployment
from parity_flwr.app.engines.flower_app import FlowerApp, read_app
from parity_flwr.app.engines.flower_cli import FlowerRun
from parity_flwr.app.engines.inprocess_run import run_inprocess
from parity_flwr.app.engines.simulation import run_simulation
from parity_flwr.app.environment import Environment
from parity_flwr.app.runs.folder import RunFolder
from parity_flwr.app.runs.outcome import check_outcome, has_journal
from parity_flwr.core.wire import REPUTATION_FROM, RESUME
from parity_flwr.errors import ConfigError

Started = Callable[[str], None]


class Engine(StrEnum):
    """Where clients run."""

    INPROCESS = "inprocess"  # called one after another in this process
    SIMULATION = "simulation"  # by Ray, on a SuperLink of our own
    DEPLOYMENT = "deployment"  # on SuperNodes that are connected to a running SuperLink


@dataclass(frozen=True, kw_only=True)
class RunOutcome:
    """How a run ended."""

    status: str  # "completed" or "failed"
    reason: str = ""  # why it failed, on one line
    flower_run_id: str | None = None
    seconds: float = 0.0  # wall time
    exit_code: int = 0  # 1: the run failed; 2: what the user gave made it fail
    journal: RunFolder | None = None  # where the journal is; None if it is out of reach

    @property
    def completed(self) -> bool:
        """Whether the run gave a model."""
        return self.status == "completed"


@dataclass(frozen=True, kw_only=True)
class _Job:
    """What the three engines need to know."""

    app: FlowerApp
    folder: RunFolder
    num_clients: int
    superlink: str | None
    root_certificates: Path | None
    on_started: Started | None


def run_app(
    app_dir: Path,
    *,
    engine: Engine,
    folder: RunFolder,
    num_clients: int = 10,
    run_config_overrides: Sequence[str] = (),
    superlink: str | None = None,
    root_certificates: Path | None = None,
    on_started: Started | None = None,
) -> RunOutcome:
    """Run a Flower app to its end, with its journal in ``folder`` where that is possible.

    Parameters
    ----------
    app_dir : Path
        Where the app's pyproject.toml lies.
    engine : Engine
        Where its clients run. Only the deployment engine cannot choose where the journal
        goes: see :func:`parity_flwr.app.engines.deployment.find_journal`.
    folder : RunFolder
        Gets ``flower.log`` and whatever the engine needs.
    num_clients : int
        How many clients to simulate, at least 1; a deployment has those that connect.
    run_config_overrides : sequence of str
        ``"key=value"``, as for ``flwr run --run-config``.
    superlink : str, optional
        For the deployment engine: ``HOST:PORT`` or the name of a Flower connection.
    root_certificates : Path, optional
        For a SuperLink with a certificate authority of its own.
    on_started : callable, optional
        Gets Flower's run id as soon as it is known.

    Returns
    -------
    RunOutcome
        "failed" also if Flower says "completed" but the journal has no accepted round, or
        an empty model, or one that is not finite.

    Raises
    ------
    ConfigError
        The app, an override, or an option is wrong.
    MissingExtraError
        The engine is not installed.
    EngineError
        The engine does not start.
    """
    check_engine(engine, num_clients=num_clients, superlink=superlink)
    job = _Job(
        app=read_app(app_dir, run_config_overrides),
        folder=folder,
        num_clients=num_clients,
        superlink=superlink,
        root_certificates=root_certificates,
        on_started=on_started,
    )
    _check_continuation(job.app, engine)
    folder.make()
    started = time.monotonic()
    run = _RUNNERS[engine](job)
    return _outcome(run, _journal(job, run), time.monotonic() - started)


def check_engine(engine: Engine, *, num_clients: int, superlink: str | None) -> None:
    """Refuse an engine with what it cannot have.

    Raises
    ------
    ConfigError
        There is no client, or a SuperLink is missing or too much.
    """
    if num_clients < 1:
        raise ConfigError(
            "a federation needs at least 1 client",
            came=str(num_clients),
            action="raise the number of clients",
        )
    if (engine is Engine.DEPLOYMENT) != (superlink is not None):
        came = "none" if superlink is None else f"one for the engine {engine.value}"
        raise ConfigError(
            "the deployment engine, and no other, needs a SuperLink",
            came=came,
            action="give --engine deployment --superlink HOST:PORT",
        )


def _check_continuation(app: FlowerApp, engine: Engine) -> None:
    """Refuse the deployment's way of continuing a run where a command option is the way."""
    options = {RESUME: "--resume", REPUTATION_FROM: "--reputation-from"}
    given = [key for key in options if app.overrides.get(key)]
    if given and engine is not Engine.DEPLOYMENT:
        raise ConfigError(
            "a run on this machine is continued by an option",
            came=f"{given[0]} in the run config",
            action=f"give {options[given[0]]} RUN",
        )


def _journal(job: _Job, run: FlowerRun) -> RunFolder | None:
    """Return the folder with the run's journal, if there is one on this machine."""
    if job.superlink is None:
        return job.folder if has_journal(job.folder) else None
    return find_journal(Environment.read().home, run.run_id) if run.run_id else None


def _outcome(run: FlowerRun, journal: RunFolder | None, seconds: float) -> RunOutcome:
    problem = check_outcome(journal) if run.completed and journal is not None else ""
    reason = problem if run.completed else run.reason
    failed = bool(reason) or not run.completed
    return RunOutcome(
        status="failed" if failed else "completed",
        reason=reason,
        flower_run_id=run.run_id,
        seconds=seconds,
        exit_code=(2 if run.input_error else 1) if failed else 0,
        journal=journal,
    )


def _variables(folder: RunFolder) -> dict[str, str]:
    """Return the environment by which the strategy finds its journal."""
    return dataclasses.replace(Environment.read(), run_dir=folder.path).variables()


def _inprocess(job: _Job) -> FlowerRun:
    return run_inprocess(
        job.app,
        folder=job.folder.path,
        client_logs=job.folder.client_logs,
        variables=_variables(job.folder),
        num_clients=job.num_clients,
        on_started=job.on_started,
    )


def _simulation(job: _Job) -> FlowerRun:
    return run_simulation(
        job.app,
        folder=job.folder.path,
        variables=_variables(job.folder),
        num_clients=job.num_clients,
        on_started=job.on_started,
    )


def _deployment(job: _Job) -> FlowerRun:
    return run_deployment(
        job.app,
        superlink=job.superlink or "",
        folder=job.folder.path,
        root_certificates=job.root_certificates,
        on_started=job.on_started,
    )


_RUNNERS: dict[Engine, Callable[[_Job], FlowerRun]] = {
    Engine.INPROCESS: _inprocess,
    Engine.SIMULATION: _simulation,
    Engine.DEPLOYMENT: _deployment,
}
