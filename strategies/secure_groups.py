"""What becomes of group means."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from parity_flwr.core.rows import Rows
from parity_flwr.core.rules import GeometricMedian


def combine_groups(means: Rows, weights: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the geometric median of the groups' means by weight; no weight, no change."""
    if weights.sum() <= 0:
        return np.zeros(means.d, np.float32)
    return GeometricMedian().aggregate(means, weights=weights)
