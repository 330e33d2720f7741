"""The dry run of a table: everything but the training is really done."""

from __future__ import annotations

import dataclasses
import importlib
from contextlib import suppress
from typing import Any

from parity_flwr.app.checking.engines import workers_of
from parity_flwr.app.checking.forecast import Federation, aggregation_bytes
from parity_flwr.app.checking.memory import peak_bytes
from parity_flwr.app.checking.result import Check
from parity_flwr.app.tabular.attack import check_attack
from parity_flwr.app.tabular.data import Rows, TabularData, exactly_encoded, load_rows
from parity_flwr.app.tabular.federation import (
    TabularFederation,
    build_federation,
    check_model,
)
from parity_flwr.app.tabular.plan import Model
from parity_flwr.app.tabular.preparing import TabularRequest
from parity_flwr.app.tabular.privacy import TablePrivacy
from parity_flwr.app.tabular.private_data import table_privacy
from parity_flwr.app.tabular.private_federation import build_private
from parity_flwr.app.tabular.private_network import steps_of
from parity_flwr.app.tabular.results import NOTHING
from parity_flwr.clients.dp_model import require_opacus
from parity_flwr.clients.forest_model import require_sklearn
from parity_flwr.core.privacy.accounting import Mechanism, Release, spent_epsilon
from parity_flwr.core.privacy.presets import Level, ModelKind
from parity_flwr.strategies import Reputation

_NODE_BYTES = 32  # of a tree, beside what it predicts
_EXPORTED_NODE_BYTES = 430  # in the formats of model/, measured


def check_table(request: TabularRequest) -> Check:
    """Read, divide and encode the table, build the federation, and reckon with it.

    Nothing is written. With a privacy level no noise is drawn: inputs are counted as they
    are without it.
    """
    check = Check()
    rows = check.attempt(lambda: load_rows(request.plan))
    if rows is None:
        check.configuration = _asked(request)
        return check
    check.configuration = _resolved(request, rows)
    check.attempt(
        lambda: check_model(rows.plan, rows.target.task, classes=len(rows.target.classes))
    )
    check.attempt(lambda: check_attack(rows.plan))
    privacy = check.attempt(lambda: table_privacy(rows.plan, rows))
    workers = check.attempt(lambda: workers_of(request.engine, clients=rows.plan.clients))
    data = check.attempt(lambda: exactly_encoded(rows))
    if check.problems or data is None:
        return check
    check.forecast["privacy"] = _privacy(rows, privacy)
    built = check.attempt(lambda: _built(rows, data, privacy))
    if built is not None:
        _reckon(check, request, rows, data, built, workers or 0)
    return check


def _asked(request: TabularRequest) -> dict[str, Any]:
    plan = request.plan
    return {
        "what": "table",
        "data": str(plan.data),
        "target": plan.target,
        "model": plan.model.value,
        "rounds": plan.rounds,
        "seed": plan.seed,
        "partition": plan.partition,
        "engine": request.engine.value,
    }


def _resolved(request: TabularRequest, rows: Rows) -> dict[str, Any]:
    """Return the configuration with what the file decides."""
    examples = rows.examples
    columns = {name: _kind(values) for name, values in rows.features.columns.items()}
    return {
        **_asked(request),
        "task": rows.target.task.value,
        "classes": [str(each) for each in rows.target.classes],
        "columns": columns,
        "clients": rows.plan.clients,
        "client_names": list(rows.names),
        "train_rows": sum(examples),
        "rows_per_client": examples,
        "test_rows": rows.test_examples,
        "skipped_rows": rows.skipped,
        "privacy": rows.plan.privacy.level.value,
    }


def _kind(values: Any) -> str:
    return "number" if values.dtype.kind in "iufb" else "text"


