"""``encoding.json``: what turns columns into inputs, in a run's folder."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from parity_flwr.app.report.files import write_text
from parity_flwr.app.tabular.data import Rows, TabularData
from parity_flwr.app.tabular.features import Encoder, LevelRule, NumberRule
from parity_flwr.app.tabular.target import Task
from parity_flwr.errors import ConfigError, DataError

ENCODING = "encoding.json"
_MAX_BYTES = 64 << 20
_MAX_CLASSES = _MAX_CLASS = 1000  # classes, and characters of one


@dataclass(frozen=True, kw_only=True)
class Encoding:
    """How rows become inputs, and what is predicted from them.

    Parameters
    ----------
    target : str
        The column that is predicted.
    classes : tuple
        Its classes in the order of the outputs; empty for a number.
    encoder : Encoder
        Rules by column.
    centre, scale : float
        Of a target of numbers, for the network's outputs.
    """

    target: str
    classes: tuple[Any, ...]
    encoder: Encoder
    centre: float
    scale: float

    @property
    def task(self) -> Task:
        """Return what is predicted."""
        return Task.CLASSIFICATION if self.classes else Task.REGRESSION


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
    write_text(folder / ENCODING, json.dumps(whole, indent=1, allow_nan=False) + "\n")


def load_encoding(folder: Path) -> Encoding:
    """Return what :func:`write_encoding` wrote, from anybody.

    Raises
    ------
    DataError
        If the file cannot be read, or is no encoding.
    """
    path = folder / ENCODING
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ValueError("size")
        whole = json.loads(path.read_text(encoding="utf-8"))
        rules = {str(name): _rule(each) for name, each in whole["columns"].items()}
        classes = tuple(map(_class, whole["classes"]))
        found = Encoding(
            target=str(whole["target"]),
            classes=classes,
            encoder=Encoder(rules, tuple(map(str, whole["dropped"]))),
            centre=_finite(whole["centre"]),
            scale=_finite(whole["scale"]),
        )
    except (
        OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError,
    ) as error:  # fmt: skip
        raise _unread(type(error).__name__) from error
    if not rules or not found.scale > 0 or found.task.value != whole.get("task"):
        raise _unread("one without columns, scale or task")
    if len(classes) == 1 or len(classes) > _MAX_CLASSES or len(set(classes)) < len(classes):
        raise _unread(f"{len(classes)} classes, or one twice")
    return found


def read_encoding(folder: Path, rows: Rows) -> TabularData:
    """Return the rows encoded as the folder says: noise is drawn once for a run.

    Raises
    ------
    ConfigError
        If the encoding cannot be read, or is for other columns.
    """
    try:
        found = load_encoding(folder)
    except DataError as error:
        raise _bad(error.came) from error
    fits = {*found.encoder.rules, *found.encoder.dropped} == set(rows.features.columns)
    if not fits or rows.target.classes != found.classes:
        raise _bad("the encoding of another table")
    return rows.encoded(found.encoder, centre=found.centre, scale=found.scale)


def _rule(fields: dict[str, Any]) -> NumberRule | LevelRule:
    if "levels" in fields:
        return LevelRule(tuple(map(str, fields["levels"])))
    mean, scale, limit = (_finite(fields[name]) for name in ("mean", "scale", "limit"))
    if not (scale > 0 and limit > 0):
        raise ValueError("scale")
    return NumberRule(mean, scale, bool(fields["marked"]), limit)


def _finite(value: Any) -> float:
    number = float(value)
    if isinstance(value, str | bool) or not math.isfinite(number):
        raise ValueError("number")
    return number


def _class(value: Any) -> Any:
    if isinstance(value, str):
        if len(value) > _MAX_CLASS:
            raise ValueError("class")
        return value
    _finite(value)
    return value


def _unread(came: str) -> DataError:
    return DataError(
        f"{ENCODING} needs to be the one that a run wrote",
        came=came,
        action="fetch it again from its source",
    )


def _bad(came: str) -> ConfigError:
    return ConfigError(
        f"continuing a private run needs its {ENCODING}",
        came=came,
        action="give the data that the run was started with, or start a new run",
    )
