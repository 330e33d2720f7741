"""A forest as flat columns of numbers: one row for each node, tree after tree."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_flwr.core.forest.schema import ForestSchema
from parity_flwr.errors import ConfigError

Integers = NDArray[np.int64]

LEAF = -1
"""Child index of a leaf, as scikit-learn writes it."""

UNDEFINED = -2
"""Feature and threshold of a leaf, as scikit-learn writes them."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Nodes:
    """The N nodes of one or more trees, in scikit-learn's order (a child after its parent).

    Child indices count within the tree. An inner node sends x left if x[feature] (as
    float32) is at most the threshold, or if it is missing and ``missing_left`` is 1.

    Parameters
    ----------
    left, right, feature : ndarray of int32, shape (N,)
        Children, -1 in a leaf; the feature asked, -2 in a leaf.
    threshold : ndarray of float64, shape (N,)
        May be +inf: "missing or not" is the question then.
    missing_left : ndarray of uint8, shape (N,)
    impurity : ndarray of float64, shape (N,)
    samples : ndarray of int64, shape (N,)
        Training examples that came by, each counted once.
    weight : ndarray of float64, shape (N,)
        The same with their multiplicity in the bootstrap.
    values : ndarray of float64, shape (N, outputs)
        Shares of the classes, or the mean.
    """

    left: NDArray[np.int32]
    right: NDArray[np.int32]
    feature: NDArray[np.int32]
    threshold: NDArray[np.float64]
    missing_left: NDArray[np.uint8]
    impurity: NDArray[np.float64]
    samples: NDArray[np.int64]
    weight: NDArray[np.float64]
    values: NDArray[np.float64]

    def __len__(self) -> int:
        """Return N."""
        return len(self.left)

    def __getitem__(self, rows: slice) -> Nodes:
        """Return views of some rows."""
        return Nodes(**{name: getattr(self, name)[rows] for name in COLUMNS})

    @classmethod
    def joined(cls, parts: Sequence[Nodes], *, outputs: int) -> Nodes:
        """Return the rows of all parts one after the other."""
        whole = (*parts, cls.empty(outputs))
        columns = {name: np.concatenate([getattr(p, name) for p in whole]) for name in COLUMNS}
        return cls(**columns)

    @classmethod
    def empty(cls, outputs: int) -> Nodes:
        """Return no rows."""
        columns: dict[str, NDArray[Any]] = {
            name: np.zeros(0, dtype) for name, dtype in COLUMNS.items()
        }
        columns["values"] = np.zeros((0, outputs))
        return cls(**columns)

    @property
    def is_leaf(self) -> NDArray[np.bool_]:
        """Return which nodes are leaves, shape (N,)."""
        return np.asarray(self.left == LEAF)


COLUMNS: Mapping[str, np.dtype[Any]] = {
    "left": np.dtype("<i4"),
    "right": np.dtype("<i4"),
    "feature": np.dtype("<i4"),
    "threshold": np.dtype("<f8"),
    "missing_left": np.dtype("u1"),
    "impurity": np.dtype("<f8"),
    "samples": np.dtype("<i8"),
    "weight": np.dtype("<f8"),
    "values": np.dtype("<f8"),
}
"""The dtype of each column."""

assert list(COLUMNS) == [each.name for each in fields(Nodes)]  # noqa: S101


@dataclass(frozen=True, eq=False)
class Forest:
    """Trees of one schema.

    Parameters
    ----------
    schema : ForestSchema
        What they predict from what.
    sizes : ndarray of int64, shape (T,)
        Nodes of each tree.
    nodes : Nodes
        All of them, tree after tree.
    """

    schema: ForestSchema
    sizes: Integers
    nodes: Nodes

    def __len__(self) -> int:
        """Return T, the number of trees."""
        return len(self.sizes)

    def __iter__(self) -> Iterator[Nodes]:
        """Yield each tree's nodes, as views."""
        ends = np.cumsum(self.sizes).tolist()
        for size, end in zip(self.sizes.tolist(), ends, strict=True):
            yield self.nodes[end - size : end]

    @classmethod
    def of(cls, schema: ForestSchema, trees: Sequence[Nodes]) -> Forest:
        """Return a forest of these trees.

        Examples
        --------
        >>> len(Forest.of(ForestSchema(3), []))
        0
        """
        sizes = np.array([len(tree) for tree in trees], np.int64)
        return cls(schema, sizes, Nodes.joined(trees, outputs=schema.outputs))

    def chosen(self, trees: Sequence[int] | Integers) -> Forest:
        """Return the forest of these of its trees, in this order."""
        every = list(self)
        return Forest.of(self.schema, [every[k] for k in trees])


def bagged(forests: Sequence[Forest]) -> Forest:
    """Return all trees of all forests.

    Raises
    ------
    ConfigError
        If there is no forest, or their schemas differ.
    """
    schemas = {each.schema for each in forests}
    if len(schemas) != 1:
        raise ConfigError(
            "bagging needs forests of one schema",
            came=f"{len(schemas)} schemas",
            action="give all clients the same features and classes",
        )
    return Forest.of(next(iter(schemas)), [tree for each in forests for tree in each])
