"""Trees that are the same tree again, exactly or nearly: a copy is no work."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from parity_flwr.core.forest.arrays import Nodes

NEAR = 1e-3  # thresholds closer than this, relatively, ask the same question
TELLING = 16  # inner nodes from which two honest trees do not agree by chance


def shape_digest(tree: Nodes) -> str:
    """Return the SHA-256 of a tree's branching and features, as hex; thresholds left out."""
    digest = hashlib.sha256()
    for column in (tree.left, tree.right, tree.feature):
        digest.update(np.ascontiguousarray(column, "<i4").tobytes())
    return digest.hexdigest()


def is_copy(one: Nodes, other: Nodes) -> bool:
    """Return whether two trees of one shape are the same tree again.

    Small changes of thresholds do not hide a copy, and leaf values do not count at all: a
    stolen structure with a table of lies is a copy too. Small trees on data with few values
    agree by chance; those are copies only if as many examples came by every node.
    """
    close = np.isclose(one.threshold, other.threshold, rtol=NEAR, atol=1e-12)
    if not close.all():
        return False
    telling = np.count_nonzero(~one.is_leaf) >= TELLING
    return bool(telling or np.array_equal(one.samples, other.samples))


def copies(trees: Sequence[Nodes], ranks: NDArray[np.generic]) -> NDArray[np.bool_]:
    """Return which trees are copies of one that ranks before them, shape (T,).

    Parameters
    ----------
    trees : sequence of Nodes
        Checked trees of one schema.
    ranks : ndarray of shape (T,)
        The lowest of a group of equals is kept; ties go to the first.

    Examples
    --------
    >>> copies([], np.zeros(0)).tolist()
    []
    """
    found = np.zeros(len(trees), bool)
    kept: dict[str, list[Nodes]] = defaultdict(list)
    for k in np.argsort(ranks, kind="stable").tolist():
        alike = kept[shape_digest(trees[k])]
        found[k] = any(is_copy(trees[k], each) for each in alike)
        if not found[k]:
            alike.append(trees[k])
    return found
