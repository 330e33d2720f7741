"""Linear regression from noisy sums that each client noised by itself (AdaSSP, distributed).

Unlike :func:`~parity_flwr.core.privacy.adassp.adassp`, nobody holds the exact sums: a client
releases one noisy vector, vectors add up (masked if need be), and the fit reads the smallest
eigenvalue off the noisy matrix, so that it costs nothing more.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from parity_flwr.core.privacy.adassp import Bounds, Statistics
from parity_flwr.core.privacy.noise import gaussian
from parity_flwr.core.privacy.stream import RandomStream

Vector = NDArray[np.float64]

SENSITIVITY = math.sqrt(2)
"""L2 sensitivity of :func:`packed` under add-or-remove: 1 for X'X and 1 for X'y."""

_FAILURE = 0.05  # probability with which the ridge may be too small (AdaSSP's rho)


def packed(sums: Statistics, *, bounds: Bounds) -> Vector:
    """Return the upper half of X'X / x^2, row after row, then X'y / (x y).

    Examples
    --------
    >>> packed(Statistics(np.eye(2), np.ones(2), 1.0), bounds=Bounds()).tolist()
    [1.0, 0.0, 1.0, 1.0, 1.0]
    """
    upper = sums.xx[np.triu_indices(len(sums.xy))] / bounds.x**2
    return np.concatenate([upper, sums.xy / (bounds.x * bounds.y)])


def packed_length(columns: int) -> int:
    """Return the length of a packed vector; ``columns`` counts the intercept's too."""
    return columns * (columns + 1) // 2 + columns


def unpacked(vector: Vector) -> tuple[NDArray[np.float64], Vector]:
    """Return X'X / x^2 and X'y / (x y) of a packed vector.

    Examples
    --------
    >>> xx, xy = unpacked(np.array([1.0, 2.0, 3.0, 4.0, 5.0]))
    >>> xx.tolist(), xy.tolist()
    ([[1.0, 2.0], [2.0, 3.0]], [4.0, 5.0])
    """
    columns = (math.isqrt(9 + 8 * len(vector)) - 3) // 2
    split = len(vector) - columns
    xx = np.zeros((columns, columns))
    xx[np.triu_indices(columns)] = vector[:split]
    return xx + np.triu(xx, 1).T, vector[split:]


def noisy_statistics(
    sums: Statistics, *, bounds: Bounds, noise_multiplier: float, stream: RandomStream
) -> Vector:
    """Return the packed statistics with Gaussian noise: one release of that multiplier."""
    exact = packed(sums, bounds=bounds)
    return exact + gaussian(stream, len(exact), sigma=noise_multiplier * SENSITIVITY)


def fit_noisy(vector: Vector, *, bounds: Bounds, sigma: float) -> Vector:
    """Return the coefficients of ridge regression on noisy packed statistics.

    Parameters
    ----------
    vector : ndarray of float64
        Noisy packed statistics, sums or means.
    bounds : Bounds
        Of the rows; coefficients are those of ``bounds.predict_rows``.
    sigma : float
        Standard deviation of each number's noise, in the vector's own units: decides the
        ridge as in Wang 2018, Algorithm 2.
    """
    xx, xy = unpacked(vector)
    columns = len(xy)
    wanted = sigma * math.sqrt(columns * math.log(2 * columns**2 / _FAILURE))
    surely = max(0.0, float(np.linalg.eigvalsh(xx)[0]) - wanted)
    ridge = max(0.0, wanted - surely)
    solved = np.linalg.lstsq(xx + ridge * np.eye(columns), xy, rcond=None)[0]
    return np.asarray(solved * (bounds.y / bounds.x), np.float64)
