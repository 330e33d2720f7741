"""Hospitals with different case mixes: who treats whom, who learns from what."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from parity_flwr.app.datasets import stratified_split
from parity_flwr.errors import ConfigError
from parity_healthcare.patients import Patients

TEST_SHARE = 0.3
Rows = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Hospital:
    """Rows of one hospital's patients: to learn from, and held out."""

    name: str
    train: Rows
    test: Rows


def divide(patients: Patients, *, hospitals: int, seed: int) -> tuple[Hospital, ...]:
    """Divide patients among hospitals and hold out 30 % of each class in each.

    A hospital treats one group of patients, and the largest groups have several hospitals:
    always the next one goes to the group with the most patients for each of its own.

    Raises
    ------
    ConfigError
        There are fewer hospitals than groups, or hardly a patient for each.
    """
    rng = np.random.default_rng([seed, 1])
    if hospitals < 1 or len(patients.y) < 10 * hospitals:
        raise ConfigError(
            "hospitals need 10 patients each",
            came=f"{len(patients.y)} patients for {hospitals} hospitals",
            action="change the number of hospitals",
        )
    named = _by_group(patients.groups, hospitals, rng)
    return tuple(_held_out(name, rows, patients.y, rng) for name, rows in named)


def _by_group(
    groups: NDArray[np.str_], hospitals: int, rng: np.random.Generator
) -> list[tuple[str, Rows]]:
    names, counts = np.unique(groups, return_counts=True)
    if hospitals < len(names):
        raise ConfigError(
            f"{len(names)} groups of patients need as many hospitals",
            came=str(hospitals),
            action=f"use {len(names)} hospitals or more",
        )
    shares = np.ones(len(names), np.int64)
    for _ in range(hospitals - len(names)):
        shares[np.argmax(counts / shares)] += 1
    found = []
    for name, share in zip(names, shares, strict=True):
        rows = rng.permutation(np.flatnonzero(groups == name))
        for k, part in enumerate(np.array_split(rows, share)):
            found.append((f"{name} {k + 1}" if share > 1 else str(name), np.sort(part)))
    return found


def _held_out(name: str, rows: Rows, y: Rows, rng: np.random.Generator) -> Hospital:
    train, test = stratified_split(y[rows], test_share=TEST_SHARE, rng=rng)
    return Hospital(name=name, train=rows[train], test=rows[test])
