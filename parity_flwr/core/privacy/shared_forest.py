"""Shared trees and their counts as a forest like any other: nodes, shares, weights."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from parity_flwr.core.forest import Forest, ForestSchema, Nodes
from parity_flwr.core.forest.arrays import LEAF, UNDEFINED
from parity_flwr.core.privacy.leaf_counts import Counts, SharedTrees

Values = NDArray[np.float64]


def counted_forest(
    trees: SharedTrees,
    counts: Counts,
    schema: ForestSchema,
    *,
    steps: Sequence[float] = (),
) -> Forest:
    """Return the forest that predicts as :meth:`SharedTrees.probabilities` does.

    A leaf that noise left empty says nothing: all classes alike. It stands in the forest
    with one example, because scikit-learn has no node without.

    Parameters
    ----------
    trees : SharedTrees
    counts : ndarray of int64, shape (trees, leaves, classes or steps)
        Negative ones count as 0.
    schema : ForestSchema
        Regression if ``steps`` are given.
    steps : sequence of float
        Numbers that the last axis stands for.
    """
    positive = np.maximum(counts, 0)
    features, thresholds = trees.splits
    made = [
        _tree(feature, threshold, leaves, np.asarray(steps))
        for feature, threshold, leaves in zip(features, thresholds, positive, strict=True)
    ]
    return Forest.of(schema, made)


def _tree(
    feature: NDArray[np.int64], threshold: Values, leaves: Counts, steps: Values
) -> Nodes:
    inner, count = len(feature), 2 * len(feature) + 1
    samples = np.zeros(count, np.int64)
    values = np.zeros((count, leaves.shape[1]))
    totals = leaves.sum(axis=1)
    samples[inner:] = np.maximum(totals, 1)
    values[inner:] = np.where(
        totals[:, None] > 0, leaves / np.maximum(totals, 1)[:, None], 1 / leaves.shape[1]
    )
    for node in range(inner - 1, -1, -1):  # in level order children come later
        pair = slice(2 * node + 1, 2 * node + 3)
        samples[node] = samples[pair].sum()
        values[node] = samples[pair] @ values[pair] / samples[node]
    place = np.arange(inner)
    end = np.full(count - inner, LEAF)
    return Nodes(
        left=np.concatenate([2 * place + 1, end]).astype(np.int32),
        right=np.concatenate([2 * place + 2, end]).astype(np.int32),
        feature=np.concatenate([feature, np.full(len(end), UNDEFINED)]).astype(np.int32),
        threshold=np.concatenate([threshold, np.full(len(end), float(UNDEFINED))]),
        missing_left=np.zeros(count, np.uint8),
        impurity=_impurity(values, steps),
        samples=samples,
        weight=samples.astype(np.float64),
        values=values @ steps[:, None] if len(steps) else values,
    )


def _impurity(shares: Values, steps: Values) -> Values:
    """Return Gini's impurity, or the variance of the number, shape (nodes,)."""
    if not len(steps):
        return np.asarray(1 - (shares**2).sum(axis=1), np.float64)
    means = shares @ steps
    return np.maximum(shares @ steps**2 - means**2, 0.0)
