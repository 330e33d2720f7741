"""Run a plan in this process, into a run folder like any other run's."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flwr.app import ArrayRecord
from numpy.typing import NDArray

from parity_flwr.app.capture import captured
from parity_flwr.app.chains.choice import ChainChoice
from parity_flwr.app.chains.publishing import Publishing
from parity_flwr.app.engines.inprocess import InProcessGrid
from parity_flwr.app.journal.opening import start_journal
from parity_flwr.app.report.build import write_report
from parity_flwr.app.report.summary import summarise
from parity_flwr.app.runs.folder import RunFolder
from parity_flwr.app.runs.follow import Follower
from parity_flwr.app.runs.live import LiveTable
from parity_flwr.app.runs.outcome import check_outcome
from parity_flwr.app.tabular.data import Rows, TabularData, exactly_encoded, load_rows
from parity_flwr.app.tabular.encoding_file import write_encoding
from parity_flwr.app.tabular.federation import (
    TabularFederation,
    build_federation,
    check_model,
    held_out_metrics,
    judge,
)
from parity_flwr.app.tabular.plan import Model, TabularPlan
from parity_flwr.app.tabular.privacy import TablePrivacy
from parity_flwr.app.tabular.privacy_report import client_ledgers, privacy_report
from parity_flwr.app.tabular.private_data import (
    privately_encoded,
    resumed,
    table_privacy,
    write_settings,
)
from parity_flwr.app.tabular.private_federation import build_private
from parity_flwr.clients import derived_signer, save_forest
from parity_flwr.core.forest import decode_forest
from parity_flwr.core.signatures import Signer
from parity_flwr.errors import RunError

NOTHING = "privacy off: nothing is promised; the server sees every update"
"""What is promised without a level."""


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
    chain : ChainChoice, optional
        Where rounds are anchored and clients are paid.
    """

    plan: TabularPlan
    home: Path
    resume: RunFolder | None = None
    keep_updates: bool = False
    chain: ChainChoice | None = None


def run_table(
    request: TabularRequest, table: LiveTable, *, say: Callable[[str], None] = lambda line: None
) -> dict[str, Any]:
    """Run the plan to its end and return what came out as plain data.

    The folder gets journal, checkpoints, report, ``encoding.json`` with what turns columns
    into inputs, with a privacy level ``privacy.json``, and an exact forest ``model.skops``.

    Parameters
    ----------
    request : TabularRequest
    table : LiveTable
        Shows the rounds.
    say : callable
        Gets what the privacy level means, line by line, before anything is trained.

    Raises
    ------
    DataError
        The file is not fit for it.
    ConfigError
        The plan is not.
    RunError
        The run gave no sound model.
    """
    started = time.perf_counter()
    plan = request.plan
    rows = load_rows(plan)
    check_model(plan, rows.target.task, classes=len(rows.target.classes))
    privacy = table_privacy(plan, rows)
    meaning = privacy.meaning if privacy else (NOTHING,)
    for line in meaning:
        say(line)
    folder, data = _prepared(request, rows, privacy)
    journal = start_journal(folder, keep_updates=request.keep_updates)
    if privacy is None:
        federation = build_federation(plan, data, journal=journal)
    else:
        federation = build_private(plan, data, privacy, journal=journal, run=folder.id)
    table.expect(federation.rounds)
    with ExitStack() as stack:
        stack.enter_context(captured(folder.path / "flower.log"))
        sent = _publishing(request, folder, privacy)
        if sent is not None and request.chain is not None:
            if request.resume is None:
                table.pays(request.chain.rewards)
            stack.enter_context(sent)
        stack.enter_context(Follower(lambda: folder, table))
        model, state = _train(federation, data, plan)
    problem = check_outcome(folder)
    if problem:
        raise RunError(
            f"run {folder.id} needs to end with a sound model",
            came=problem,
            action=f"see {folder.path / 'flower.log'}",
        )
    if plan.model is Model.RANDOM_FOREST and privacy is None:
        save_forest(folder.path / "model.skops", decode_forest(model))
    write_report(folder)
    return _result(plan, data, federation, model, folder) | {
        "privacy": _spent(privacy, state, plan),
        "chain": sent.outcome() if sent is not None else None,
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


def _prepared(
    request: TabularRequest, rows: Rows, privacy: TablePrivacy | None
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
    if before is None:
        write_settings(folder.path, privacy)
        write_encoding(folder.path, data, target=request.plan.target)
    return folder, data


def _spent(privacy: TablePrivacy | None, state: bytes, plan: TabularPlan) -> dict[str, Any]:
    if privacy is None:
        return {"level": "off", "meaning": [NOTHING]}
    return privacy_report(
        privacy, client_ledgers(state, clients=plan.clients, budget=privacy.budget)
    )


def _train(
    federation: TabularFederation, data: TabularData, plan: TabularPlan
) -> tuple[Mapping[str, NDArray[Any]], bytes]:
    """Return the model and the clients' state."""
    with InProcessGrid(federation.client_app, plan.clients) as grid:
        result = federation.strategy.start(
            grid,
            federation.initial,
            num_rounds=federation.rounds,
            evaluate_fn=judge(federation, data),
        )
        state = grid.save_client_state()
    arrays: ArrayRecord = result.arrays
    return {name: array.numpy() for name, array in arrays.items()}, state


def _result(
    plan: TabularPlan,
    data: TabularData,
    federation: TabularFederation,
    model: Mapping[str, NDArray[Any]],
    folder: RunFolder,
) -> dict[str, Any]:
    return {
        **summarise(folder),
        "journal": True,
        "model": plan.model.value,
        "task": data.task.value,
        "clients": plan.clients,
        "train_rows": sum(len(each) for each in data.clients),
        "test_rows": len(data.test),
        "skipped_rows": data.skipped,
        "inputs": data.features,
        "dropped_columns": list(data.encoder.dropped),
        "metrics": held_out_metrics(federation, data, model),
    }
