"""`parity bench overhead`: what reputation costs the server of a real ``flwr run``."""

from __future__ import annotations

import json
import statistics
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from parity_flwr.app.bench.phases import PHASES
from parity_flwr.app.engines.engine import Engine, run_app
from parity_flwr.app.runs.folder import RunFolder
from parity_flwr.errors import RunError

STRATEGIES = ("fedavg", "reputation")
TARGET = 0.05

_PROJECT = """
[project]
name = "overhead"
version = "1.0.0"
description = "Times the phases of a strategy's rounds"
license = { text = "Apache-2.0" }
dependencies = []

[tool.flwr.app]
publisher = "parity"

[tool.flwr.app.components]
serverapp = "overheadapp.apps:server_app"
clientapp = "overheadapp.apps:client_app"

[tool.flwr.app.config]
strategy = "fedavg"
report = ""
clients = 10
rounds = 5
parameters = 159010
"""
_APPS = """
from parity_flwr.app.bench import overhead_app

server_app = overhead_app.server_app
client_app = overhead_app.client_app
"""


def overhead(
    *, clients: int, rounds: int, parameters: int, report: Callable[[str], None]
) -> dict[str, Any]:
    """Return what both strategies' phases cost in Flower's simulation engine.

    A phase's CPU time is that of the ServerApp's whole process, so Flower's threads that
    work meanwhile are in it. A round is the time from its ``configure_train`` to the next
    one's.

    Parameters
    ----------
    clients, rounds, parameters : int
        Clients, rounds and about how many parameters the MLP has.
    report : callable
        Gets a line for every strategy when it is done.

    Returns
    -------
    dict
        ``strategies`` by name: ``wall_s`` and ``cpu_s`` of a round, medians; ``phases``, CPU
        seconds of each, medians; ``share``, CPU over wall time of all rounds; ``by_round``.
        The first round, in which Ray starts its workers, is in ``by_round`` only. Then
        ``overhead``, the difference of both strategies' CPU seconds over a round's wall time
        under reputation, and ``target``, what the share should not be over.

    Raises
    ------
    RunError
        If a run does not end well.
    """
    size = {"clients": clients, "rounds": rounds, "parameters": parameters}
    found: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory(prefix="parity-overhead-") as place:
        app = _write_app(Path(place) / "app")
        for name in STRATEGIES:
            found[name] = summary(_timed_run(app, Path(place) / name, name, size))
            report(
                f"{name}: {found[name]['share']:.4f} of {found[name]['wall_s']:.2f} s a round"
            )
    ours, theirs = found["reputation"], found["fedavg"]
    more = (ours["cpu_s"] - theirs["cpu_s"]) / ours["wall_s"]
    return {**size, "strategies": found, "overhead": round(more, 5), "target": TARGET}


def summary(phases: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return a round's figures from the calls of one run.

    Examples
    --------
    >>> calls = [("configure_train", 0.1, 0.0, 0.2), ("aggregate_train", 0.3, 3.0, 4.0)]
    >>> keys = ("name", "cpu_s", "began_s", "ended_s")
    >>> found = summary([{"round": 1, **dict(zip(keys, call))} for call in calls])
    >>> found["wall_s"], found["cpu_s"], found["share"]
    (4.0, 0.4, 0.1)
    """
    numbers = sorted({each["round"] for each in phases})
    calls = {k: [each for each in phases if each["round"] == k] for k in numbers}
    starts = [min(each["began_s"] for each in calls[k]) for k in numbers]
    ends = [*starts[1:], max(each["ended_s"] for each in phases)]
    by_round = [
        {
            "round": k,
            "wall_s": round(end - start, 6),
            "cpu_s": round(sum(each["cpu_s"] for each in calls[k]), 6),
            **{name: round(_cpu(calls[k], name), 6) for name in PHASES},
        }
        for k, start, end in zip(numbers, starts, ends, strict=True)
    ]
    warm = by_round[1:] or by_round
    columns = {key: [each[key] for each in warm] for key in warm[0]}
    return {
        "wall_s": round(statistics.median(columns["wall_s"]), 6),
        "cpu_s": round(statistics.median(columns["cpu_s"]), 6),
        "phases": {name: round(statistics.median(columns[name]), 6) for name in PHASES},
        "share": round(sum(columns["cpu_s"]) / sum(columns["wall_s"]), 5),
        "by_round": by_round,
    }


def _cpu(calls: Sequence[Mapping[str, Any]], name: str) -> float:
    return sum(float(each["cpu_s"]) for each in calls if each["name"] == name)


def _timed_run(app: Path, folder: Path, strategy: str, size: Mapping[str, int]) -> Any:
    report = folder.with_suffix(".json")
    texts = [f'strategy="{strategy}"', f'report="{report}"']
    texts += [f"{key}={value}" for key, value in size.items()]
    outcome = run_app(
        app,
        engine=Engine.SIMULATION,
        folder=RunFolder(folder),
        num_clients=size["clients"],
        run_config_overrides=texts,
    )
    if not outcome.completed or not report.is_file():
        raise RunError(
            f"the timed run of {strategy} needs to end well",
            came=outcome.reason or "no figures",
            action="try fewer --clients, or parity doctor",
        )
    return json.loads(report.read_text(encoding="utf-8"))


def _write_app(folder: Path) -> Path:
    package = folder / "overheadapp"
    package.mkdir(parents=True)
    (folder / "pyproject.toml").write_text(_PROJECT, encoding="utf-8")
    (package / "__init__.py").write_text("", encoding="utf-8")
    (package / "apps.py").write_text(_APPS, encoding="utf-8")
    return folder
