"""What trees say of examples: the walk down, in numpy, over all examples at once."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_flwr.core.forest.arrays import Forest, Nodes

Values = NDArray[np.float64]


def leaf_of(tree: Nodes, x: NDArray[np.floating[Any]]) -> NDArray[np.int64]:
    """Return the leaf that each example ends in, as scikit-learn's ``apply`` does.

    Parameters
    ----------
    tree : Nodes
        One checked tree.
    x : ndarray of floats, shape (n, features)
        Cast to float32 first, as scikit-learn does. NaN is missing.

    Returns
    -------
    ndarray of int64, shape (n,)
    """
    x = np.asarray(x, np.float32)
    at = np.zeros(len(x), np.int64)
    left, right = tree.left.astype(np.int64), tree.right.astype(np.int64)
    moving = np.arange(len(x)) if left[0] >= 0 else np.arange(0)
    while moving.size:
        node = at[moving]
        seen = x[moving, tree.feature[node]].astype(np.float64)
        goes_left = np.where(
            np.isnan(seen), tree.missing_left[node] == 1, seen <= tree.threshold[node]
        )
        at[moving] = np.where(goes_left, left[node], right[node])
        moving = moving[left[at[moving]] >= 0]
    return at


def tree_values(tree: Nodes, x: NDArray[np.floating[Any]]) -> Values:
    """Return the leaf values of each example, float64, shape (n, outputs)."""
    return np.asarray(tree.values[leaf_of(tree, x)], np.float64)


def forest_values(forest: Forest, x: NDArray[np.floating[Any]]) -> Values:
    """Return the mean of the trees' values, shape (n, outputs); zeros without trees.

    Class probabilities, or the predicted number. The trees are added in their order and
    divided at the end: the same bits as scikit-learn with one thread.
    """
    x = np.asarray(x, np.float32)
    total = np.zeros((len(x), forest.schema.outputs))
    for tree in forest:
        total += tree_values(tree, x)
    return total / max(len(forest), 1)


def importances(forest: Forest) -> Values:
    """Return the mean decrease in impurity by feature, shape (features,), sum 1 or 0.

    As scikit-learn's ``feature_importances_``: each tree's own sum to 1, then the mean of
    the trees with more than a root.
    """
    each = [_importance(tree, forest.schema.features) for tree in forest if len(tree) > 1]
    if not each:
        return np.zeros(forest.schema.features)
    mean = np.mean(each, axis=0)
    return np.asarray(mean / max(mean.sum(), np.finfo(np.float64).tiny), np.float64)


def _importance(tree: Nodes, features: int) -> Values:
    inner = np.flatnonzero(~tree.is_leaf)
    mass = tree.weight * tree.impurity
    gain = mass[inner] - mass[tree.left[inner]] - mass[tree.right[inner]]
    sums = np.bincount(tree.feature[inner], weights=gain, minlength=features)
    return np.asarray(sums / sums.sum() if sums.sum() > 0 else np.zeros(features), np.float64)
