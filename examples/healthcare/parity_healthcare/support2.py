"""SUPPORT2: 9,105 seriously ill patients of five hospitals, 1989 to 1994 (Knaus et al. 1995).

What may predict: what was known on the third day in the study. Left out, because they come
from the outcome or from later days (:data:`LEAKS`), or say nothing (:data:`UNUSED`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np

from parity_flwr.errors import DataError, MissingExtraError
from parity_healthcare.patients import Patients, scaled

TARGET: Final = "hospdead"
GROUP: Final = "dzgroup"

LEAKS: Final = {
    "death": "died at any time in the follow-up",
    "d.time": "days of follow-up, which death ends",
    "slos": "days from entry to discharge or death",
    "charges": "hospital charges of the whole stay",
    "totcst": "costs of the whole stay",
    "totmcst": "costs of the whole stay",
    "avtisst": "intensity of treatment, averaged over days 3 to 25",
    "sfdm2": "functional disability two months later; one of its levels is death",
    "surv2m": "prediction of a survival model that was fitted to these patients",
    "surv6m": "prediction of a survival model that was fitted to these patients",
    "sps": "physiology score whose weights were fitted to these patients' survival",
    "prg2m": "the physician's own estimate of survival",
    "prg6m": "the physician's own estimate of survival",
    "dnr": "an order not to resuscitate, given on any day of the stay",
    "dnrday": "the day of that order",
}
"""Columns that know the outcome, or guess it, and why they are left out."""

UNUSED: Final = {
    "sno": "the patient's number",
    "dzclass": "a coarser form of the group",
    "adlp": "missing for most; adlsc is its filled-in form",
    "adls": "missing for many; adlsc is its filled-in form",
}
"""Columns that are left out because they add nothing."""

# low, high: the plausible clinical range; a value outside is cut.
NUMBERS: Final = {
    "age": (18.0, 100.0),
    "num.co": (0.0, 9.0),
    "edu": (0.0, 20.0),
    "scoma": (0.0, 100.0),
    "aps": (0.0, 143.0),
    "hday": (1.0, 40.0),
    "meanbp": (20.0, 180.0),
    "wblc": (0.0, 40.0),
    "hrt": (20.0, 200.0),
    "resp": (0.0, 60.0),
    "temp": (34.0, 41.0),
    "pafi": (50.0, 550.0),
    "alb": (1.0, 5.0),
    "bili": (0.0, 20.0),
    "crea": (0.0, 10.0),
    "sod": (115.0, 160.0),
    "ph": (7.0, 7.7),
    "glucose": (40.0, 500.0),
    "bun": (0.0, 120.0),
    "urine": (0.0, 5000.0),
    "adlsc": (0.0, 7.0),
}
"""Numbers and their ranges."""

LOGARITHMIC: Final = {"bili", "crea", "bun", "glucose", "hday", "wblc"}
"""Numbers with a long upper tail."""

# The first seven are the data set's own advice for missing values.
NORMAL: Final = {
    "alb": 3.5,
    "pafi": 333.3,
    "bili": 1.01,
    "crea": 1.01,
    "bun": 6.51,
    "wblc": 9.0,
    "urine": 2502.0,
    "age": 60.0,
    "num.co": 2.0,
    "hday": 1.0,
    "adlsc": 1.0,
    "edu": 12.0,
    "scoma": 0.0,
    "aps": 30.0,
    "meanbp": 85.0,
    "hrt": 80.0,
    "resp": 18.0,
    "temp": 37.0,
    "sod": 140.0,
    "ph": 7.4,
    "glucose": 110.0,
}
"""Normal or usual values: they stand for missing ones, and lie at 0."""

WEIGHT, GROUP_WEIGHT = 3.0, 3.0
"""How large a number's range, and a group's 1, are beside another category's 1."""

CATEGORIES: Final = {
    "sex": ("female", "male"),
    "race": ("asian", "black", "hispanic", "other", "white"),
    "income": ("under $11k", "$11-$25k", "$25-$50k", ">$50k"),
    "ca": ("metastatic", "yes", "no"),
    "diabetes": ("0", "1"),
    "dementia": ("0", "1"),
    GROUP: (
        "ARF/MOSF w/Sepsis",
        "CHF",
        "COPD",
        "Cirrhosis",
        "Colon Cancer",
        "Coma",
        "Lung Cancer",
        "MOSF w/Malig",
    ),
}
"""Texts and their published levels; anything else is none of them."""

_MOST_BYTES = 64 << 20


def support2(path: Path) -> Patients:
    """Read ``support2.csv`` or ``support2.csv.gz``.

    Raises
    ------
    DataError
        The file cannot be read, or lacks a column.
    MissingExtraError
        pyarrow is not installed.
    """
    table = _read(path)
    outcome = np.array(table[TARGET].to_pylist(), dtype=object)
    kept = np.array([value in (0, 1) for value in outcome])
    columns, names = [], []
    for name, (low, high) in NUMBERS.items():
        values = np.asarray(table[name].to_numpy(zero_copy_only=False), np.float64)
        missing = ~np.isfinite(values)
        filled = np.append(np.where(missing, NORMAL[name], values), NORMAL[name])
        places = scaled(filled, low, high, log=name in LOGARITHMIC)
        columns.append(WEIGHT * (places[:-1] - places[-1]))
        names.append(name)
        if name in _OFTEN_MISSING:
            columns.append(missing.astype(np.float64))
            names.append(f"{name} is missing")
    for name, levels in CATEGORIES.items():
        texts = np.array([str(value) for value in table[name].to_pylist()])
        weight = GROUP_WEIGHT if name == GROUP else 1.0
        columns += [weight * (texts == level) for level in levels]
        names += [f"{name} = {level}" for level in levels]
    return Patients(
        x=np.stack(columns, axis=1)[kept].astype(np.float32),
        y=outcome[kept].astype(np.int64),
        features=tuple(names),
        groups=np.array([str(value) for value in table[GROUP].to_pylist()])[kept],
        what="SUPPORT2, death in hospital",
        delta=1e-5,
        rounds=20,
        few=False,
    )


_OFTEN_MISSING: Final = {"pafi", "alb", "bili", "ph", "glucose", "bun", "urine", "edu"}


def _read(path: Path) -> Any:
    try:
        from pyarrow import ArrowInvalid, csv
    except ImportError as error:
        raise MissingExtraError("reading a CSV file", extra="tabular") from error
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise _unknown(path, f"more than {_MOST_BYTES >> 20} MB")
        table = csv.read_csv(path)
    except (OSError, ArrowInvalid) as error:
        raise _unknown(path, str(error).partition("\n")[0]) from error
    needed = {TARGET, *NUMBERS, *CATEGORIES}
    missing = sorted(needed - set(table.column_names))
    if missing or not len(table):
        raise _unknown(path, f"no column {', '.join(missing[:5])}" if missing else "no rows")
    return table


def _unknown(path: Path, came: str) -> DataError:
    return DataError(
        f"the example needs SUPPORT2 in {path.name}",
        came=came,
        action="get support2.csv from the SUPPORT study's page, or leave --data out",
    )
