"""Private forests: random trees from a shared seed, whose integer leaf counts add up.

The trees do not depend on the data: everybody who knows the seed has the same ones. A client
counts its examples by leaf and class; counts are integers, so they fit secure aggregation,
and their sum is that of the pooled data, exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from parity_flwr.core.privacy.discrete import discrete_laplace
from parity_flwr.core.privacy.parameters import checked_count, checked_epsilon
from parity_flwr.core.privacy.stream import RandomStream
from parity_flwr.errors import ConfigError, DataError

Counts = NDArray[np.int64]
_MAX_DEPTH = 16
_DENOMINATOR = 10**6


@dataclass(frozen=True, kw_only=True)
class SharedTrees:
    """Complete binary trees of one depth, drawn from a public seed.

    Parameters
    ----------
    seed : int
        Public: clients and server must use the same.
    trees, depth : int
        How many, and how many splits from root to leaf (at most 16).
    low, high : ndarray of float64, shape (d,)
        Range of each feature, in which thresholds are drawn: not from private data.

    Examples
    --------
    >>> trees = SharedTrees(seed=1, trees=2, depth=3, low=np.zeros(4), high=np.ones(4))
    >>> trees.leaves(np.full((5, 4), 0.5)).shape
    (2, 5)
    """

    seed: int
    trees: int
    depth: int
    low: NDArray[np.float64]
    high: NDArray[np.float64]

    def __post_init__(self) -> None:
        checked_count("trees", self.trees)
        if type(self.depth) is not int or not 1 <= self.depth <= _MAX_DEPTH:
            raise ConfigError(
                f"shared trees need a depth from 1 to {_MAX_DEPTH}",
                came=repr(self.depth),
                action="change depth",
            )
        finite = np.isfinite(self.low).all() and np.isfinite(self.high).all()
        if self.low.shape != self.high.shape or not finite or (self.low > self.high).any():
            raise ConfigError(
                "shared trees need a finite range low <= high for each feature",
                came="other ranges",
                action="state what the features can be, from public knowledge",
            )

    @property
    def splits(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Features and thresholds, shape (trees, 2^depth - 1), in level order."""
        rng = np.random.default_rng([self.seed, self.trees, self.depth, len(self.low)])
        shape = (self.trees, 2**self.depth - 1)
        features = rng.integers(0, len(self.low), shape)
        where = rng.random(shape)
        low, high = self.low[features], self.high[features]
        return features, low + where * (high - low)

    def leaves(self, x: NDArray[np.floating]) -> NDArray[np.int64]:
        """Return each example's leaf in each tree, shape (trees, n), from 0.

        Raises
        ------
        DataError
            If a feature is not finite, or their number is another.
        """
        values = np.asarray(x, np.float64)
        if values.ndim != 2 or values.shape[1] != len(self.low):
            raise _bad(f"shape {values.shape}")
        if not np.isfinite(values).all():
            raise _bad("NaN or infinite features")
        features, thresholds = self.splits
        rows = np.arange(len(values))
        node = np.zeros((self.trees, len(values)), np.int64)
        for _ in range(self.depth):
            chosen = np.take_along_axis(features, node, axis=1)
            limit = np.take_along_axis(thresholds, node, axis=1)
            node = 2 * node + 1 + (values[rows, chosen] > limit)
        leaves: NDArray[np.int64] = node - (2**self.depth - 1)
        return leaves

    def counts(
        self, x: NDArray[np.floating], y: NDArray[np.integer], *, classes: int
    ) -> Counts:
        """Return how many examples of each class fall into each leaf.

        Shape (trees, 2^depth, classes), int64. One example adds 1 in every tree: the L1
        sensitivity is the number of trees, or with ``disjoint_counts`` 1.
        """
        leaves = self.leaves(x)
        _check_labels(y, len(x), classes)
        size = 2**self.depth * classes
        flat = leaves * classes + np.asarray(y, np.int64)
        found = [np.bincount(each, minlength=size) for each in flat]
        return np.stack(found).reshape(self.trees, 2**self.depth, classes).astype(np.int64)

    def disjoint_counts(
        self,
        x: NDArray[np.floating],
        y: NDArray[np.integer],
        *,
        classes: int,
        stream: RandomStream,
    ) -> Counts:
        """Return counts in which each example is in one tree only, drawn at random.

        Then one example moves one count by 1, whatever the number of trees.
        """
        leaves = self.leaves(x)
        _check_labels(y, len(x), classes)
        tree = stream.below(self.trees, len(leaves[0]))
        counts = np.zeros((self.trees, 2**self.depth, classes), np.int64)
        own = leaves[tree, np.arange(len(tree))]
        np.add.at(counts, (tree, own, np.asarray(y, np.int64)), 1)
        return counts

    def probabilities(self, counts: Counts, x: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return class probabilities, shape (n, classes): the trees' mean.

        Negative counts, which noise makes, count as 0; a leaf without counts says nothing.
        """
        positive = np.maximum(counts, 0).astype(np.float64)
        totals = positive.sum(axis=2, keepdims=True)
        classes = positive.shape[2]
        uniform = np.full(positive.shape, 1 / classes)
        shares = np.where(totals > 0, positive / np.maximum(totals, 1), uniform)
        leaves = self.leaves(x)
        tree = np.arange(self.trees)[:, None]
        mean: NDArray[np.float64] = shares[tree, leaves].mean(axis=0)
        return mean


def noisy_counts(
    counts: Counts, *, epsilon: float, sensitivity: int, stream: RandomStream
) -> Counts:
    """Return the counts with discrete Laplace noise: epsilon-DP for each example, exactly.

    Parameters
    ----------
    sensitivity : int
        By how much one example moves all counts together (L1): ``trees`` for
        :meth:`SharedTrees.counts`, 1 for :meth:`SharedTrees.disjoint_counts`.
    """
    checked_count("sensitivity", sensitivity)
    # Rounded down, so that the noise is never less than epsilon asks for.
    rate = Fraction(int(checked_epsilon(epsilon) * _DENOMINATOR), _DENOMINATOR)
    scale = Fraction(sensitivity) / max(rate, Fraction(1, _DENOMINATOR))
    noise = discrete_laplace(stream, counts.size, scale=scale)
    return np.asarray(counts + noise.reshape(counts.shape))


def _check_labels(y: NDArray[np.integer], n: int, classes: int) -> None:
    checked_count("classes", classes)
    labels = np.asarray(y)
    whole = labels.dtype.kind in "iu" and labels.shape == (n,)
    if not whole or (n and not (labels.min() >= 0 and labels.max() < classes)):
        raise _bad("labels that are no classes")


def _bad(came: str) -> DataError:
    return DataError(
        "leaf counts need a finite row of features and a class from 0 for each example",
        came=came,
        action="clean the data, and use the trees that were agreed on",
    )
