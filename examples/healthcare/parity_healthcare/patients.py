"""Patients as numbers: two sources, encoded with constants that are public.

An encoding that is fitted to the data would be a release of its own, outside the budget; so
every range, category and fill-in value here comes from the data sets' published descriptions.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from parity_flwr.errors import DataError, MissingExtraError


@dataclass(frozen=True, eq=False)
class Patients:
    """Encoded patients.

    Parameters
    ----------
    x : ndarray of float32, shape (n, features)
        Numbers around 0, where a normal or typical value lies.
    y : ndarray of int64, shape (n,)
        1: malignant, or died in hospital.
    features : tuple of str
        What the columns are.
    groups : ndarray of str, shape (n,)
        What the patient is treated for: the hospitals' case mix, and among the features.
    what : str
        For tables and pictures.
    delta : float
        Of the privacy promise, well under one over the patients of a hospital.
    rounds : int
        How many pay.
    few : bool
        Whether a hospital has so few patients that its update is mostly noise.
    """

    x: NDArray[np.float32]
    y: NDArray[np.int64]
    features: tuple[str, ...]
    groups: NDArray[np.str_]
    what: str
    delta: float
    rounds: int
    few: bool


@lru_cache(maxsize=1)  # a simulation's worker plays many hospitals
def load_patients(data: str) -> Patients:
    """Return the patients of the run: breast cancer, or with a path SUPPORT2.

    Raises
    ------
    DataError
        The file is not the one that the example knows.
    MissingExtraError
        scikit-learn or pyarrow is not installed.
    """
    if not data:
        return breast_cancer()
    from parity_healthcare.support2 import support2

    return support2(Path(data))


SIZE = ("radius", "perimeter", "area")
"""Measurements of a lump's size: they decide who treats it, and do not predict."""

SIZES = (12.5, 15.0)
"""Mean radii between small, medium and large lumps."""

TYPICAL = 0.3
"""Where a typical measurement lies on the logarithmic scale from -1 to 1."""

GROUP_WEIGHT = 2.0
"""How large a group's 1 is beside a measurement."""


def breast_cancer() -> Patients:
    """Return scikit-learn's breast cancer: 569 biopsies, malignant or not.

    A lump is small, medium or large: screening clinics, general hospitals and referral
    centres. What else predicts are the 21 measurements that are not of size. The ranges are
    those of the table in the data set's own description; long tails are compared by their
    logarithms.
    """
    try:
        from sklearn.datasets import load_breast_cancer
    except ImportError as error:
        raise MissingExtraError("the data set 'breast cancer'", extra="trees") from error
    found = load_breast_cancer()
    names, ranges = [str(name) for name in found.feature_names], published_ranges(found.DESCR)
    groups = np.array(["small lumps", "medium lumps", "large lumps"])[
        np.digitize(found.data[:, names.index("mean radius")], SIZES)
    ]
    kept = [k for k, name in enumerate(names) if not any(each in name for each in SIZE)]
    columns = [scaled(found.data[:, k], *ranges[k], log=True) - TYPICAL for k in kept]
    columns += [GROUP_WEIGHT * (groups == each) for each in np.unique(groups)]
    return Patients(
        x=np.stack(columns, axis=1).astype(np.float32),
        y=(np.asarray(found.target) == 0).astype(np.int64),  # scikit-learn's 0 is malignant
        features=(*(names[k] for k in kept), *map(str, np.unique(groups))),
        groups=groups,
        what="breast cancer, malignant or benign",
        delta=1e-3,
        rounds=10,
        few=True,
    )


def published_ranges(description: str) -> list[tuple[float, float]]:
    """Return minimum and maximum of each feature from the description's table."""
    rows = re.findall(r"^[a-z ]+\([a-z ]+\):\s+([\d.]+)\s+([\d.]+)$", description, re.MULTILINE)
    if len(rows) != 30:
        raise DataError(
            "breast cancer needs its table of 30 ranges",
            came=f"{len(rows)} rows in scikit-learn's description",
            action="use scikit-learn 1.5 to 1.8",
        )
    return [(float(low), float(high)) for low, high in rows]


def scaled(
    values: NDArray[np.float64], low: float, high: float, *, log: bool = False
) -> NDArray[np.float64]:
    """Return values between low and high as numbers from -1 to 1; others are cut.

    With ``log`` the scale is logarithmic above a hundredth of the range.
    """
    cut = np.clip(values, low, high)
    if log:
        start = (high - low) / 100
        cut, low, high = np.log(cut - low + start), np.log(start), np.log(high - low + start)
    return np.asarray(2 * (cut - low) / (high - low) - 1)
