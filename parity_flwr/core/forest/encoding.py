"""Forests as named numeric arrays, as a message, a checkpoint and the journal hold them.

Nothing but numbers travels, all of them finite: a threshold of +inf is written as 0 with a
mark beside it, so that every check for NaN and infinity on the way may stay.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from parity_flwr.core.forest.arrays import COLUMNS, Forest, Nodes
from parity_flwr.core.forest.schema import ForestLimits, ForestSchema
from parity_flwr.core.forest.validation import check_trees
from parity_flwr.errors import ConfigError, DataError

Arrays = Mapping[str, NDArray[Any]]

VERSION: Final = 1
_MAX_CLASS_BYTES = 1 << 20
_HEADER: Mapping[str, np.dtype[Any]] = {
    "format": np.dtype("<i8"),
    "classes": np.dtype("u1"),
    "sizes": np.dtype("<i8"),
}
_UNBOUNDED = "unbounded"
FIELDS: Final[Mapping[str, np.dtype[Any]]] = {
    **_HEADER,
    **COLUMNS,
    _UNBOUNDED: np.dtype("u1"),
}
"""Name and dtype of each array, in their order.

``format`` is (version, features), ``classes`` a JSON list as bytes, ``sizes`` the nodes of
each tree; the rest are columns over all nodes.
"""


def encode_forest(forest: Forest) -> dict[str, NDArray[Any]]:
    """Return the forest as named arrays; :func:`decode_forest` reads them.

    Examples
    --------
    >>> arrays = encode_forest(Forest.of(ForestSchema(4, ("no", "yes")), []))
    >>> decode_forest(arrays).schema.classes
    ('no', 'yes')
    """
    schema, nodes = forest.schema, forest.nodes
    unbounded = nodes.threshold == np.inf
    text = json.dumps(schema.classes, ensure_ascii=True, allow_nan=False).encode("ascii")
    arrays: dict[str, NDArray[Any]] = {
        "format": np.array([VERSION, schema.features], np.int64),
        "classes": np.frombuffer(text, np.uint8).copy(),
        "sizes": forest.sizes,
        **{name: getattr(nodes, name) for name in COLUMNS},
        _UNBOUNDED: unbounded,
    }
    arrays["threshold"] = np.where(unbounded, 0.0, nodes.threshold)
    return {name: np.ascontiguousarray(arrays[name], kind) for name, kind in FIELDS.items()}


def decode_forest(
    arrays: Arrays,
    *,
    schema: ForestSchema | None = None,
    limits: ForestLimits | None = None,
) -> Forest:
    """Return the forest, after every check of :func:`check_trees`.

    Parameters
    ----------
    arrays : mapping of str to ndarray
        From anybody.
    schema : ForestSchema, optional
        The one that the forest must have.
    limits : ForestLimits, optional
        The most that is accepted.

    Raises
    ------
    DataError
        If they are not one sound forest of that schema within the limits.
    """
    limits = limits or ForestLimits()
    _check_arrays(arrays)
    found = _schema(arrays)
    if schema is not None and found != schema:
        raise _refused("this federation's features and classes", "others")
    sizes = _sizes(arrays, limits)
    nodes = _nodes(arrays, outputs=found.outputs, count=int(sizes.sum()))
    check_trees(nodes, sizes, found, limits)
    return Forest(found, sizes, nodes)


def _refused(needed: str, came: str) -> DataError:
    return DataError(f"a forest needs {needed}", came=came, action="refuse this reply")


def _check_arrays(arrays: Arrays) -> None:
    if set(arrays) != set(FIELDS):
        raise _refused(f"the arrays {', '.join(FIELDS)}", f"{len(arrays)} others")
    for name, kind in FIELDS.items():
        if arrays[name].dtype != kind or arrays[name].ndim != (2 if name == "values" else 1):
            raise _refused(
                f"{kind} in {name!r}", f"{arrays[name].dtype}, {arrays[name].ndim} dimensions"
            )
    if arrays["format"].shape != (2,) or int(arrays["format"][0]) != VERSION:
        raise _refused(f"format {VERSION}", "another")


def _schema(arrays: Arrays) -> ForestSchema:
    raw = arrays["classes"]
    if raw.size > _MAX_CLASS_BYTES:
        raise _refused(f"at most {_MAX_CLASS_BYTES} bytes of class names", str(raw.size))
    try:
        classes = json.loads(raw.tobytes().decode("ascii"))
        if not isinstance(classes, list) or not all(map(_is_class, classes)):
            raise ValueError("classes")
        return ForestSchema(int(arrays["format"][1]), tuple(classes))
    except (ConfigError, ValueError, RecursionError) as error:
        raise _refused("a list of class names", "something else") from error


def _is_class(value: object) -> bool:
    return isinstance(value, str | int | float | bool)


def _sizes(arrays: Arrays, limits: ForestLimits) -> NDArray[np.int64]:
    sizes = np.asarray(arrays["sizes"], np.int64)
    if len(sizes) > limits.trees:
        raise _refused(f"at most {limits.trees} trees", str(len(sizes)))
    if sizes.size and not 1 <= sizes.min() <= sizes.max() <= limits.nodes:
        raise _refused(f"1 to {limits.nodes} nodes in a tree", "another number")
    if sum(sizes.tolist()) > limits.nodes:
        raise _refused(f"at most {limits.nodes} nodes", "more")
    return sizes


def _nodes(arrays: Arrays, *, outputs: int, count: int) -> Nodes:
    for name in (*COLUMNS, _UNBOUNDED):
        wanted = (count, outputs) if name == "values" else (count,)
        if arrays[name].shape != wanted:
            raise _refused(f"{wanted} numbers in {name!r}", str(arrays[name].shape)[:80])
    marks = arrays[_UNBOUNDED]
    if marks.max(initial=0) > 1 or np.any(arrays["threshold"][marks == 1]):
        raise _refused("a threshold or a mark that there is none", "both")
    if not np.isfinite(arrays["threshold"]).all():
        raise _refused("finite thresholds", "others")
    columns = {name: arrays[name] for name in COLUMNS}
    columns["threshold"] = np.where(marks == 1, np.inf, arrays["threshold"])
    return Nodes(**columns)
