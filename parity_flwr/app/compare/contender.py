"""What a compared strategy is: a round's submissions in, a change of the model out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from parity_flwr.app.compare.scene import Matrix

Values = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Submissions:
    """What the server has of one round.

    Parameters
    ----------
    round : int
        From 1.
    updates : ndarray of float32, shape (n, d)
        w_k - w of every client; finite.
    examples : ndarray of int64, shape (n,)
        n_k as claimed.
    root_update : callable
        Trains on the root examples from this round's model and returns the update, float32,
        shape (d,). For the strategies that are given root data.
    """

    round: int
    updates: Matrix
    examples: NDArray[np.int64]
    root_update: Callable[[], Matrix]


@dataclass(frozen=True, eq=False)
class Judgement:
    """What a strategy made of a round.

    ``change`` is added to the model, float32, shape (d,). A strategy with reputation says
    what everybody's is after the round, who is excluded, and what share of it each had.
    """

    change: Matrix
    reputation: Values | None = None
    excluded: NDArray[np.bool_] | None = None
    shares: Values | None = None


@dataclass(frozen=True, eq=False)
class Setting:
    """What a strategy is told before the run.

    Parameters
    ----------
    clients : int
        n.
    assumed : int
        f that rules which need one are told: 20 % of n, or the truth if that is more.
    seed : int
        The server's own seed.
    attackers : ndarray of bool, shape (n,)
        The truth; for the oracle alone.
    """

    clients: int
    assumed: int
    seed: int
    attackers: NDArray[np.bool_]


class Contender(Protocol):
    """A strategy in the middle of a run: may remember what it saw."""

    def __call__(self, submissions: Submissions, /) -> Judgement:
        """Aggregate one round."""
        ...


Recipe: TypeAlias = Callable[[Setting], Contender]
"""Makes a strategy for a run."""


def weighted(submissions: Submissions, weights: Values) -> Matrix:
    """Return sum_k c_k delta_k, float32, shape (d,)."""
    return np.asarray(weights.astype(np.float32) @ submissions.updates, np.float32)
