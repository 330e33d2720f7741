"""Customers divided among banks that differ, and numbers that all banks read alike."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from flwr.app import Context
from numpy.typing import NDArray

from parity_finance.data import Customers, Metric, customers
from parity_flwr.app.datasets import Federation, stratified_split
from parity_flwr.app.partition import dirichlet
from parity_flwr.clients import Table

TEST_SHARE = 0.3
_LARGEST = 5.0  # deviations; a farther value is cut, so that no customer rules a step


@dataclass(frozen=True, eq=False)
class Market:
    """The customers of all banks, and which bank has which.

    Parameters
    ----------
    name : str
        Of the data set.
    metric : {"auc", "average-precision"}
        What tells a good model.
    features : tuple of str
        Names of the inputs.
    data : Federation
        Inputs and labels; ``x_test`` are customers of no bank, on which all are compared.
    """

    name: str
    metric: Metric
    features: tuple[str, ...]
    data: Federation

    @property
    def banks(self) -> int:
        """How many there are."""
        return len(self.data.parts)

    def bank(self, index: int) -> tuple[Table, Table]:
        """Return what one bank trains on, and the fifth that it keeps for evaluation."""
        x, y = self.data.client(index)
        kept = np.arange(len(y)) % 5 == 0
        return Table(x[~kept], y[~kept]), Table(x[kept], y[kept])

    @property
    def test(self) -> Table:
        """Customers of no bank, in the shares of the whole market."""
        return Table(self.data.x_test, self.data.y_test)


def market_of(context: Context, banks: int = 1) -> Market:
    """Return the market that a run's configuration names.

    Parameters
    ----------
    context : Context
        Its run configuration has "data", "seed" and "alpha".
    banks : int
        How many banks divide it; a node's own configuration knows better.
    """
    config = context.run_config
    parts = int(context.node_config.get("num-partitions", banks))
    return market(
        str(config["data"]), banks=parts, seed=int(config["seed"]), alpha=float(config["alpha"])
    )


@lru_cache(maxsize=1)  # a simulation's worker plays many banks; they share one data set
def market(path: str, *, banks: int, seed: int, alpha: float) -> Market:
    """Read a data set, keep a test set, and divide the rest among banks.

    Each kind of customer (who pays back, by income or limit) is divided by shares that are
    drawn from Dirichlet(alpha): banks differ in size, in whom they serve, and in how many
    of the cases to be found they have seen.
    """
    found = customers(path)
    rng = np.random.default_rng(seed)
    train, test = stratified_split(found.y, test_share=TEST_SHARE, rng=rng)
    least = max(1, min(40, len(train) // (2 * banks)))
    parts = dirichlet(found.kind[train], parts=banks, alpha=alpha, min_size=least, rng=rng)
    scale = Scale.agreed([found.x[train][rows] for rows in parts])
    data = Federation(
        scale.inputs(found.x[train]), found.y[train], scale.inputs(found.x[test]),
        found.y[test], parts,
    )  # fmt: skip
    return Market(found.name, found.metric, found.features, data)


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
        """Return what follows from three sums of each bank: n, values, and squares."""
        logs = [_logarithm(x) for x in tables]
        count = np.maximum(sum(np.isfinite(x).sum(axis=0) for x in logs), 1)
        mean = sum(np.nansum(x, axis=0) for x in logs) / count
        square = sum(np.nansum(x**2, axis=0) for x in logs) / count
        deviation = np.sqrt(np.maximum(square - mean**2, 0.0))
        return cls(mean, np.where(deviation > 1e-9, deviation, 1.0))

    def inputs(self, x: NDArray[np.float64]) -> NDArray[np.float32]:
        """Return the model's inputs: a missing value is the mean."""
        scaled = (_logarithm(x) - self.mean) / self.deviation
        return np.clip(np.nan_to_num(scaled), -_LARGEST, _LARGEST).astype(np.float32)


def _logarithm(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.sign(x) * np.log1p(np.abs(x))
