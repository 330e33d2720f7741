"""Run a plan in this process, into a run folder like any other run's."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from flwr.app import ArrayRecord
from numpy.typing import NDArray

from parity_flwr.app.capture import captured
from parity_flwr.app.engines.inprocess import InProcessGrid
from parity_flwr.app.journal.opening import start_journal
from parity_flwr.app.report.build import write_report
from parity_flwr.app.report.files import write_text
from parity_flwr.app.report.summary import summarise
from parity_flwr.app.runs.folder import RunFolder
from parity_flwr.app.runs.follow import Follower
from parity_flwr.app.runs.live import LiveTable
from parity_flwr.app.runs.outcome import check_outcome
from parity_flwr.app.tabular.data import TabularData, load_table
from parity_flwr.app.tabular.federation import (
    TabularFederation,
    build_federation,
    held_out_metrics,
    judge,
)
from parity_flwr.app.tabular.plan import Model, TabularPlan
from parity_flwr.clients import save_forest
from parity_flwr.core.forest import decode_forest
from parity_flwr.errors import RunError


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
    """

    plan: TabularPlan
    home: Path
    resume: RunFolder | None = None
    keep_updates: bool = False


def run_table(request: TabularRequest, table: LiveTable) -> dict[str, Any]:
    """Run the plan to its end and return what came out as plain data.

    The folder gets journal, checkpoints, report, ``encoding.json`` with what turns columns
    into inputs, and a forest also ``model.skops``.

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
    data = load_table(request.plan)
    build_federation(request.plan, data, journal=None)  # refuse before a folder is made
    folder = request.resume or RunFolder.create(request.home)
    journal = start_journal(folder, keep_updates=request.keep_updates)
    federation = build_federation(request.plan, data, journal=journal)
    write_text(folder.path / "encoding.json", _encoding(request.plan, data))
    table.expect(federation.rounds)
    with captured(folder.path / "flower.log"), Follower(lambda: folder, table):
        model = _train(federation, data, request.plan)
    problem = check_outcome(folder)
    if problem:
        raise RunError(
            f"run {folder.id} needs to end with a sound model",
            came=problem,
            action=f"see {folder.path / 'flower.log'}",
        )
    if request.plan.model is Model.RANDOM_FOREST:
        save_forest(folder.path / "model.skops", decode_forest(model))
    write_report(folder)
    return _result(request.plan, data, federation, model, folder) | {
        "seconds": round(time.perf_counter() - started, 3)
    }


def _train(
    federation: TabularFederation, data: TabularData, plan: TabularPlan
) -> Mapping[str, NDArray[Any]]:
    with InProcessGrid(federation.client_app, plan.clients) as grid:
        result = federation.strategy.start(
            grid,
            federation.initial,
            num_rounds=federation.rounds,
            evaluate_fn=judge(federation, data),
        )
    arrays: ArrayRecord = result.arrays
    return {name: array.numpy() for name, array in arrays.items()}


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


def _encoding(plan: TabularPlan, data: TabularData) -> str:
    rules = {name: asdict(rule) for name, rule in data.encoder.rules.items()}
    whole = {
        "target": plan.target,
        "task": data.task.value,
        "classes": list(data.classes),
        "columns": rules,
        "inputs": list(data.encoder.names),
    }
    return json.dumps(whole, indent=1, allow_nan=False) + "\n"
