"""Customers divided among banks that differ, and numbers that all banks read alike."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_finance.data import Customers, customers
from parity_finance.recipes import Recipe, recipe_of
from parity_flwr.app.benefit import AUC, AVERAGE_PRECISION, Metric, Participant
from parity_flwr.app.datasets import stratified_split
from parity_flwr.app.partition import dirichlet
from parity_flwr.clients import Table

TEST_SHARE = 0.3
_LARGEST = 5.0  # deviations; a farther value is cut, so that no customer rules a step
_FEWEST = 60  # customers of a bank, where there are that many


@dataclass(frozen=True, eq=False)
class Market:
    """The customers of all banks.

    Parameters
    ----------
    name : str
        Of the data set.
    metric : Metric
        What tells a good model.
    features : tuple of str
        Names of the inputs.
    banks : tuple of (Table, Table)
        For each bank the customers that it trains on, and those that nobody trains on.
    bad_share : float
        Share of refusals, defaults or frauds among all that is trained on.
    recipe : Recipe
        How banks differ and train.
    """

    name: str
    metric: Metric
    features: tuple[str, ...]
    banks: tuple[tuple[Table, Table], ...]
    bad_share: float
    recipe: Recipe

    def participants(self, dishonest: Collection[int] = ()) -> list[Participant]:
        """Return the banks under the names that the journal gives them."""
        return [
            Participant(name=f"client-{k}", train=train, test=test, honest=k not in dishonest)
            for k, (train, test) in enumerate(self.banks)
        ]

    def test(self, dishonest: Collection[int] = ()) -> Table:
        """Return the customers of all honest banks on which nobody trains."""
        held = [test for k, (_, test) in enumerate(self.banks) if k not in dishonest]
        return Table(np.concatenate([t.x for t in held]), np.concatenate([t.y for t in held]))

    def train(self, dishonest: Collection[int] = ()) -> Table:
        """Return what honest banks would train on if it lay in one place."""
        held = [train for k, (train, _) in enumerate(self.banks) if k not in dishonest]
        return Table(np.concatenate([t.x for t in held]), np.concatenate([t.y for t in held]))


def market_of(config: Mapping[str, Any]) -> Market:
    """Return the market that a run's configuration names."""
    found = _read(str(config["data"]))
    recipe = recipe_of(config, found.name)
    return _divided(found, recipe, int(config["banks"]), int(config["seed"]))


# A simulation's worker plays many banks; they share one data set.
_read = lru_cache(maxsize=1)(customers)


@lru_cache(maxsize=1)
def _divided(found: Customers, recipe: Recipe, banks: int, seed: int) -> Market:
    """Divide customers among banks, and keep some of each bank's for the comparison.

    Each kind of customer (good or bad, by income or limit) is divided by shares that are
    drawn from Dirichlet(alpha): banks differ in size, in whom they serve, and in how many
    bad cases they have seen.
    """
    rng = np.random.default_rng(seed)
    least = max(2, min(_FEWEST, len(found.y) // (2 * banks)))
    parts = dirichlet(found.kind, parts=banks, alpha=recipe.alpha, min_size=least, rng=rng)
    rows = [_held_out(found, part, rng) for part in parts]
    scale = Scale.agreed([found.x[train] for train, _ in rows])
    bad = np.concatenate([found.y[train] for train, _ in rows])
    return Market(
        found.name,
        AUC if found.metric == "auc" else AVERAGE_PRECISION,
        found.features,
        tuple((_table(found, scale, a), _table(found, scale, b)) for a, b in rows),
        float(bad.mean()),
        recipe,
    )


def _held_out(
    found: Customers, part: NDArray[np.int64], rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    train, test = stratified_split(found.y[part], test_share=TEST_SHARE, rng=rng)
    return part[train], part[test]


def _table(found: Customers, scale: Scale, rows: NDArray[np.int64]) -> Table:
    return Table(scale.inputs(found.x[rows]), found.y[rows])


@dataclass(frozen=True, eq=False)
class Scale:
    """Mean and deviation of each column's logarithm, over all banks.

    Parameters
    ----------
    mean, deviation : ndarray of float64, shape (features,)
        Of sign(x) log(1 + |x|).
    """

    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]

    @classmethod
    def agreed(cls, tables: list[NDArray[np.float64]]) -> Scale:
        """Return what follows from three sums of each bank: n, values, and squares.

        Examples
        --------
        >>> Scale.agreed([np.zeros((1, 1)), np.full((1, 1), np.e**2 - 1)]).mean.tolist()
        [1.0]
        """
        logs = [_logarithm(x) for x in tables]
        count = np.maximum(np.sum([np.isfinite(x).sum(axis=0) for x in logs], axis=0), 1)
        mean = np.sum([np.nansum(x, axis=0) for x in logs], axis=0) / count
        square = np.sum([np.nansum(x**2, axis=0) for x in logs], axis=0) / count
        deviation = np.sqrt(np.maximum(square - mean**2, 0.0))
        return cls(mean, np.where(deviation > 1e-9, deviation, 1.0))

    def inputs(self, x: NDArray[np.float64]) -> NDArray[np.float32]:
        """Return the model's inputs: a missing value is the mean."""
        scaled = (_logarithm(x) - self.mean) / self.deviation
        return np.clip(np.nan_to_num(scaled), -_LARGEST, _LARGEST).astype(np.float32)


def _logarithm(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.sign(x) * np.log1p(np.abs(x)))