def _privacy(rows: Rows, privacy: TablePrivacy | None) -> dict[str, Any]:
    """Return what is promised, and what the accountant says of the calibrated noise."""
    if privacy is None:
        return {"level": "off", "meaning": [NOTHING]}
    sizes = sorted(set(rows.examples))
    spent = max(
        spent_epsilon(
            [privacy.encoding, _training(privacy, size, rounds=rows.plan.rounds)],
            delta=privacy.budget.delta,
        )
        for size in {sizes[0], sizes[-1]}
    )
    return {
        **privacy.settings(),
        "meaning": list(privacy.meaning),
        "guarantee": privacy.guarantee,
        "would_spend": spent,
    }


def _training(privacy: TablePrivacy, size: int, *, rounds: int) -> Release:
    """Return the releases of the training of a client with so many rows."""
    if privacy.kind is ModelKind.TORCH:
        count, sampling = steps_of(size, rounds=rounds)
        noise = privacy.training_multiplier(count=count, sampling=sampling)
        return Release(noise_multiplier=noise, count=count, sampling=sampling)
    forest = privacy.kind is ModelKind.FOREST
    mechanism = Mechanism.DISCRETE_LAPLACE if forest else Mechanism.GAUSSIAN
    noise = privacy.training_multiplier(count=1, mechanism=mechanism)
    return Release(noise_multiplier=noise, mechanism=mechanism)


def _built(rows: Rows, data: TabularData, privacy: TablePrivacy | None) -> TabularFederation:
    """Return the federation, with what the run will import by its end imported."""
    if rows.plan.model is Model.RANDOM_FOREST:
        require_sklearn("a forest")
        with suppress(ImportError):  # what saves a forest imports more than what trains one
            importlib.import_module("skops.io")
    if privacy is None:
        return build_federation(rows.plan, data, journal=None)
    if privacy.kind is ModelKind.TORCH:
        require_opacus()
    return build_private(rows.plan, data, privacy, journal=None, run="check")


def _reckon(
    check: Check,
    request: TabularRequest,
    rows: Rows,
    data: TabularData,
    built: TabularFederation,
    workers: int,
) -> None:
    """Add the model and the forecasts that go by its size."""
    arrays = [array.numpy() for array in built.initial.values()]
    grows = _nodes(rows, built) > 0 and rows.plan.privacy.level is Level.OFF
    predicted = 8 * max(1, len(rows.target.classes))
    size = (
        _nodes(rows, built) * (_NODE_BYTES + predicted)
        if grows
        else sum(array.nbytes for array in arrays)
    )
    check.configuration |= {
        "rounds": built.rounds,
        "inputs": data.features,
        "dropped_columns": list(data.encoder.dropped),
        "parameters": None if grows else sum(array.size for array in arrays),
        "model_bytes": size,
        "strategy": type(built.strategy).__name__,
    }
    if grows:
        check.unknown.append("how large the trees become; the figures are for the largest")
    federation = Federation(
        clients=rows.plan.clients,
        rounds=built.rounds,
        model_bytes=size,
        remembers=isinstance(built.strategy, Reputation),
        export_bytes=_EXPORTED_NODE_BYTES * _nodes(rows, built),
    )
    held = peak_bytes()
    check.remember(
        server=held + aggregation_bytes(federation),
        client=held,
        workers=workers,
        basis="this process with the table encoded and the model built, and a server's round",
    )
    check.forecast["engine"] = {"name": request.engine.value, "workers": workers}
    chosen = dataclasses.replace(request, plan=rows.plan)
    check.foresee(federation, chosen)


def _nodes(rows: Rows, built: TabularFederation) -> int:
    """Return the most nodes that a forest can have: every training row a leaf of its own.

    The shared trees of a private forest have the leaves that it counts from the start.
    """
    if rows.plan.model is not Model.RANDOM_FOREST:
        return 0
    if rows.plan.privacy.level is not Level.OFF:
        trees, leaves, _ = next(iter(built.initial.values())).numpy().shape
        return int(2 * trees * leaves)
    per_client = -(-rows.plan.trees // rows.plan.clients)
    return sum(2 * per_client * size for size in rows.examples)
