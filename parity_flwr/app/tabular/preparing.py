"""From a plan to what can be trained: its rows read, divided, encoded, and a run folder."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path

from parity_flwr.app.chains.choice import ChainChoice
from parity_flwr.app.engines.engine import Engine
from parity_flwr.app.runs.asked import AskedRun, write_asked
from parity_flwr.app.runs.folder import RunFolder
from parity_flwr.app.tabular.attack import Attackers, check_attack
from parity_flwr.app.tabular.attack_outcome import resumed_attack, write_attack
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
from parity_flwr.app.tabular.results import NOTHING
from parity_flwr.app.tabular.spilling import Watch, unwatched
from parity_flwr.app.tabular.table_app import was_simulated
from parity_flwr.core.privacy.presets import Level
from parity_flwr.errors import ConfigError


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


@dataclass(frozen=True, kw_only=True, eq=False)
class PreparedTable:
    """What :func:`prepare_table` returns.

    Parameters
    ----------
    request : TabularRequest
    plan : TabularPlan
        With the clients that there are, and the attack of a run that is continued.
    data : TabularData
        Encoded.
    privacy : TablePrivacy, optional
        Its level and budget, unless it is off.
    attackers : Attackers
    folder : RunFolder
        Where the run goes; it holds the encoding.
    meaning : tuple of str
        What the privacy level means and who attacks: to be shown before anything is trained.
    started_s : float
        When it was begun, of ``time.perf_counter``.
    """

    request: TabularRequest
    plan: TabularPlan
    data: TabularData
    privacy: TablePrivacy | None
    attackers: Attackers
    folder: RunFolder
    meaning: tuple[str, ...]
    started_s: float


def prepare_table(request: TabularRequest, *, watch: Watch = unwatched) -> PreparedTable:
    """Read, check, divide and encode what the plan names, and make the run's folder.

    Parameters
    ----------
    request : TabularRequest
    watch : callable
        Gets how far the preparation of a large file is.

    Raises
    ------
    DataError
        The file is not fit for it.
    ConfigError
        The plan is not.
    """
    started = time.perf_counter()
    # A simulation's workers read the file themselves, so that all hold it in memory.
    stored = None if request.engine is Engine.INPROCESS else False
    rows = load(request.plan, stored=stored, watch=watch)
    plan = _with_attack(request, rows.plan)
    check_model(plan, rows.target.task, classes=len(rows.target.classes))
    check_attack(plan)
    privacy = table_privacy(plan, rows)
    attackers = Attackers(plan=plan, classes=len(rows.target.classes))
    folder, data = _encoded(request, plan, rows, privacy)
    return PreparedTable(
        request=request,
        plan=plan,
        data=data,
        privacy=privacy,
        attackers=attackers,
        folder=folder,
        meaning=_meaning(plan, privacy, attackers),
        started_s=started,
    )


def _meaning(
    plan: TabularPlan, privacy: TablePrivacy | None, attackers: Attackers
) -> tuple[str, ...]:
    meaning = tuple(privacy.meaning) if privacy else (NOTHING,)
    if plan.attack is None:
        return meaning
    liars = ", ".join(attackers.identities)
    return (*meaning, f"attack: {plan.attack.kind} by {liars} of {plan.clients} clients")


def _with_attack(request: TabularRequest, plan: TabularPlan) -> TabularPlan:
    """Return the plan with the attack that a continued run was started with."""
    if request.resume is None:
        return plan
    return replace(plan, attack=resumed_attack(request.resume.path, plan.attack))


def _encoded(
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
