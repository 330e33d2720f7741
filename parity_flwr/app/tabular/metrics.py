"""Metrics that fit the task, in numpy."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]


def class_metrics(shares: Values, y: NDArray[np.int64]) -> dict[str, float]:
    """Return accuracy, macro F1, cross-entropy, and with two classes the AUC.

    Parameters
    ----------
    shares : ndarray of float64, shape (n, classes)
        Probabilities.
    y : ndarray of int64, shape (n,)

    Examples
    --------
    >>> class_metrics(np.array([[0.9, 0.1], [0.2, 0.8]]), np.array([0, 1]))["auc"]
    1.0
    """
    chosen = shares.argmax(axis=1)
    right = np.clip(shares[np.arange(len(y)), y], 1e-15, 1.0)
    found = {
        "accuracy": float((chosen == y).mean()),
        "f1": _macro_f1(chosen, y, shares.shape[1]),
        "loss": float(-np.log(right).mean()),
    }
    if shares.shape[1] == 2 and len(np.unique(y)) == 2:
        found["auc"] = area_under_curve(shares[:, 1], y == 1)
    return found


def _macro_f1(chosen: NDArray[Any], y: NDArray[np.int64], classes: int) -> float:
    """Return the mean F1 of the classes that occur among labels or answers."""
    scores = []
    for k in range(classes):
        both = np.count_nonzero((chosen == k) & (y == k))
        either = np.count_nonzero(chosen == k) + np.count_nonzero(y == k)
        if either:
            scores.append(2 * both / either)
    return float(np.mean(scores))


def area_under_curve(scores: Values, positive: NDArray[np.bool_]) -> float:
    """Return the chance that a positive scores higher than a negative, ties half.

    Examples
    --------
    >>> area_under_curve(np.array([0.1, 0.4, 0.4, 0.8]), np.array([False, True, False, True]))
    0.875
    """
    _, places, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[places]
    many = int(np.count_nonzero(positive))
    above = ranks[positive].sum() - many * (many + 1) / 2
    return float(above / (many * (len(scores) - many)))


def number_metrics(predicted: Values, y: Values) -> dict[str, float]:
    """Return R^2, root mean squared error and mean absolute error.

    Examples
    --------
    >>> number_metrics(np.array([1.0, 3.0]), np.array([1.0, 5.0]))
    {'r2': 0.5, 'rmse': 1.4142135623730951, 'mae': 1.0}
    """
    error = predicted - y
    mean = float((error**2).mean())
    spread = float(np.var(y))
    return {
        "r2": 1 - mean / spread if spread > 0 else 0.0,
        "rmse": float(np.sqrt(mean)),
        "mae": float(np.abs(error).mean()),
    }
