"""What the same seed gave without us: `baselines.json` beside the journal."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from pathlib import Path

from parity_flwr.app.report.files import write_text
from parity_flwr.errors import JournalError

FILE_NAME = "baselines.json"
MAX_BYTES = 4 << 20
MAX_POINTS = 100_000


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """One other run on the same seed: its accuracy by round, and at the end."""

    curve: tuple[tuple[int, float], ...] = ()
    final: float | None = None


@dataclass(frozen=True, kw_only=True)
class Baselines:
    """FedAvg over the same clients, and FedAvg over the honest ones alone (the oracle)."""

    fedavg: Baseline = field(default_factory=Baseline)
    oracle: Baseline = field(default_factory=Baseline)


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(f"{value!r:.40} where a number belongs")
    if not math.isfinite(value):
        raise ValueError(f"the number {value!r:.40}")
    return float(value)


def _point(pair: object) -> tuple[int, float]:
    if not isinstance(pair, list) or len(pair) != 2:
        raise ValueError(f"{pair!r:.40} where [round, value] belongs")
    return int(_number(pair[0])), _number(pair[1])


def _baseline(entry: object) -> Baseline:
    if entry is None:
        return Baseline()
    if not isinstance(entry, dict):
        raise ValueError(f"{entry!r:.40} where an object belongs")
    pairs = entry.get("accuracy", [])
    if not isinstance(pairs, list) or len(pairs) > MAX_POINTS:
        raise ValueError(f"'accuracy' that is no list of at most {MAX_POINTS} points")
    curve = tuple(sorted(_point(pair) for pair in pairs))
    final = entry.get("final", curve[-1][1] if curve else None)
    return Baseline(curve=curve, final=None if final is None else _number(final))


def read_baselines(folder: Path) -> Baselines:
    """Read `baselines.json` of a run's folder; none there is no error.

    Raises
    ------
    JournalError
        The file is too large or not what it should be.
    """
    path = folder / FILE_NAME
    if not path.is_file():
        return Baselines()
    try:
        data = _load(path)
        return Baselines(
            fedavg=_baseline(data.get("fedavg")), oracle=_baseline(data.get("oracle"))
        )
    except (OSError, ValueError, RecursionError, OverflowError) as error:
        raise JournalError(
            f"{path} needs the accuracy of the baselines as JSON",
            came=str(error),
            action="delete the file and run again with --baseline",
        ) from error


def _load(path: Path) -> dict[str, object]:
    if path.stat().st_size > MAX_BYTES:
        raise ValueError(f"more than {MAX_BYTES} bytes")
    data = json.loads(path.read_bytes())
    if not isinstance(data, dict):
        raise ValueError(f"{data!r:.40} where an object belongs")
    return data


def baselines_json(baselines: Baselines) -> str:
    """Return the file's text."""
    entries = {"fedavg": baselines.fedavg, "oracle": baselines.oracle}
    return json.dumps(
        {
            name: {"accuracy": [list(point) for point in entry.curve], "final": entry.final}
            for name, entry in entries.items()
            if entry.curve or entry.final is not None
        },
        indent=1,
        sort_keys=True,
    )


def write_baselines(folder: Path, baselines: Baselines) -> Path:
    """Write the baselines beside the journal; return the file's path."""
    return write_text(folder / FILE_NAME, baselines_json(baselines))
