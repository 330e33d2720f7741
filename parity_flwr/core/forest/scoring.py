"""How well each tree does on a validator's own data, and what many validators say together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_flwr.core.centre import weighted_median
from parity_flwr.core.forest.arrays import Forest
from parity_flwr.core.forest.prediction import forest_values, tree_values
from parity_flwr.core.forest.schema import ForestSchema

Values = NDArray[np.float64]
Labels = NDArray[Any]
"""Indices of classes, or numbers."""

WORST_LOSS = 10.0
"""The most that one validator's word on one tree counts."""


def squared_errors(values: Values, y: Labels, schema: ForestSchema) -> Values:
    """Return each example's squared error, shape (n,).

    For classes half the squared distance between the shares and the truth (Brier 1950), in
    [0, 1], and for a tree with pure leaves simply whether it errs. ``y`` holds the indices
    of the classes, or the numbers.
    """
    if schema.regression:
        return np.asarray((values[:, 0] - y) ** 2, np.float64)
    apart = values.copy()
    apart[np.arange(len(y)), y] -= 1
    return np.asarray((apart**2).sum(axis=1) / 2, np.float64)


def guessing_error(y: Labels, schema: ForestSchema) -> float:
    """Return the mean squared error of always answering the data's own mean."""
    if not len(y):
        return 0.0
    if schema.regression:
        return float(np.var(y))
    shares = np.bincount(y, minlength=schema.outputs) / len(y)
    return float((1 - (shares**2).sum()) / 2)


def tree_losses(forest: Forest, x: NDArray[np.floating[Any]], y: Labels) -> Values | None:
    """Return each tree's error over that of guessing, in [0, 10], shape (T,).

    1 is no better than knowing nothing, whatever the task and the scale of y.

    Returns
    -------
    ndarray of float64, or None
        None if this data cannot tell: none at all, or all of one class or value.

    Examples
    --------
    >>> tree_losses(Forest.of(ForestSchema(1), []), np.zeros((2, 1)), np.array([0.0, 2.0]))
    array([], dtype=float64)
    """
    base = guessing_error(y, forest.schema)
    if not base > 0:
        return None
    x = np.asarray(x, np.float32)
    errors = [squared_errors(tree_values(tree, x), y, forest.schema) for tree in forest]
    losses = np.array([each.mean() for each in errors], np.float64) / base
    return np.asarray(np.minimum(losses, WORST_LOSS), np.float64)


def forest_loss(forest: Forest, x: NDArray[np.floating[Any]], y: Labels) -> float:
    """Return the whole forest's mean squared error (:func:`squared_errors`); 0 without data."""
    errors = squared_errors(forest_values(forest, x), y, forest.schema)
    return float(errors.mean()) if errors.size else 0.0


def agreed_losses(
    reports: Mapping[str, Values], weights: Mapping[str, float], owners: Sequence[str]
) -> Values:
    """Return what the weighted median validator says of each tree, shape (T,).

    Nobody judges its own trees. Validators with less than half of the weight cannot move
    the result beyond what honest ones say.

    Parameters
    ----------
    reports : mapping from validator to ndarray of float64, shape (T,)
        From :func:`tree_losses`.
    weights : mapping from validator to float
        Reputation, >= 0.
    owners : sequence of str
        Whose tree each is.

    Returns
    -------
    ndarray of float64, shape (T,)
        NaN for a tree that nobody else judged.

    Examples
    --------
    >>> said = {"a": [0.2, 0.2], "b": [0.3, 0.0], "c": [0.2, 9.0]}
    >>> reports = {name: np.array(losses) for name, losses in said.items()}
    >>> agreed_losses(reports, dict.fromkeys("abc", 1.0), ["c", "d"]).tolist()
    [0.2, 0.2]
    """
    judges = sorted(name for name in reports if weights.get(name, 0.0) > 0)
    agreed = np.full(len(owners), np.nan)
    for k, owner in enumerate(owners):
        heard = [name for name in judges if name != owner]
        if heard:
            said = np.array([reports[name][k] for name in heard])
            agreed[k] = weighted_median(said, np.array([weights[name] for name in heard]))
    return agreed
