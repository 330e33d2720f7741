"""A table encoded within a privacy budget, once for a run."""

from __future__ import annotations

import json
from collections import ChainMap
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Any, cast

from numpy.typing import NDArray

from parity_flwr.app.report.files import write_text
from parity_flwr.app.tabular.data import Rows, TabularData
from parity_flwr.app.tabular.encoding_file import read_encoding
from parity_flwr.app.tabular.features import NumberRule
from parity_flwr.app.tabular.plan import TabularPlan
from parity_flwr.app.tabular.privacy import TablePrivacy
from parity_flwr.app.tabular.private_encoding import Noise, private_encoder, text_columns
from parity_flwr.app.tabular.reading import RawTable
from parity_flwr.app.tabular.target import Task
from parity_flwr.errors import ConfigError

_NAME = "privacy.json"


def table_privacy(plan: TabularPlan, rows: Rows) -> TablePrivacy | None:
    """Return what the plan promises for these rows; None for ``off``."""
    names = text_columns(rows.features) > 0
    return TablePrivacy.of(plan, examples=rows.examples, names=names)


def privately_encoded(rows: Rows, privacy: TablePrivacy) -> TabularData:
    """Return the data encoded by noisy counts: one Gaussian release of each client.

    A target of numbers is one of the columns.

    Raises
    ------
    ConfigError
        If the noise hides every column, or the target.
    """
    tables = rows.clients()
    target = "\0target"  # no column of a file is called so
    if rows.target.task is Task.REGRESSION:
        pairs = zip(tables, rows.clients_targets(), strict=True)
        tables = [RawTable(_beside(target, y, each.columns)) for each, y in pairs]
    noise = Noise.of(
        tables[0], multiplier=privacy.encoding_multiplier, delta=privacy.naming_delta
    )
    encoder = private_encoder(tables, noise)
    if rows.target.task is Task.CLASSIFICATION:
        return rows.encoded(encoder)
    rule, inputs = encoder.split(target)
    if not isinstance(rule, NumberRule) or not inputs.rules:
        raise ConfigError(
            "a private encoding needs a target and a column that its noise does not hide",
            came=f"noise of {noise.sigma:.3g} on every count, and nothing above it",
            action="raise epsilon, or give more rows or fewer columns",
        )
    return rows.encoded(inputs, centre=rule.mean, scale=rule.scale)


def write_settings(folder: Path, privacy: TablePrivacy | None) -> None:
    """Write down what is promised, before anything else of the run."""
    if privacy is not None:
        text = json.dumps(privacy.settings(), indent=1, allow_nan=False) + "\n"
        write_text(folder / _NAME, text)


def resumed(folder: Path, rows: Rows, privacy: TablePrivacy | None) -> TabularData | None:
    """Return the encoding of a run that is continued; None where there was no privacy.

    Raises
    ------
    ConfigError
        If the run was started with other privacy settings.
    """
    path = folder / _NAME
    try:
        before = json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
    except (OSError, ValueError):
        before = "unreadable"
    now = privacy.settings() if privacy is not None else None
    if before != now:
        level = before.get("level") if isinstance(before, dict) else before or "off"
        raise ConfigError(
            "continuing a run needs the privacy settings that it was started with",
            came=f"others; it was started with {level!r:.40}",
            action="give the same --privacy, --epsilon, --delta, --clip and data",
        )
    return None if privacy is None else read_encoding(folder, rows)


def _beside(
    name: str, values: NDArray[Any], columns: Mapping[str, NDArray[Any]]
) -> Mapping[str, NDArray[Any]]:
    """Return the columns and one more, without reading those that are on disk."""
    return ChainMap({name: values}, cast("MutableMapping[str, NDArray[Any]]", columns))
