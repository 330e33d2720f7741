"""scikit-learn's small tables as plain arrays; its own types say little."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Table = tuple[NDArray[Any], NDArray[Any]]


def sample_table(name: str) -> Table:
    """Return inputs and labels of "breast_cancer", "diabetes", "digits" or "wine"."""
    from sklearn import datasets

    bunch: Any = getattr(datasets, f"load_{name}")()
    return np.array(bunch.data, np.float64), np.array(bunch.target)
