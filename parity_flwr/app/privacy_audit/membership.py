"""How well scores tell members from others."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float64]


def auc(inside: Scores, outside: Scores) -> float:
    """Return the probability that a member scores higher than another; ties count half.

    Examples
    --------
    >>> auc(np.array([1.0, 3.0]), np.array([0.0, 2.0]))
    0.75
    """
    lower = np.searchsorted(np.sort(outside), inside, side="left")
    most = np.searchsorted(np.sort(outside), inside, side="right")
    return float((lower + most).mean() / (2 * len(outside)))


def true_positive_rate(inside: Scores, outside: Scores, *, false_positives: float) -> float:
    """Return the share of members above a threshold that so few others exceed.

    Examples
    --------
    >>> others = np.arange(100.0)
    >>> true_positive_rate(np.array([98.5, 98.0, 200.0]), others, false_positives=0.01)
    0.6666666666666666
    """
    allowed = int(false_positives * len(outside))
    threshold = np.sort(outside)[len(outside) - 1 - allowed]
    return float((inside > threshold).mean())
