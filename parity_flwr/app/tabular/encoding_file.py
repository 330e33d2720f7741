"""``encoding.json``: what turns columns into inputs, in a run's folder."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from parity_flwr.app.report.files import write_text
from parity_flwr.app.tabular.data import Rows, TabularData
from parity_flwr.app.tabular.features import Encoder, LevelRule, NumberRule
from parity_flwr.errors import ConfigError

_NAME = "encoding.json"


def write_encoding(folder: Path, data: TabularData, *, target: str) -> None:
    """Write the encoding into a run's folder, whole or not at all."""
    whole = {
        "target": target,
        "task": data.task.value,
        "classes": list(data.classes),
        "columns": {name: asdict(rule) for name, rule in data.encoder.rules.items()},
        "dropped": list(data.encoder.dropped),
        "inputs": list(data.encoder.names),
        "centre": data.centre,
        "scale": data.scale,
    }
    write_text(folder / _NAME, json.dumps(whole, indent=1, allow_nan=False) + "\n")


def read_encoding(folder: Path, rows: Rows) -> TabularData:
    """Return the rows encoded as the folder says: noise is drawn once for a run.

    Raises
    ------
    ConfigError
        If the encoding cannot be read, or is for other columns.
    """
    try:
        whole = json.loads((folder / _NAME).read_text(encoding="utf-8"))
        rules = {str(name): _rule(each) for name, each in whole["columns"].items()}
        encoder = Encoder(rules, tuple(map(str, whole["dropped"])))
        centre, scale = float(whole["centre"]), float(whole["scale"])
        fits = {*rules, *encoder.dropped} == set(rows.features.columns)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise _bad(type(error).__name__) from error
    if not fits or list(rows.target.classes) != whole["classes"] or not scale > 0:
        raise _bad("the encoding of another table")
    return rows.encoded(encoder, centre=centre, scale=scale)


def _rule(fields: dict[str, Any]) -> NumberRule | LevelRule:
    if "levels" in fields:
        return LevelRule(tuple(map(str, fields["levels"])))
    mean, scale, limit = (float(fields[name]) for name in ("mean", "scale", "limit"))
    return NumberRule(mean, scale, bool(fields["marked"]), limit)


def _bad(came: str) -> ConfigError:
    return ConfigError(
        f"continuing a private run needs its {_NAME}",
        came=came,
        action="give the data that the run was started with, or start a new run",
    )
