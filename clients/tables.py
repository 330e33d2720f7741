"""Labelled rows of numbers, what the clients of linear models and forests hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_flwr.errors import DataError

Labels = NDArray[np.int64] | NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Table:
    """Labelled rows of numbers.

    Parameters
    ----------
    x : ndarray of floats, shape (n, features)
        NaN is missing; forests take it, linear models do not.
    y : ndarray of shape (n,)
        Indices of the classes (int64), or numbers (float64) for regression.

    Raises
    ------
    DataError
        If the lengths differ or x is not two-dimensional.
    """

    x: NDArray[np.floating[Any]]
    y: Labels

    def __post_init__(self) -> None:
        if self.x.ndim != 2 or self.y.shape != self.x.shape[:1]:
            raise DataError(
                "a table needs rows of features and one label each",
                came=f"shapes {self.x.shape} and {self.y.shape}",
                action="check the data",
            )

    def __len__(self) -> int:
        """Return n."""
        return len(self.y)
