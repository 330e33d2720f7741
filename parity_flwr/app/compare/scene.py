"""What the attackers of a round know: every honest update, as the literature assumes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Matrix: TypeAlias = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Scene:
    """One round as the attackers see it.

    Parameters
    ----------
    updates : ndarray of float32, shape (n, d)
        What everybody's training gave, the attackers' own rows included; not changed.
    attackers : ndarray of int, shape (f,)
        Their rows, ascending; f >= 1.
    round : int
        From 1.
    rounds : int
        How many there will be.
    seed : int
        Seed of the attackers' randomness.
    """

    updates: Matrix
    attackers: NDArray[np.intp]
    round: int
    rounds: int
    seed: int

    @property
    def own(self) -> Matrix:
        """The attackers' honest updates, shape (f, d)."""
        return self.updates[self.attackers]

    @cached_property
    def honest(self) -> Matrix:
        """The honest clients' updates, shape (n - f, d)."""
        return np.delete(self.updates, self.attackers, axis=0)

    @cached_property
    def mean(self) -> Matrix:
        """The honest mean, shape (d,)."""
        return np.asarray(self.honest.mean(axis=0))

    @cached_property
    def deviation(self) -> Matrix:
        """The honest standard deviation of each coordinate, shape (d,)."""
        return np.asarray(self.honest.std(axis=0))

    @cached_property
    def norm(self) -> float:
        """The median norm of the honest updates."""
        return float(np.median(np.linalg.norm(self.honest, axis=1)))

    def repeated(self, vector: NDArray[np.floating]) -> Matrix:
        """Return the vector once for each attacker, shape (f, d)."""
        return np.tile(np.asarray(vector, np.float32), (len(self.attackers), 1))

    def noise(self) -> Matrix:
        """Return standard normal rows, shape (f, d), each from (seed, round, client)."""
        return np.stack([self._normal(int(k)) for k in self.attackers])

    def shared_noise(self, group: int) -> Matrix:
        """Return a direction of length 1 that a group of attackers agreed on."""
        vector = self._normal(len(self.updates) + group)
        return np.asarray(vector / np.linalg.norm(vector), np.float32)

    def _normal(self, stream: int) -> Matrix:
        rng = np.random.default_rng([self.seed, self.round, stream])
        return np.asarray(rng.standard_normal((self.updates.shape[1],)), np.float32)
