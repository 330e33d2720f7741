"""What a run on a table ended with, as plain data and as ``model/``."""

from __future__ import annotations

from typing import Any

from parity_flwr.app.report.summary import summarise
from parity_flwr.app.runs.folder import RunFolder
from parity_flwr.app.tabular.data import TabularData
from parity_flwr.app.tabular.federation import held_out_metrics
from parity_flwr.app.tabular.metrics import metric_notes
from parity_flwr.app.tabular.model_folder import FOLDER, write_model_folder
from parity_flwr.app.tabular.plan import TabularPlan
from parity_flwr.app.tabular.privacy import TablePrivacy
from parity_flwr.app.tabular.privacy_report import privacy_report
from parity_flwr.app.tabular.training import Trained

NOTHING = "privacy off: nothing is promised; the server sees every update"
"""What is promised without a level."""


def table_result(
    plan: TabularPlan,
    data: TabularData,
    trained: Trained,
    folder: RunFolder,
) -> dict[str, Any]:
    """Return data, metrics and the run's own summary."""
    metrics = held_out_metrics(trained.federation, data, trained.model)
    return {
        **summarise(folder),
        "journal": True,
        "target": plan.target,
        "model": plan.model.value,
        "seed": plan.seed,
        "task": data.task.value,
        "clients": plan.clients,
        "client_names": list(data.names),
        "train_rows": data.train_rows,
        "test_rows": len(data.test),
        "skipped_rows": data.skipped,
        "inputs": data.features,
        "dropped_columns": list(data.encoder.dropped),
        "metrics": metrics,
        "notes": list(metric_notes(metrics, data.test.y, data.classes)),
    }


def spent(privacy: TablePrivacy | None, trained: Trained) -> dict[str, Any]:
    """Return what was promised, and what of it was spent."""
    if privacy is None:
        return {"level": "off", "meaning": [NOTHING]}
    return privacy_report(privacy, trained.ledgers)


def with_model_folder(
    folder: RunFolder, data: TabularData, trained: Trained, result: dict[str, Any]
) -> dict[str, Any]:
    """Write ``model/`` and say where it lies."""
    same = ("target", "model", "task", "seed", "rounds", "clients", "train_rows", "test_rows")
    facts = {"run": folder.id, **{name: result[name] for name in same}}
    facts |= {"metrics": result["metrics"], "privacy": result["privacy"]}
    fitted = trained.federation.fitted(trained.model)
    left_out = write_model_folder(folder.path, fitted, data, facts=facts)
    where = str(folder.path / FOLDER)
    return {**result, "model_folder": where, "notes": [*result["notes"], *left_out]}
