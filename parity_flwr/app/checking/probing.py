"""Ask a process of its own what an app would do, and leave nothing of it behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from parity_flwr.app.engines.failure import one_line
from parity_flwr.app.engines.processes import flower_variables
from parity_flwr.errors import ConfigError, EngineError, RunError

TIMEOUT_S = 300.0
_MODULE = "parity_flwr.app.checking.probe"
_MAX_BYTES = 1 << 20


def probe_app(
    app: Path,
    *,
    overrides: Sequence[str] = (),
    clients: int,
    timeout_s: float = TIMEOUT_S,
) -> dict[str, Any]:
    """Return what :func:`parity_flwr.app.checking.probe.probe` found out about an app.

    The ServerApp runs in a child process, with a home and a run's folder that are removed
    afterwards, up to its first message; what it writes elsewhere by itself stays.

    Raises
    ------
    ConfigError
        The directory is no app, its configuration is refused, or it waits for more clients.
    EngineError
        It cannot be imported.
    RunError
        Its ServerApp fails, ends without asking a client, or takes too long.
    """
    with tempfile.TemporaryDirectory(prefix="parity-check-") as name:
        folder = Path(name)
        asked = {
            "app": str(app.resolve()),
            "overrides": list(overrides),
            "clients": clients,
        }
        output = _ran(folder, json.dumps(asked), timeout_s=timeout_s)
        return _sound(_read(folder / "result.json", output), clients=clients)


def _ran(folder: Path, asked: str, *, timeout_s: float) -> str:
    """Run the child and return the end of what it wrote."""
    variables = flower_variables(
        folder / "flower-home",
        PARITY_HOME=str(folder / "home"),
        PARITY_RUN_DIR=str(folder / "home" / "runs" / "check"),
        PYTHONDONTWRITEBYTECODE="1",
    )
    for secret in ("PARITY_JOURNAL", "PARITY_REPUTATION_FROM", "PARITY_PUBLISH"):
        variables.pop(secret, None)
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", _MODULE, str(folder / "result.json")],
            input=asked,
            text=True,
            errors="replace",
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=variables,
            cwd=os.getcwd(),  # noqa: PTH109 - relative paths of the app mean this one
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise RunError(
            f"checking an app needs its first message within {timeout_s:g} s",
            came="none",
            action="see what its ServerApp does before it starts its strategy",
        ) from error
    return done.stdout


def _read(path: Path, output: str) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            found = json.loads(file.read(_MAX_BYTES))
    except (OSError, ValueError) as error:
        lines = [line for line in output.splitlines() if line.strip()]
        raise RunError(
            "checking an app needs a ServerApp that does not end its process",
            came=one_line(lines[-1])[:200] if lines else "a process that died",
            action="run it with: parity run APP --engine inprocess",
        ) from error
    return found if isinstance(found, dict) else {}


def _sound(found: dict[str, Any], *, clients: int) -> dict[str, Any]:
    """Return what was found unless it says why the app would not run."""
    if "refused" in found:
        needed, came, action = map(str, found["refused"])
        refusal = EngineError if needed.startswith("the app ") else ConfigError
        raise refusal(needed, came=came, action=action)
    if "failed" in found:
        kind = ConfigError if found.get("input_error") else RunError
        raise kind(
            "an app needs a ServerApp that comes to its first message",
            came=str(found["failed"]),
            action="fix the app, or install what it needs",
        )
    if found.get("waits"):
        raise ConfigError(
            "a strategy needs as many clients as it waits for",
            came=f"{clients}, and {found.get('strategy', 'the strategy')} waits for more",
            action="raise --clients, or lower the app's minimum",
        )
    if not found.get("messages"):
        raise RunError(
            "an app needs a ServerApp that asks clients for something",
            came="one that ended without a message",
            action="call the strategy's start() in it",
        )
    return found
