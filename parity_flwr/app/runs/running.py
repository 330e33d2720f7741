"""`parity run`: one run from its options to its outcome, shown as it goes on."""

from __future__ import annotations

import dataclasses
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from parity_flwr.app.chains.choice import ChainChoice
from parity_flwr.app.chains.publishing import Publishing
from parity_flwr.app.engines.deployment import find_journal
from parity_flwr.app.engines.engine import Engine, RunOutcome, check_engine, run_app
from parity_flwr.app.engines.flower_app import read_app
from parity_flwr.app.environment import Environment, exported
from parity_flwr.app.journal import open_journal
from parity_flwr.app.report.baselines import Baseline, Baselines, write_baselines
from parity_flwr.app.report.summary import summarise
from parity_flwr.app.report.view import headline_metric, metric_curve
from parity_flwr.app.runs.asked import AskedRun, write_asked
from parity_flwr.app.runs.folder import RunFolder, new_id
from parity_flwr.app.runs.follow import Follower
from parity_flwr.app.runs.in_use import held, nothing_left
from parity_flwr.app.runs.live import LiveTable
from parity_flwr.app.runs.results import results_path, summary_lines
from parity_flwr.app.runs.size import folder_bytes
from parity_flwr.app.runs.stopping import stoppable
from parity_flwr.core.wire import REPUTATION_FROM, RESUME
from parity_flwr.errors import ConfigError, RunError

BASELINE_FOLDER = "fedavg"


@dataclass(frozen=True, kw_only=True)
class RunRequest:
    """What a user asks of one run."""

    app: Path
    engine: Engine
    num_clients: int = 10
    run_config: tuple[str, ...] = ()
    superlink: str | None = None
    root_certificates: Path | None = None
    resume: RunFolder | None = None
    reputation_from: RunFolder | None = None
    keep_updates: bool = False
    disk_cap: int | None = None  # bytes that the run's folder should not exceed
    baseline: bool = False
    timeout_s: float | None = None
    chain: ChainChoice | None = None
    asked: AskedRun | None = None  # the command line, to be remembered

    def __post_init__(self) -> None:
        if self.engine is Engine.DEPLOYMENT:
            self._check_deployment()
        if self.resume is not None and self.reputation_from is not None:
            raise ConfigError(
                "a resumed run needs the reputation in its own journal",
                came="--resume with --reputation-from",
                action="leave one of them out",
            )

    def _check_deployment(self) -> None:
        local = {
            "--keep-updates": self.keep_updates,
            "--disk-cap": self.disk_cap,
            "--baseline": self.baseline,
        }
        given = [name for name, value in local.items() if value]
        if given:
            raise ConfigError(
                "the deployment engine needs its journal's options where the ServerApp runs",
                came=", ".join(given),
                action="set the PARITY_ variables (docs/cli.md) for the SuperLink's process",
            )


@contextmanager
def time_limit(seconds: float | None, *, run_id: str) -> Iterator[None]:
    """Interrupt the main thread after so many seconds, as Ctrl-C would.

    Raises
    ------
    RunError
        The time was up.
    """
    if seconds is None:
        yield
        return
    over = threading.Event()

    def interrupt(signum: int, frame: object) -> None:
        over.set()
        raise KeyboardInterrupt

    # Not SIGINT: a shell's background job ignores it, and so would the limit.
    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    except KeyboardInterrupt:
        if not over.is_set():
            raise
        raise RunError(
            f"the run needs to end within --timeout {seconds:g} s",
            came="a longer one; it was stopped",
            action=f"continue it with --resume {run_id}, or allow more time",
        ) from None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _folder(request: RunRequest, home: Path) -> RunFolder:
    """Return the run's folder; a new one is made only once the app's files make sense.

    In a deployment the ServerApp's process makes it, or continues it, so that ours only
    holds a log.
    """
    if request.resume is not None and request.engine is not Engine.DEPLOYMENT:
        return request.resume
    place = "deployments" if request.engine is Engine.DEPLOYMENT else "runs"
    return RunFolder(home / place / new_id())


def _require_sense(request: RunRequest) -> None:
    """Refuse what cannot run before there is a folder of it."""
    check_engine(request.engine, num_clients=request.num_clients, superlink=request.superlink)
    read_app(request.app, request.run_config)


def run_overrides(request: RunRequest) -> tuple[str, ...]:
    """Return the run config, which in a deployment is how a wish reaches the ServerApp."""
    if request.engine is not Engine.DEPLOYMENT:
        return request.run_config
    asked = {RESUME: request.resume, REPUTATION_FROM: request.reputation_from}
    found = [f"{key}='{run.id}'" for key, run in asked.items() if run is not None]
    return (*request.run_config, *found)


