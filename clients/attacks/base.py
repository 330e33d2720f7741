"""What an attack is: a pure function of updates, and when it strikes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Update: TypeAlias = list[NDArray[np.float64]]
"""Returned minus received model, one float64 array for each floating-point array."""


class Attack(ABC):
    """One way to send a bad update.

    Subclasses are frozen dataclasses that override :meth:`craft`; the other members have
    defaults for an attack that strikes every round, alone and on honest data.
    """

    @property
    def needs_colluders(self) -> bool:
        """Whether :meth:`craft` reads ``colluders`` or ``honest`` (they cost training)."""
        return False

    @property
    def node_config(self) -> Mapping[str, int]:
        """What a data attack adds to the node's configuration while it trains."""
        return {}

    @property
    def on_data(self) -> bool:
        """Whether what training on bad data gave is sent as it is, whatever its shape."""
        return False

    def strikes(self, server_round: int) -> bool:
        """Say whether the attacker attacks in this round; otherwise it is honest."""
        return True

    @abstractmethod
    def craft(
        self,
        own: Update,
        *,
        colluders: Sequence[Update],
        honest: Sequence[Update] | None,
        rng: np.random.Generator,
    ) -> Update:
        """Return the update to send.

        Parameters
        ----------
        own : Update
            What the attacker's training gave; it is not changed.
        colluders : sequence of Update
            The honest updates of all attackers, its own included, by partition id; empty
            unless :attr:`needs_colluders`.
        honest : sequence of Update or None
            The honest clients' updates by partition id, if the attacker knows them.
        rng : numpy.random.Generator
            Seeded with (seed, round, partition).
        """


def mean(updates: Sequence[Update]) -> Update:
    """Return the mean update."""
    return [np.mean(np.stack(arrays), axis=0) for arrays in zip(*updates, strict=True)]


def deviation(updates: Sequence[Update]) -> Update:
    """Return the standard deviation of each coordinate (divisor: number of updates)."""
    return [np.std(np.stack(arrays), axis=0) for arrays in zip(*updates, strict=True)]


def scaled(update: Update, factor: float) -> Update:
    """Return factor times the update."""
    return [factor * array for array in update]


def norm(update: Update) -> float:
    """Return the Euclidean norm of the whole update."""
    return float(np.sqrt(sum(float(np.sum(array**2)) for array in update)))


def noise(update: Update, rng: np.random.Generator) -> Update:
    """Return standard normal arrays in the update's shapes."""
    return [rng.standard_normal(np.shape(array)) for array in update]


def known(colluders: Sequence[Update], honest: Sequence[Update] | None) -> Sequence[Update]:
    """Return the sample of honest updates that the attackers estimate from."""
    return honest or colluders


Record: TypeAlias = Mapping[str, NDArray[Any]]


def difference(returned: Record, received: Record) -> Update:
    """Return the update between two models; arrays that are not floating point are left out."""
    return [
        np.asarray(returned[name] - base, dtype=np.float64)
        for name, base in received.items()
        if base.dtype.kind == "f"
    ]


def applied(received: Record, returned: Record, update: Update) -> dict[str, NDArray[Any]]:
    """Return received + update in the received dtypes, and ``returned`` for other arrays."""
    changes = iter(update)
    return {
        name: np.asarray(base + next(changes), dtype=base.dtype)
        if base.dtype.kind == "f"
        else returned[name]
        for name, base in received.items()
    }
