"""Run a plan on an engine, into a run folder like any other run's."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from parity_flwr.app.capture import captured
from parity_flwr.app.chains.choice import ChainChoice
from parity_flwr.app.chains.publishing import Publishing
from parity_flwr.app.engines.engine import Engine
from parity_flwr.app.report.build import write_report
from parity_flwr.app.runs.asked import AskedRun, write_asked
from parity_flwr.app.runs.folder import RunFolder
from parity_flwr.app.runs.follow import Follower
from parity_flwr.app.runs.in_use import held
from parity_flwr.app.runs.live import LiveTable
from parity_flwr.app.runs.outcome import check_outcome
from parity_flwr.app.runs.size import folder_bytes
from parity_flwr.app.runs.stopping import stoppable
from parity_flwr.app.tabular.attack import Attackers, check_attack
from parity_flwr.app.tabular.attack_outcome import (
    attack_outcome,
    resumed_attack,
    write_attack,
)
from parity_flwr.app.tabular.data import Rows, TabularData, exactly_encoded
from parity_flwr.app.tabular.encoding_file import write_encoding
from parity_flwr.app.tabular.federation import check_model
from parity_flwr.app.tabular.loading import load
from parity_flwr.app.tabular.plan import TabularPlan
from parity_flwr.app.tabular.privacy import TablePrivacy
from parity_flwr.app.tabular.private_data import (
    privately_encoded,
    resumed,
    table_privacy,
    write_settings,
)
from parity_flwr.app.tabular.results import NOTHING, spent, table_result, with_model_folder
from parity_flwr.app.tabular.spilling import Watch, unwatched
from parity_flwr.app.tabular.table_app import was_simulated
from parity_flwr.app.tabular.training import Training
from parity_flwr.clients import derived_signer
from parity_flwr.core.privacy.presets import Level
from parity_flwr.core.signatures import Signer
from parity_flwr.errors import ConfigError, RunError


@dataclass(frozen=True, kw_only=True)
class TabularRequest:
    """A plan and where its run goes.

    Parameters
    ----------
    plan : TabularPlan
    home : Path
        ``$PARITY_HOME``.
    resume : RunFolder, optional
        A run of the same plan that did not complete.
    keep_updates : bool
        Keep what clients sent.
    disk_cap : int, optional
        Bytes that the run's folder should not exceed.
    engine : Engine
        In this process, or in Flower's simulation.
    chain : ChainChoice, optional
        Where rounds are anchored and clients are paid.
    asked : AskedRun, optional
        The command line, to be remembered for ``parity rerun``.

    Raises
    ------
    ConfigError
        If the engine is the deployment, or if a private run is to be continued whose clients'
        ledgers ended with a simulation.
    """

    plan: TabularPlan
    home: Path
    resume: RunFolder | None = None
    keep_updates: bool = False
    disk_cap: int | None = None
    engine: Engine = Engine.INPROCESS
    chain: ChainChoice | None = None
    asked: AskedRun | None = None

    def __post_init__(self) -> None:
        if self.engine is Engine.DEPLOYMENT:
            raise ConfigError(
                "a table is in one place, and a deployment's rows are on its nodes",
                came="--engine deployment",
                action="write an app whose clients read their own rows",
            )
        if self.resume is None or self.plan.privacy.level is Level.OFF:
            return
        if self.engine is Engine.SIMULATION or was_simulated(self.resume.path):
            raise ConfigError(
                "continuing a private run needs the ledgers of its clients",
                came="a simulation, with which they ended",
                action="start a new run; its budget adds to what was spent",
            )


def run_table(
    request: TabularRequest,
    table: LiveTable,
    *,
    say: Callable[[str], None] = lambda line: None,
    watch: Watch = unwatched,
) -> dict[str, Any]:
    """Run the plan to its end and return what came out as plain data.

    The folder gets journal, checkpoints, report, ``encoding.json`` with what turns columns
    into inputs, with a privacy level ``privacy.json``, and ``model/`` for use elsewhere.

    Parameters
    ----------
    request : TabularRequest
    table : LiveTable
        Shows the rounds.
    say : callable
        Gets what the privacy level means, line by line, before anything is trained.
    watch : callable
        Gets how far the preparation of a large file is.

    Raises
    ------
    DataError
        The file is not fit for it.
    ConfigError
        The plan is not.
    RunError
        The run gave no sound model.
    StoppedError
        The user interrupted it.
    """
    started = time.perf_counter()
    # A simulation's workers read the file themselves, so that all hold it in memory.
    stored = None if request.engine is Engine.INPROCESS else False
    rows = load(request.plan, stored=stored, watch=watch)
    plan = _with_attack(request, rows.plan)
    check_model(plan, rows.target.task, classes=len(rows.target.classes))
    check_attack(plan)
    privacy = table_privacy(plan, rows)
    meaning = privacy.meaning if privacy else (NOTHING,)
    for line in meaning:
        say(line)
    attackers = Attackers(plan=plan, classes=len(rows.target.classes))
    if plan.attack is not None:
        liars = ", ".join(attackers.identities)
        say(f"attack: {plan.attack.kind} by {liars} of {plan.clients} clients")
    folder, data = _prepared(request, plan, rows, privacy)
    training = Training(
        plan=plan,
        data=data,
        privacy=privacy,
        folder=folder,
        keep_updates=request.keep_updates,
        disk_cap=request.disk_cap,
    )
    table.expect(training.federation(None).rounds)
    with ExitStack() as stack:
        stack.enter_context(stoppable(folder))
        stack.enter_context(held(folder.path))
        stack.enter_context(captured(folder.path / "flower.log"))
        sent = _publishing(request, folder, privacy)
        if sent is not None:
            stack.enter_context(sent)
            if request.resume is None:
                table.pays(sent.rewards)
        stack.enter_context(Follower(lambda: folder, table))
        trained = training.on(request.engine)
    problem = check_outcome(folder)
    if problem:
        raise RunError(
            f"run {folder.id} needs to end with a sound model",
            came=problem,
            action=f"see {folder.path / 'flower.log'}",
        )
    write_report(folder)
    result = table_result(plan, data, trained, folder)
    result["privacy"] = spent(privacy, trained)
    found = None
    if plan.attack is not None:
        found = attack_outcome(folder, attackers, excluded=result["excluded"])
    return with_model_folder(folder, data, trained, result) | {
        "engine": request.engine.value,
        "attack": found,
        "chain": sent.outcome() if sent is not None else None,
        "disk": {"bytes": folder_bytes(folder.path), "cap": request.disk_cap},
        "seconds": round(time.perf_counter() - started, 3),
    }


def _publishing(
    request: TabularRequest, folder: RunFolder, privacy: TablePrivacy | None
) -> Publishing | None:
    """Publish the rounds; with secure sums clients sign, with keys that the run derives."""
    if request.chain is None:
        return None

    def signer_of(identity: str) -> Signer | None:
        place = identity.removeprefix("client-")
        derived = privacy is not None and place.isdecimal()
        return derived_signer(folder.id.encode(), int(place)) if derived else None

    return Publishing(
        request.chain, locate=lambda: folder, resume=request.resume, signer_of=signer_of
    )


def _with_attack(request: TabularRequest, plan: TabularPlan) -> TabularPlan:
    """Return the plan with the attack that a continued run was started with."""
    if request.resume is None:
        return plan
    return replace(plan, attack=resumed_attack(request.resume.path, plan.attack))


def _prepared(
    request: TabularRequest, plan: TabularPlan, rows: Rows, privacy: TablePrivacy | None
) -> tuple[RunFolder, TabularData]:
    """Return the run's folder with its encoding in it, and the encoded data.

    Noise is drawn once for a run: one that is continued has its encoding already.
    """
    before = resumed(request.resume.path, rows, privacy) if request.resume else None
    if before is not None:
        data = before
    elif privacy is not None:
        data = privately_encoded(rows, privacy)
    else:
        data = exactly_encoded(rows)
    folder = request.resume or RunFolder.create(request.home)
    write_asked(folder, request.asked)
    if before is None:
        write_settings(folder.path, privacy)
        write_attack(folder.path, plan.attack)
        write_encoding(folder.path, data, target=request.plan.target)
    return folder, data
