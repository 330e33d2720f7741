"""scikit-learn's forests as checked numbers, and back, bit for bit."""

from __future__ import annotations

import importlib
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from parity_flwr.core.forest import Forest, ForestLimits, ForestSchema, Nodes, check_trees
from parity_flwr.errors import ConfigError, MissingExtraError

Estimator: TypeAlias = Any
"""A fitted RandomForestClassifier or RandomForestRegressor; scikit-learn has no types."""

_OF_SKLEARN = {
    "left": "left_child",
    "right": "right_child",
    "feature": "feature",
    "threshold": "threshold",
    "missing_left": "missing_go_to_left",
    "impurity": "impurity",
    "samples": "n_node_samples",
    "weight": "weighted_n_node_samples",
}


def require_sklearn(feature: str = "a forest client") -> None:
    """Check that scikit-learn can be imported.

    Raises
    ------
    MissingExtraError
        If it cannot.
    """
    try:
        importlib.import_module("sklearn.ensemble")
    except ImportError as error:
        raise MissingExtraError(feature, extra="trees") from error


def from_sklearn(estimator: Estimator, schema: ForestSchema | None = None) -> Forest:
    """Return the trees of a fitted forest (random forest or extra trees) as numbers.

    Parameters
    ----------
    estimator : RandomForestClassifier or RandomForestRegressor
        With one output.
    schema : ForestSchema, optional
        The federation's. Classes that the estimator has not seen get the share 0; by
        default the schema is the estimator's own.

    Raises
    ------
    ConfigError
        If there are several outputs, or a class that the schema does not know.
    """
    if estimator.n_outputs_ != 1:
        raise ConfigError(
            "a forest needs one output",
            came=f"{estimator.n_outputs_}",
            action="fit one forest for each",
        )
    classes = getattr(estimator, "classes_", np.zeros(0))
    schema = schema or ForestSchema.of(estimator.n_features_in_, classes)
    columns = _columns(np.asarray(classes).tolist(), schema)
    trees = [_nodes(each.tree_, columns, schema.outputs) for each in estimator.estimators_]
    return Forest.of(schema, trees)


def _columns(classes: list[Any], schema: ForestSchema) -> list[int]:
    """Return the schema's column of each of the estimator's classes."""
    if schema.regression:
        return [0]
    places = {name: k for k, name in enumerate(schema.classes)}
    unknown = [name for name in classes if name not in places]
    if unknown:
        raise ConfigError(
            "a forest needs the classes of its schema",
            came=f"{unknown!r}"[:80],
            action="name every class in the schema",
        )
    return [places[name] for name in classes]


def _nodes(tree: Any, columns: list[int], outputs: int) -> Nodes:
    state = tree.__getstate__()
    rows = state["nodes"]
    read = {name: rows[theirs] for name, theirs in _OF_SKLEARN.items()}
    values = np.zeros((len(rows), outputs))
    values[:, columns] = state["values"][:, 0, :]
    for name in ("left", "right", "feature"):
        read[name] = read[name].astype(np.int32)
    return Nodes(values=values, **{name: np.array(each) for name, each in read.items()})


def to_sklearn(forest: Forest) -> Estimator:
    """Return a fitted scikit-learn forest that predicts as the trees do.

    The trees are checked once more first: scikit-learn walks them without looking.

    Raises
    ------
    ConfigError
        If there is no tree.
    DataError
        If a tree is not sound.
    MissingExtraError
        If scikit-learn is not installed.
    """
    require_sklearn("a scikit-learn forest")
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

    if not len(forest):
        raise ConfigError(
            "a fitted forest needs a tree", came="none", action="train at least one round"
        )
    schema = forest.schema
    check_trees(forest.nodes, forest.sizes, schema, ForestLimits(agreeing=False))
    kind = RandomForestRegressor if schema.regression else RandomForestClassifier
    estimator: Any = kind(n_estimators=len(forest))
    estimator.estimators_ = [_estimator(tree, schema) for tree in forest]
    estimator.estimator_ = type(estimator.estimators_[0])()
    estimator.n_features_in_, estimator.n_outputs_ = schema.features, 1
    if not schema.regression:
        estimator.classes_ = np.array(schema.classes)
        estimator.n_classes_ = schema.outputs
    return estimator


def _estimator(tree: Nodes, schema: ForestSchema) -> Any:
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    one: Any = DecisionTreeRegressor() if schema.regression else DecisionTreeClassifier()
    one.tree_ = _tree(tree, schema)
    one.n_features_in_, one.n_outputs_, one.max_features_ = schema.features, 1, schema.features
    if not schema.regression:
        one.classes_ = np.arange(schema.outputs, dtype=np.float64)
        one.n_classes_ = schema.outputs
    return one


def _tree(tree: Nodes, schema: ForestSchema) -> Any:
    from sklearn.tree._tree import NODE_DTYPE, Tree

    rows: Any = np.zeros(len(tree), NODE_DTYPE)
    for name, theirs in _OF_SKLEARN.items():
        rows[theirs] = getattr(tree, name)
    built = Tree(schema.features, np.array([schema.outputs], np.intp), 1)
    built.__setstate__(
        {
            "max_depth": _depth(tree),
            "node_count": len(tree),
            "nodes": rows,
            "values": np.ascontiguousarray(tree.values[:, None, :]),
        }
    )
    return built


def _depth(tree: Nodes) -> int:
    """Return the longest way from the root, in edges; a child stands after its parent."""
    depth: NDArray[np.int64] = np.zeros(len(tree), np.int64)
    for parent in np.flatnonzero(~tree.is_leaf).tolist():
        depth[tree.left[parent]] = depth[tree.right[parent]] = depth[parent] + 1
    return int(depth.max())
