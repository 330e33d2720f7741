"""The dry run of a Flower app: its server, up to the first message."""

from __future__ import annotations

from typing import Any

from parity_flwr.app.checking.engines import workers_of
from parity_flwr.app.checking.forecast import Federation, aggregation_bytes
from parity_flwr.app.checking.probing import probe_app
from parity_flwr.app.checking.result import Check
from parity_flwr.app.engines.engine import Engine, check_engine
from parity_flwr.app.engines.flower_app import FlowerApp, read_app
from parity_flwr.app.runs.running import RunRequest


def check_application(request: RunRequest) -> Check:
    """Read the app, run its ServerApp up to its first message elsewhere, and reckon.

    No client is called, so that what their data and training need is not known.
    """
    check = Check()
    clients = request.num_clients
    app = check.attempt(lambda: read_app(request.app, request.run_config))
    check.attempt(
        lambda: check_engine(request.engine, num_clients=clients, superlink=request.superlink)
    )
    workers = check.attempt(lambda: workers_of(request.engine, clients=clients))
    check.configuration = _configuration(request, app)
    if request.engine is Engine.DEPLOYMENT:
        check.unknown.append("how many clients connect, and what the SuperLink's machine has")
    if app is None or check.problems:
        return check
    found = check.attempt(
        lambda: probe_app(app.path, overrides=request.run_config, clients=clients)
    )
    if found is not None:
        _reckon(check, request, found, workers or 0)
    return check


def _configuration(request: RunRequest, app: FlowerApp | None) -> dict[str, Any]:
    return {
        "what": "app",
        "app": str(request.app.absolute()),
        "engine": request.engine.value,
        "clients": request.num_clients,
        "name": app.name if app else None,
        "serverapp": app.serverapp if app else None,
        "clientapp": app.clientapp if app else None,
        "run_config": sorted(app.run_config) if app else [],
        "overrides": sorted(app.overrides) if app else [],
    }


def _reckon(check: Check, request: RunRequest, found: dict[str, Any], workers: int) -> None:
    """Add what the server's first message says."""
    rounds, size = found.get("rounds"), int(found.get("model_bytes", 0))
    check.configuration |= {
        name: found.get(name)
        for name in ("strategy", "inner", "rounds", "parameters", "model_bytes")
    }
    check.forecast["privacy"] = found.get("privacy")
    check.forecast["engine"] = {"name": request.engine.value, "workers": workers}
    check.unknown += [
        "what the clients' data and training take",
        *([] if found.get("privacy") else ["what the app promises about privacy"]),
    ]
    federation = Federation(
        clients=request.num_clients,
        rounds=rounds if isinstance(rounds, int) else 0,
        model_bytes=size,
        remembers=bool(found.get("remembers")),
    )
    held = int(found["server_bytes"])
    check.remember(
        server=held + aggregation_bytes(federation),
        client=held + 3 * size,
        workers=workers,
        basis="the server at its first message, and its round; a client like that server",
    )
    if found.get("journalled"):
        check.foresee(federation, request)
    else:
        check.warnings.append(
            "the app starts none of our strategies: no journal, report, reputation or chain"
        )
