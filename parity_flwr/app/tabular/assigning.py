"""Who gets which row of a table that is not in memory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from parity_flwr.app.tabular.plan import TabularPlan
from parity_flwr.app.tabular.splitting import split_and_divide

SAMPLED = 1 << 19
"""Rows, evenly spaced, that are split and divided as a table in memory is."""


def spacing(rows: int) -> int:
    """Return the distance of the rows that are sampled: 1 if all are."""
    return -(-rows // SAMPLED)


@dataclass(frozen=True, kw_only=True, eq=False)
class Assignment:
    """The client of each row; the one after the last client is the test set.

    Of up to ``SAMPLED`` rows all are split and divided at once, as in memory. Of more rows,
    that many are, and show how much of each class each client gets; all others are drawn
    by these shares, or in order for "sequential", or go where their column says. The test
    set is then a fifth of the sample, not of the table.

    Parameters
    ----------
    plan : TabularPlan
    rows : int
        In the table.
    sample : ndarray of int64
        The client of each sampled row.
    shares : ndarray of float64, shape (strata, clients)
        Cumulated: how the rows of a stratum are divided.
    """

    plan: TabularPlan
    rows: int
    sample: NDArray[np.int64]
    shares: NDArray[np.float64]

    @classmethod
    def of(
        cls,
        plan: TabularPlan,
        *,
        rows: int,
        strata: NDArray[np.int64],
        owner: NDArray[np.int64] | None,
    ) -> Assignment:
        """Divide the sampled rows, of which strata and owners are given.

        Raises
        ------
        DataError, ConfigError
            As :func:`split_and_divide`.
        """
        parts, held = split_and_divide(plan, strata, owner)
        sample = np.zeros(len(strata), np.int64) if owner is None else owner.copy()
        # One stratum more for those that the sample has not: divided as all rows together.
        counts = np.zeros((int(strata.max()) + 2, plan.clients))
        for client, part in enumerate(parts if owner is None else ()):
            sample[part] = client
            counts[:, client] = np.bincount(strata[part], minlength=len(counts))
        sample[held] = plan.clients
        counts[counts.sum(axis=1) == 0] = np.maximum(counts.sum(axis=0), 1e-9)
        shares = np.cumsum(counts, axis=1) / counts.sum(axis=1, keepdims=True)
        return cls(plan=plan, rows=rows, sample=sample, shares=shares)

    def clients(
        self,
        first: int,
        strata: NDArray[np.int64],
        owner: NDArray[np.int64] | None,
        rng: np.random.Generator,
    ) -> NDArray[np.int32]:
        """Return the client of each row from the first on."""
        places = np.arange(first, first + len(strata))
        every = spacing(self.rows)
        if every == 1:
            return self.sample[places].astype(np.int32)
        found = self._drawn(places, strata, rng) if owner is None else owner
        sampled = places % every == 0
        found = np.where(sampled, self.sample[places // every], found)
        return found.astype(np.int32)

    def _drawn(
        self, places: NDArray[np.int64], strata: NDArray[np.int64], rng: np.random.Generator
    ) -> NDArray[np.int64]:
        if self.plan.division.kind == "sequential":
            return places * self.plan.clients // self.rows
        draws, found = rng.random(len(strata)), np.zeros(len(strata), np.int64)
        for stratum in np.unique(strata):
            here = strata == stratum
            row = self.shares[min(int(stratum), len(self.shares) - 1)]
            found[here] = np.searchsorted(row, draws[here], side="right")
        return np.minimum(found, self.plan.clients - 1)
