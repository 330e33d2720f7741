"""Whether columns of numbers from outside are trees at all: checked before anything runs.

scikit-learn walks a tree in C without looking: a child index out of range reads foreign
memory, a cycle never ends. Nothing here walks before it has checked.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from parity_flwr.core.forest.arrays import LEAF, UNDEFINED, Nodes
from parity_flwr.core.forest.schema import ForestLimits, ForestSchema
from parity_flwr.errors import DataError

_MOST_SAMPLES = 2**40
_ROUNDING = 1e-6  # means are recomputed in another order than they were made


def check_trees(
    nodes: Nodes, sizes: NDArray[np.int64], schema: ForestSchema, limits: ForestLimits
) -> None:
    """Refuse anything but complete binary trees whose numbers make sense.

    Every node but a root is the child of exactly one node before it; features exist;
    thresholds are not NaN (+inf is legal, -inf is not); counts of children add up; leaf
    values are shares that sum to 1, or finite; with ``limits.agreeing`` an inner node's
    value is the mean of its children's.

    Parameters
    ----------
    nodes : Nodes
        Columns of the right dtypes and one length.
    sizes : ndarray of int64, shape (T,)
        Each at least 1, together that length.

    Raises
    ------
    DataError
        What was found, on one line.
    """
    starts = np.repeat(np.cumsum(sizes) - sizes, sizes)
    inner = np.flatnonzero(~nodes.is_leaf)
    _check_links(nodes, starts, np.repeat(sizes, sizes), inner)
    children = starts[inner] + np.stack([nodes.left[inner], nodes.right[inner]])
    _check_parents(children, np.cumsum(sizes) - sizes, len(nodes))
    _check_depth(starts, inner, children, len(nodes), limits.depth)
    _check_questions(nodes, inner, schema, limits)
    _check_counts(nodes, inner, children, limits)
    _check_values(nodes, schema, limits)
    if limits.agreeing:
        _check_agreement(nodes, inner, children)


def _require(holds: object, needed: str) -> None:
    if not holds:
        raise DataError(
            f"a tree needs {needed}", came="another table", action="refuse this client's reply"
        )


def _check_links(
    nodes: Nodes,
    starts: NDArray[np.int64],
    sizes: NDArray[np.int64],
    inner: NDArray[np.int64],
) -> None:
    _require(np.array_equal(nodes.right == LEAF, nodes.is_leaf), "two children or none")
    own = inner - starts[inner]
    for child in (nodes.left[inner], nodes.right[inner]):
        _require((child > own).all(), "every child after its parent")
        _require((child < sizes[inner]).all(), "children within the tree")


def _check_parents(children: NDArray[np.int64], roots: NDArray[np.int64], count: int) -> None:
    parents = np.bincount(children.reshape(-1), minlength=count)
    expected = np.ones(count, np.int64)
    expected[roots] = 0
    _require(np.array_equal(parents, expected), "one parent for every node but the root")


def _check_depth(
    starts: NDArray[np.int64],
    inner: NDArray[np.int64],
    children: NDArray[np.int64],
    count: int,
    limit: int,
) -> None:
    """Walk down all trees at once; every node is met once, so this ends."""
    pair = np.full((2, count), -1, np.int64)
    pair[:, inner] = children
    level = np.unique(starts)
    for _ in range(limit + 1):
        level = pair[:, level].reshape(-1)
        level = level[level >= 0]
        if not level.size:
            return
    _require(False, f"a depth of at most {limit}")


def _check_questions(
    nodes: Nodes, inner: NDArray[np.int64], schema: ForestSchema, limits: ForestLimits
) -> None:
    feature, threshold = nodes.feature[inner], nodes.threshold[inner]
    _require(((feature >= 0) & (feature < schema.features)).all(), "features that exist")
    finite = np.abs(threshold) <= limits.magnitude  # False for NaN
    _require((finite | (threshold == np.inf)).all(), "thresholds that are numbers")
    leaf = nodes.is_leaf
    _require((nodes.feature[leaf] == UNDEFINED).all(), "no feature in a leaf")
    _require((nodes.threshold[leaf] == UNDEFINED).all(), "no threshold in a leaf")
    _require((nodes.missing_left <= 1).all(), "0 or 1 for missing values")


def _check_counts(
    nodes: Nodes, inner: NDArray[np.int64], children: NDArray[np.int64], limits: ForestLimits
) -> None:
    samples, weight = nodes.samples, nodes.weight
    _require(((samples >= 1) & (samples <= _MOST_SAMPLES)).all(), "samples in every node")
    _require((samples[inner] == samples[children].sum(axis=0)).all(), "samples that add up")
    _require(((weight > 0) & (weight <= limits.magnitude)).all(), "weights above 0")
    summed = weight[children].sum(axis=0)
    _require(np.allclose(weight[inner], summed, rtol=_ROUNDING, atol=0), "weights that add up")
    _require(np.isfinite(nodes.impurity).all(), "finite impurities")


def _check_values(nodes: Nodes, schema: ForestSchema, limits: ForestLimits) -> None:
    values = nodes.values
    if schema.regression:
        _require((np.abs(values) <= limits.magnitude).all(), "finite leaf values")
        return
    _require(((values >= 0) & (values <= 1)).all(), "shares from 0 to 1")
    _require((np.abs(values.sum(axis=1) - 1) <= _ROUNDING).all(), "shares that sum to 1")


def _check_agreement(
    nodes: Nodes, inner: NDArray[np.int64], children: NDArray[np.int64]
) -> None:
    weight = nodes.weight[children][..., None]
    means = (nodes.values[children] * weight).sum(axis=0) / weight.sum(axis=0)
    size = np.abs(nodes.values).max(initial=1e-300)
    apart = np.abs(nodes.values[inner] - means).max(initial=0.0)
    _require(apart <= _ROUNDING * size, "values that are the mean of the children's")
