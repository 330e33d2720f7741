"""The column that is to be predicted: whether it holds classes or a number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_flwr.app.tabular.file_errors import bad, named
from parity_flwr.app.tabular.reading import RawTable, is_known
from parity_flwr.errors import DataError

_FEW = 20  # as many whole numbers at most are taken for classes
_MOST_CLASSES = 100


class Task(StrEnum):
    """What is predicted."""

    CLASSIFICATION = "classification"
    REGRESSION = "regression"


@dataclass(frozen=True, eq=False)
class Target:
    """What is to be predicted, for the rows where it is known.

    Parameters
    ----------
    y : ndarray of shape (n,)
        Indices of the classes (int64), or numbers (float64).
    classes : tuple of str or int or float
        In ascending order; empty for regression.
    """

    y: NDArray[Any]
    classes: tuple[Any, ...] = ()

    @property
    def task(self) -> Task:
        """Return what is predicted."""
        return Task.CLASSIFICATION if self.classes else Task.REGRESSION


def split_target(
    path: Path, table: RawTable, name: str, *, task: Task | None = None
) -> tuple[RawTable, Target]:
    """Return the features and the target of the rows whose target is known.

    Texts, two different numbers, and up to 20 different whole numbers are classes; other
    numbers are regression, unless ``task`` says otherwise.

    Raises
    ------
    DataError
        If there is no such column, it has one class or value only, too many classes, or
        texts where numbers are needed; or if there is nothing to predict it from.
    """
    features = without_target(path, table, name)
    column = table.columns[name]
    known = is_known(column)
    return features.rows(known), _target(path, name, column[known], task)


def without_target(path: Path, table: RawTable, name: str) -> RawTable:
    """Return the other columns.

    Raises
    ------
    DataError
        If there is no such column, or no other.
    """
    if name not in table.columns:
        shown = named(table.columns)
        raise bad(path, f"the target column {name!r}", shown, "check --target")
    if len(table.columns) == 1:
        raise bad(path, "a column besides the target", "none", "give a file with features")
    return table.without(name)


def strata_of(
    y: NDArray[Any], quarters: NDArray[np.float64] | None = None
) -> NDArray[np.int64]:
    """Return classes as they are; of numbers, between which of the quarters they lie.

    Parameters
    ----------
    y : ndarray of shape (n,)
        Indices of classes (int64), or numbers (float64).
    quarters : ndarray of float64, shape (3,), optional
        Where the quarters end; those of y by default.
    """
    if y.dtype != np.float64:
        return y.astype(np.int64)
    edges = quarters_of(y) if quarters is None else quarters
    return np.searchsorted(edges, y).astype(np.int64)


def quarters_of(y: NDArray[Any]) -> NDArray[np.float64]:
    """Return where three quarters of the values end."""
    return np.asarray(np.quantile(y, [0.25, 0.5, 0.75]), np.float64)


def _target(path: Path, name: str, column: NDArray[Any], task: Task | None) -> Target:
    values = sorted(set(column.tolist()))
    classes = class_names(path, name, values, rows=len(column), task=task)
    if not classes:
        return Target(column.astype(np.float64))
    places = {value: k for k, value in enumerate(values)}
    return Target(np.array([places[each] for each in column.tolist()], np.int64), classes)


def class_names(
    path: Path, name: str, values: Sequence[Any], *, rows: int, task: Task | None
) -> tuple[Any, ...]:
    """Return the classes of a target that has these different values; none of regression.

    Parameters
    ----------
    values : sequence of str or float
        In ascending order.
    rows : int
        In which they are.
    task : Task, optional
        What the user says that they are.

    Raises
    ------
    DataError
        If they can be neither.
    """
    if len(values) < 2:
        raise bad(
            path,
            f"two different values in the target {name!r}",
            f"only {values[0]!r}" if values else "none",
            "choose another --target",
        )
    if (task or _inferred(values, rows)) is Task.REGRESSION:
        if isinstance(values[0], str):
            raise _texts(path, name, values)
        return ()
    if len(values) > _MOST_CLASSES:
        if isinstance(values[0], str) and 2 * len(_strange(values)) < len(values):
            raise _texts(path, name, values)
        raise bad(
            path,
            f"at most {_MOST_CLASSES} classes in the target {name!r}",
            str(len(values)),
            "use --task regression, or another --target",
        )
    return tuple(_plain(value) for value in values)


def _strange(values: Sequence[str]) -> list[str]:
    """Return the texts that are no numbers."""
    return [each for each in values if not _is_number(each)]


def _is_number(text: str) -> bool:
    try:
        return bool(np.isfinite(float(text)))
    except ValueError:
        return False


def _texts(path: Path, name: str, values: Sequence[str]) -> DataError:
    found = (_strange(values) or values)[0]
    return bad(
        path,
        f"numbers in the target {name!r}",
        f"texts such as {found[:40]!r}",
        "repair them, or use --task classification",
    )


def _inferred(values: Sequence[Any], rows: int) -> Task:
    texts = isinstance(values[0], str)
    whole = texts or all(float(value).is_integer() for value in values)
    few = len(values) <= _FEW and len(values) <= max(2, rows // 10)
    classes = texts or len(values) == 2 or (whole and few)
    return Task.CLASSIFICATION if classes else Task.REGRESSION


def _plain(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value
