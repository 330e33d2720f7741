"""Forests on disk as skops files, which any scikit-learn user can open.

skops itself builds the objects a file names, and scikit-learn's trees believe what they are
given: a node count that is too large reads foreign memory. So reading here builds nothing
that the file names: only numbers are taken from it, and checked as those of any client.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_flwr.clients.forest_model import Estimator, to_sklearn
from parity_flwr.core.forest import Forest, ForestLimits, ForestSchema, Nodes, check_trees
from parity_flwr.errors import DataError, MissingExtraError

_KINDS = {"RandomForestClassifier": True, "RandomForestRegressor": False}
_MAX_BYTES = 4 << 30  # unpacked
_MAX_SCHEMA = 1 << 28
_UNREADABLE = (
    OSError, ValueError, KeyError, TypeError, IndexError, AttributeError, EOFError,
    MemoryError, RecursionError, NotImplementedError, SyntaxError, zipfile.BadZipFile,
)  # fmt: skip

_COLUMNS: Mapping[str, tuple[str, type[np.generic]]] = {
    "left": ("left_child", np.int32),
    "right": ("right_child", np.int32),
    "feature": ("feature", np.int32),
    "threshold": ("threshold", np.float64),
    "missing_left": ("missing_go_to_left", np.uint8),
    "impurity": ("impurity", np.float64),
    "samples": ("n_node_samples", np.int64),
    "weight": ("weighted_n_node_samples", np.float64),
}


def save_forest(path: Path, forest: Forest) -> None:
    """Write the forest as a fitted scikit-learn forest in skops's format.

    Others open it with ``skops.io.load(path, trusted=["sklearn.tree._tree.Tree"])`` if they
    trust who gave it to them, or with :func:`load_forest` if they do not.

    Raises
    ------
    ConfigError
        If there is no tree.
    MissingExtraError
        If skops or scikit-learn is not installed.
    """
    try:
        import skops.io
    except ImportError as error:
        raise MissingExtraError("saving a forest", extra="trees") from error
    estimator = to_sklearn(forest)
    path.write_bytes(skops.io.dumps(estimator))


def load_forest(path: Path) -> Estimator:
    """Return the fitted scikit-learn forest of a file from anybody.

    Raises
    ------
    DataError
        If the file is not one sound random forest as :func:`save_forest` writes it.
    """
    return to_sklearn(read_forest(path))


def read_forest(path: Path, *, limits: ForestLimits | None = None) -> Forest:
    """Return the checked trees of a skops file, without building what it names.

    Raises
    ------
    DataError
        If the file is not one sound random forest as :func:`save_forest` writes it.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return _read(archive, limits or ForestLimits(agreeing=False))
    except DataError:
        raise
    except _UNREADABLE as error:
        raise _refused(f"{type(error).__name__} while reading it") from error


def _refused(came: str) -> DataError:
    return DataError(
        "a forest's file needs to be one that save_forest wrote",
        came=came[:200],
        action="fetch it again from its source",
    )


def _read(archive: zipfile.ZipFile, limits: ForestLimits) -> Forest:
    sizes = {each.filename: each.file_size for each in archive.infolist()}
    if sum(sizes.values()) > _MAX_BYTES or sizes.get("schema.json", 0) > _MAX_SCHEMA:
        raise _refused("a file that unpacks to too many bytes")
    root = json.loads(archive.read("schema.json"))
    if root["__class__"] not in _KINDS or not root["__module__"].startswith("sklearn."):
        raise _refused(f"the type {root['__module__']}.{root['__class__']}")
    fields = root["content"]["content"]
    classes = _array(archive, fields["classes_"]) if _KINDS[root["__class__"]] else ()
    schema = ForestSchema.of(_integer(fields["n_features_in_"]), classes)
    estimators = fields["estimators_"]["content"]
    if len(estimators) > limits.trees:
        raise _refused(f"{len(estimators)} trees")
    trees = [_tree(archive, each["content"]["content"]["tree_"], schema) for each in estimators]
    forest = Forest.of(schema, trees)
    check_trees(forest.nodes, forest.sizes, schema, limits)
    return forest


def _tree(archive: zipfile.ZipFile, saved: Any, schema: ForestSchema) -> Nodes:
    state = saved["content"]["content"]
    rows, values = _array(archive, state["nodes"]), _array(archive, state["values"])
    if rows.ndim != 1 or not len(rows) or values.shape != (len(rows), 1, schema.outputs):
        raise _refused("a tree of another shape")
    read = {name: _column(rows[theirs], kind) for name, (theirs, kind) in _COLUMNS.items()}
    return Nodes(values=_column(values[:, 0, :], np.float64), **read)


def _column(values: NDArray[Any], kind: type[np.generic]) -> NDArray[Any]:
    """Return the numbers in another dtype, refused if one of them does not fit."""
    narrowed = values.astype(kind)
    if values.dtype.kind not in "iuf" or not np.array_equal(narrowed, values, equal_nan=True):
        raise _refused("numbers that do not fit")
    return narrowed


def _array(archive: zipfile.ZipFile, saved: Any) -> NDArray[Any]:
    data = np.load(io.BytesIO(archive.read(str(saved["file"]))), allow_pickle=False)
    if not isinstance(data, np.ndarray):
        raise _refused("no array")
    return data


def _integer(saved: Any) -> int:
    return int(json.loads(saved["content"]))
