"""How well reputation found the attackers, and whom else it hit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def area_under_curve(
    reputation: NDArray[np.float64], attackers: NDArray[np.bool_]
) -> float | None:
    """Return the chance that an attacker has less reputation than an honest client (AUC).

    Ties count one half. None if one of the two groups is empty.

    Examples
    --------
    >>> area_under_curve(np.array([100.0, 500.0, 500.0]), np.array([True, False, True]))
    0.75
    """
    bad, good = reputation[attackers][:, None], reputation[~attackers][None, :]
    if bad.size == 0 or good.size == 0:
        return None
    return float((np.sum(bad < good) + 0.5 * np.sum(bad == good)) / (bad.size * good.size))


def first_rounds(excluded: Sequence[NDArray[np.bool_]]) -> list[int | None]:
    """Return for each client the first round (from 1) after which it was excluded, or None.

    Examples
    --------
    >>> first_rounds([np.array([False, False]), np.array([True, False])])
    [2, None]
    """
    history = np.stack(excluded)
    ever = np.asarray(history.any(axis=0), np.bool_)
    first = history.argmax(axis=0)
    return [int(first[k]) + 1 if ever[k] else None for k in range(history.shape[1])]


def rounds_to(curve: Sequence[float], level: float) -> int | None:
    """Return the first round (from 1) whose accuracy reaches the level, or None.

    Examples
    --------
    >>> rounds_to([0.2, 0.7, 0.6, 0.8], 0.65), rounds_to([0.2], 0.65)
    (2, None)
    """
    return next((k + 1 for k, value in enumerate(curve) if value >= level), None)