def _environment(request: RunRequest) -> Environment:
    environment = Environment.read()
    carried = request.reputation_from
    return dataclasses.replace(
        environment,
        keep_updates=environment.keep_updates or request.keep_updates,
        disk_cap=request.disk_cap or environment.disk_cap,
        publish=environment.publish or request.chain is not None,
        reputation_from=str(carried.path)
        if carried is not None
        else environment.reputation_from,
    )


def _start(
    request: RunRequest,
    folder: RunFolder,
    environment: Environment,
    table: LiveTable,
) -> tuple[RunOutcome, Publishing | None]:
    """Run the app; also return what published its rounds, if the request asks for that."""
    started: list[str] = []

    def on_started(flower_run_id: str) -> None:
        started.append(flower_run_id)
        table(f"started Flower's run {flower_run_id}, log in {folder.path / 'flower.log'}")

    def locate() -> RunFolder | None:
        if request.engine is not Engine.DEPLOYMENT:
            return folder
        return find_journal(environment.home, started[0]) if started else None

    sent = None
    if request.chain is not None:
        sent = Publishing(request.chain, locate=locate, resume=request.resume)
    with ExitStack() as stack:
        stack.enter_context(exported(environment.variables()))
        if sent is not None:
            stack.enter_context(sent)
            if request.resume is None:
                table.pays(sent.rewards)
        stack.enter_context(Follower(locate, table))
        outcome = run_app(
            request.app,
            engine=request.engine,
            folder=folder,
            num_clients=request.num_clients,
            run_config_overrides=run_overrides(request),
            superlink=request.superlink,
            root_certificates=request.root_certificates,
            on_started=on_started,
        )
    return outcome, sent


def perform(request: RunRequest, table: LiveTable) -> dict[str, Any]:
    """Run an app to its end and return what came out as plain data.

    The run stays on the main thread, where an interrupt reaches it; a thread of its own
    draws the journal.

    Raises
    ------
    ConfigError
        What the user gave made the run fail.
    RunError
        The run failed, gave no sound model, or took longer than its limit.
    StoppedError
        The user interrupted it.
    """
    environment = _environment(request)
    _require_sense(request)
    folder = _folder(request, environment.home).make()
    with (
        stoppable(folder),
        nothing_left(folder.path),
        held(folder.path),
        time_limit(request.timeout_s, run_id=folder.id),
    ):
        write_asked(folder, request.asked)
        outcome, sent = _start(request, folder, environment, table)
        if outcome.journal is not None:  # of a deployment it lies elsewhere
            write_asked(outcome.journal, request.asked)
        _require_success(outcome, folder)
        result = _result(outcome, folder)
        result["chain"] = sent.outcome() if sent is not None else None
        if request.baseline:
            result["baseline"] = _run_baseline(request, folder, environment, table)
    result["disk"] = {"bytes": folder_bytes(folder.path), "cap": environment.disk_cap}
    return result


def _require_success(outcome: RunOutcome, folder: RunFolder) -> None:
    if outcome.completed:
        return
    kind = ConfigError if outcome.exit_code == ConfigError.exit_code else RunError
    raise kind(
        f"run {folder.id} needs to end with a sound model",
        came=outcome.reason or "no reason given",
        action=f"see {folder.path / 'flower.log'}",
    )


def _result(outcome: RunOutcome, folder: RunFolder) -> dict[str, Any]:
    journal = outcome.journal
    facts = {"run_id": folder.id, "path": str(folder.path), "status": outcome.status}
    return {
        **(facts if journal is None else summarise(journal)),
        "journal": journal is not None,
        "flower_run_id": outcome.flower_run_id,
        "results": None if journal is None else results_path(journal),
        "summary": [] if journal is None else summary_lines(journal),
        "seconds": round(outcome.seconds, 3),
    }


def _run_baseline(
    request: RunRequest, folder: RunFolder, environment: Environment, table: LiveTable
) -> dict[str, Any]:
    """Run the app once more without reputation, and keep its accuracy beside the run's."""
    table("once more without reputation, as the baseline")
    beside = RunFolder(folder.path / BASELINE_FOLDER)
    alone = dataclasses.replace(environment, trust=False, reputation_from=None, publish=False)
    again = dataclasses.replace(request, resume=None, chain=None)
    outcome, _ = _start(again, beside, alone, table)
    # An unguarded run may end in a ruined model: what was measured on the way still counts.
    evaluations = open_journal(beside).evaluations() if outcome.journal is not None else []
    found = headline_metric(evaluations)
    if found is None:
        return {"metric": None, "reason": outcome.reason or "nothing was evaluated"}
    curve = metric_curve(evaluations, source=found[0], name=found[1])
    final = curve[-1][1] if curve else None
    baselines = Baselines(fedavg=Baseline(curve=curve, final=final))
    write_baselines(folder.path, baselines)
    return {"metric": {"name": found[1], "source": found[0], "value": final}, "reason": ""}
