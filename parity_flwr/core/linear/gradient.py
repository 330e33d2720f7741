"""Linear and logistic regression by gradient steps: losses, gradients and steps in numpy."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
Labels = NDArray[Any]
"""Numbers, or indices of classes."""


class LinearTask(StrEnum):
    """What the scores x W' + b mean."""

    REGRESSION = "regression"  # one column: the number itself
    BINARY = "binary"  # one column: the log-odds of class 1
    MULTICLASS = "multiclass"  # one column for each class: softmax


def predict_linear(
    coef: Values, intercept: Values, x: NDArray[np.floating[Any]], task: LinearTask
) -> Values:
    """Return numbers, shape (n, 1), or the classes' probabilities, shape (n, classes).

    Examples
    --------
    >>> zero = np.zeros((1, 2)), np.zeros(1)
    >>> predict_linear(*zero, np.ones((1, 2)), LinearTask.BINARY).tolist()
    [[0.5, 0.5]]
    """
    scores = np.asarray(x, np.float64) @ coef.T + intercept
    if task is LinearTask.REGRESSION:
        return np.asarray(scores, np.float64)
    if task is LinearTask.BINARY:
        scores = np.column_stack([np.zeros(len(scores)), scores])
    return np.asarray(np.exp(_log_softmax(scores)), np.float64)


def _log_softmax(scores: Values) -> Values:
    shifted = scores - scores.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)), np.float64)


def mean_loss(
    coef: Values,
    intercept: Values,
    x: NDArray[np.floating[Any]],
    y: Labels,
    task: LinearTask,
) -> float:
    """Return the mean squared error or the mean cross-entropy; 0 without examples."""
    if not len(y):
        return 0.0
    scores = np.asarray(x, np.float64) @ coef.T + intercept
    if task is LinearTask.REGRESSION:
        return float(((scores[:, 0] - y) ** 2).mean())
    if task is LinearTask.BINARY:
        scores = np.column_stack([np.zeros(len(scores)), scores])
    return float(-_log_softmax(scores)[np.arange(len(y)), y].mean())


def descend(
    coef: Values,
    intercept: Values,
    x: NDArray[np.floating[Any]],
    y: Labels,
    task: LinearTask,
    *,
    steps: int,
    rate: float,
    ridge: float = 0.0,
) -> tuple[Values, Values]:
    """Return the model after gradient steps on half the squared error, or cross-entropy.

    Each step is ``rate`` / L long, L the largest curvature of the loss on this data, so
    that a rate up to 1 never diverges whatever the scale of x.

    Parameters
    ----------
    coef, intercept : ndarray of float64, shape (k, d), (k,)
    x, y : ndarray of shape (n, d), (n,)
        n >= 1; y numbers or class indices.
    steps : int
        Full-batch steps.
    rate : float
        In (0, 2).
    ridge : float
        Half of it times |coef|^2 is added to the mean loss.
    """
    wide = np.column_stack([np.asarray(x, np.float64), np.ones(len(x))])
    model = np.column_stack([coef, intercept])
    length = rate / max(_curvature(wide, task) + ridge, 1e-300)
    keep = np.append(np.ones(coef.shape[1]), 0.0)  # no penalty on the intercept
    for _ in range(steps):
        error = _error(wide @ model.T, y, task)
        model = model - length * (error.T @ wide / len(wide) + ridge * keep * model)
    return np.ascontiguousarray(model[:, :-1]), np.ascontiguousarray(model[:, -1])


def _curvature(wide: Values, task: LinearTask) -> float:
    """Return a bound of the loss's second derivative: |X|^2/n times 1, 1/4 or 1/2."""
    largest = float(np.linalg.norm(wide, 2)) ** 2 / len(wide)
    share = {LinearTask.REGRESSION: 1.0, LinearTask.BINARY: 0.25, LinearTask.MULTICLASS: 0.5}
    return largest * share[task]


def _error(scores: Values, y: Labels, task: LinearTask) -> Values:
    """Return the derivative of each example's loss by its scores, shape (n, k)."""
    if task is LinearTask.REGRESSION:
        return np.asarray(scores - np.asarray(y, np.float64)[:, None], np.float64)
    if task is LinearTask.BINARY:
        # Not 1/(1 + exp(-s)): that overflows for large scores.
        positive = 0.5 * (1 + np.tanh(scores / 2))
        return np.asarray(positive - np.asarray(y, np.float64)[:, None], np.float64)
    error = np.exp(_log_softmax(scores))
    error[np.arange(len(y)), y] -= 1
    return np.asarray(error, np.float64)
