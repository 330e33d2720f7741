"""Which trees make the forest: a budget divided by trust, spent on what validators praise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from parity_flwr.core.centre import weighted_median
from parity_flwr.errors import ConfigError

Values = NDArray[np.float64]

_NORMAL = 1.4826


@dataclass(frozen=True, kw_only=True)
class BaggingConfig:
    """How a forest is made of many clients' trees.

    Parameters
    ----------
    budget : int
        Most trees of the forest.
    poisoned_spreads : float
        A tree is poisoned if its loss is this many spreads (MAD') over the median tree's.
    spread_floor : float
        MAD' is at least this share of the median.

    Raises
    ------
    ConfigError
        If a number is out of range.
    """

    budget: int = 100
    poisoned_spreads: float = 4.0
    spread_floor: float = 0.1

    def __post_init__(self) -> None:
        ranges = {"budget": 1, "poisoned_spreads": 0, "spread_floor": 0}
        for name, least in ranges.items():
            if not least <= getattr(self, name) < float("inf"):
                raise ConfigError(
                    f"{name} needs a number from {least}",
                    came=str(getattr(self, name)),
                    action=f"change {name}",
                )


def poisoned(losses: Values, weights: Values, config: BaggingConfig) -> NDArray[np.bool_]:
    """Return which trees do far worse than the median tree, shape (T,).

    A loss beyond median + spreads * MAD', over trees weighted by their owners' trust; a
    tree that nobody judged (NaN) is not accused.

    Examples
    --------
    >>> poisoned(np.array([0.5, 0.6, 0.5, 2.0]), np.ones(4), BaggingConfig()).tolist()
    [False, False, False, True]
    """
    known = ~np.isnan(losses) & (weights > 0)
    if not known.any():
        return np.zeros(len(losses), bool)
    median = weighted_median(losses[known], weights[known])
    apart = np.abs(losses[known] - median)
    spread = _NORMAL * weighted_median(apart, weights[known])
    limit = median + config.poisoned_spreads * max(spread, config.spread_floor * median)
    return np.asarray(np.nan_to_num(losses, nan=-np.inf) > limit)


def quotas(
    weights: Mapping[str, float], available: Mapping[str, int], budget: int
) -> dict[str, int]:
    """Return how many trees each owner may place: its share of the budget, rounded.

    Largest remainders get what rounding down leaves; nobody gets more than it has, and what
    one cannot use is not handed on, or a liar would fill the gap.

    Examples
    --------
    >>> quotas({"a": 0.5, "b": 0.3, "c": 0.2}, {"a": 9, "b": 9, "c": 1}, 7)
    {'a': 4, 'b': 2, 'c': 1}
    """
    total = sum(weights.values())
    if total <= 0:
        return dict.fromkeys(weights, 0)
    exact = {name: budget * weight / total for name, weight in weights.items()}
    whole = {name: int(value) for name, value in exact.items()}
    left = budget - sum(whole.values())
    by_remainder = sorted(exact, key=lambda name: (whole[name] - exact[name], name))
    for name in by_remainder[:left]:
        whole[name] += 1
    return {name: min(count, available.get(name, 0)) for name, count in whole.items()}


def choose_trees(
    owners: Sequence[str],
    losses: Values,
    refused: NDArray[np.bool_],
    weights: Mapping[str, float],
    config: BaggingConfig,
) -> list[int]:
    """Return the trees of the next forest, ascending.

    Each owner places as many as its weight gives it (:func:`quotas`), those with the lowest
    loss first; refused ones never.

    Parameters
    ----------
    owners : sequence of str
        Whose tree each of the T candidates is.
    losses : ndarray of float64, shape (T,)
        NaN counts as the worst.
    refused : ndarray of bool, shape (T,)
        Copies and poisoned trees.
    weights : mapping of str to float
        Each owner's share; without an entry it has none.
    config : BaggingConfig
        The budget.
    """
    order: list[int] = np.argsort(np.nan_to_num(losses, nan=np.inf), kind="stable").tolist()
    mine: dict[str, list[int]] = {name: [] for name in weights}
    for k in order:
        trees = mine.get(owners[k])
        if trees is not None and not refused[k]:
            trees.append(k)
    allowed = quotas(weights, {name: len(trees) for name, trees in mine.items()}, config.budget)
    return sorted(k for name, trees in mine.items() for k in trees[: allowed[name]])
