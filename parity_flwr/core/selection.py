"""Who takes part in a round (Algorithm 1, line "select")."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from parity_flwr.errors import ConfigError


def select(
    identities: Sequence[str],
    reputation: Sequence[float],
    *,
    size: int,
    floor: float,
    rng: np.random.Generator,
) -> list[str]:
    """Return `size` identities drawn with probability proportional to reputation. Alg. 1.

    *Decided*: successive sampling without replacement, as numpy's ``choice``: draw one in
    proportion to max(reputation, floor), set it aside, draw from the rest. The floor keeps
    newcomers and the excluded selectable, so that they can recover.

    Parameters
    ----------
    identities : sequence of n distinct str
        In any order: the result depends on the pairs, not on their order.
    reputation : sequence of n floats
        Finite, >= 0.
    size : int
        From 0 to n.
    floor : float
        In the unit of `reputation`, >= 0. With 0 the worthless fill up only what remains.
    rng : numpy.random.Generator
        One double is taken from it per identity.

    Returns
    -------
    list of str
        Sorted.

    Raises
    ------
    ConfigError
        If the identities repeat, or a number is out of range.

    Examples
    --------
    >>> rng = np.random.default_rng(7)
    >>> select(["c", "a", "b"], [500.0, 500.0, 0.0], size=2, floor=0.0, rng=rng)
    ['a', 'c']
    """
    worth = np.array(reputation, np.float64)
    _check(identities, worth, size, floor)
    order = np.argsort(np.array(identities, dtype=object), kind="stable")
    chance = np.maximum(worth, floor)[order]
    # Independent exponential times with these rates arrive in the order of successive
    # sampling: the next to arrive is always one of the rest, in proportion to its rate.
    wait = -np.log1p(-rng.random(len(order)))
    arrival = np.divide(wait, chance, out=np.full(len(order), np.inf), where=chance > 0)
    first = np.lexsort((wait, arrival))[:size]
    return sorted(identities[int(i)] for i in order[first])


def _check(
    identities: Sequence[str], worth: NDArray[np.float64], size: int, floor: float
) -> None:
    n = len(identities)
    if len(set(identities)) != n:
        raise _unselectable("distinct identities", "some twice")
    if worth.shape != (n,) or not np.all(np.isfinite(worth) & (worth >= 0)):
        raise _unselectable(f"{n} finite reputations >= 0", f"{worth.tolist()}")
    if not 0 <= size <= n:
        raise _unselectable(f"a size from 0 to {n}", repr(size))
    if not 0 <= floor < np.inf:
        raise _unselectable("a finite floor >= 0", repr(floor))


def _unselectable(needed: str, came: str) -> ConfigError:
    return ConfigError(f"selection needs {needed}", came=came, action="check the caller")
