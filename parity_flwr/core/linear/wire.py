"""A root as the arrays of a reply."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from parity_flwr.core.linear.roots import Root
from parity_flwr.errors import DataError

FIELDS: Final = {
    "0": np.dtype("<i8"),  # the count, shape (1,)
    "1": np.dtype("<f8"),  # the means, shape (d + 1,)
    "2": np.dtype("<f8"),  # the triangle's upper half, row after row
}
"""Name and dtype of each array; the names are those a NumPyClient's arrays get."""


def pack_root(root: Root) -> dict[str, NDArray[Any]]:
    """Return the root as named arrays.

    Examples
    --------
    >>> root = Root(3, np.zeros(2), np.array([[1.0, 2.0], [0.0, 3.0]]))
    >>> unpack_root(pack_root(root), features=1).triangle.tolist()
    [[1.0, 2.0], [0.0, 3.0]]
    """
    upper = np.triu_indices(len(root.mean))
    return {"0": np.array([root.count], np.int64), "1": root.mean, "2": root.triangle[upper]}


def unpack_root(arrays: Mapping[str, NDArray[Any]], *, features: int) -> Root:
    """Return the root that anybody's arrays hold.

    Raises
    ------
    DataError
        If they hold none of so many features.
    """
    size = features + 1
    shapes = {"0": (1,), "1": (size,), "2": (size * (size + 1) // 2,)}
    for name, kind in FIELDS.items():
        array = arrays.get(name)
        if array is None or array.dtype != kind or array.shape != shapes[name]:
            raise DataError(
                f"statistics need {kind} of shape {shapes[name]} in {name!r}",
                came="something else",
                action="refuse this client's reply",
            )
    triangle = np.zeros((size, size))
    triangle[np.triu_indices(size)] = arrays["2"]
    return Root(int(arrays["0"][0]), np.asarray(arrays["1"], np.float64), triangle)
