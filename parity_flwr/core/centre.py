"""A robust centre of a round's updates, found without reading them again (P-4)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from parity_flwr.core.config import RobustnessConfig
from parity_flwr.core.robustness import excess
from parity_flwr.errors import ConfigError

Values = NDArray[np.float64]

_STEPS = 200
_SETTLED = 1e-10  # largest change of a coefficient at which the iteration stops
_COINCIDENT = 1e-6  # distances below this share of the radius count as this much
_HOPELESS = 1e6  # this many radii away float64 has no digits left for the near ones


def geometric_median(squared: Values, weights: Values) -> tuple[Values, Values]:
    """Return the weighted geometric median as coefficients, and every row's distance to it.

    The centre z = sum_j c_j x_j minimises sum_k w_k ||x_k - z||. Weiszfeld's iteration
    c_k <- (w_k / r_k) / sum_j (w_j / r_j) needs only r_k = ||x_k - z||, and that follows
    from the pairwise distances D: r_k^2 = (D c)_k - c' D c / 2.

    Parameters
    ----------
    squared : ndarray of float64, shape (n, n)
        Squared distances D.
    weights : ndarray of float64, shape (n,)
        w >= 0; all zero counts as all equal.

    Returns
    -------
    coefficients : ndarray of float64, shape (n,)
        c >= 0 with sum 1; 0 for rows so far away (10^6 radii) that they would only
        add rounding errors.
    distances : ndarray of float64, shape (n,)
        r, the distance of every row to the centre.

    Raises
    ------
    ConfigError
        If the weights are not n finite numbers >= 0.

    Examples
    --------
    >>> line = np.array([0.0, 0.0, 0.0, 9.0])
    >>> squared = (line[:, None] - line[None, :]) ** 2
    >>> coefficients, distances = geometric_median(squared, np.ones(4))
    >>> distances.round(4).tolist()
    [0.0, 0.0, 0.0, 9.0]
    """
    start, near, radius = _neighbourhood(squared, _shares(weights, len(squared)))
    if radius == 0:  # half of the weight or more sits on one point, and that is the median
        return start, _distances(squared, start)
    coefficients = near / near.sum()
    for _ in range(_STEPS):
        reach = np.maximum(_distances(squared, coefficients), _COINCIDENT * radius)
        step = near / reach
        step /= step.sum()
        change = np.abs(step - coefficients).max()
        coefficients = step
        if change < _SETTLED:
            break
    return coefficients, _distances(squared, coefficients)


def consensus_deviation(
    distances: Values, config: RobustnessConfig, *, among: NDArray[np.bool_] | None = None
) -> Values:
    """Return clip((dist - median) / (3 MAD'), 0, 1), shape (n,). P-4 (Parity, Eq. 4).

    *Decided*: the paper names the quantity and gives no formula. Distances are to a robust
    centre of the round, never to the plain mean, which attackers move. ``among`` says whose
    distances make the median and the MAD; all by default.

    Examples
    --------
    >>> config = RobustnessConfig()
    >>> consensus_deviation(np.array([1.0, 2.0, 3.0, 4.5, 12.0]), config).round(3).tolist()
    [0.0, 0.0, 0.0, 0.225, 1.0]
    """
    spreads = max(config.deviation_spreads, np.finfo(np.float64).tiny)
    with np.errstate(over="ignore"):
        z = excess(distances, floor=config.deviation_floor, among=among)
        return np.clip(z / spreads, 0.0, 1.0)


def _shares(weights: Values, n: int) -> Values:
    if weights.shape != (n,) or not np.isfinite(weights).all() or (weights < 0).any():
        raise ConfigError(
            f"a geometric median of {n} rows needs {n} finite weights >= 0",
            came=f"{weights.tolist()}",
            action="pass one weight per row",
        )
    top = weights.max(initial=0.0)
    shares = weights / top if top > 0 else np.ones(n)
    return np.asarray(shares / max(shares.sum(), 1.0), np.float64)


def _neighbourhood(squared: Values, shares: Values) -> tuple[Values, Values, float]:
    """Return the medoid as coefficients, the shares of the rows near it, and their radius."""
    n = len(shares)
    if n == 0:
        return shares, shares, 0.0
    distance = np.sqrt(squared)
    total = np.where(shares > 0, distance @ shares, np.inf)
    medoid = int(np.argmin(total))
    radius = weighted_median(distance[medoid], shares)
    near = np.where(distance[medoid] <= _HOPELESS * radius, shares, 0.0)
    return np.eye(1, n, medoid)[0], near, radius


def weighted_median(values: Values, shares: Values) -> float:
    """Return the smallest value that has half of the shares at or below it."""
    order = np.argsort(values, kind="stable")
    below = np.cumsum(shares[order])
    return float(values[order][np.searchsorted(below, 0.5 * below[-1])])


def _distances(squared: Values, coefficients: Values) -> Values:
    from_rows = squared @ coefficients
    return np.sqrt(np.maximum(from_rows - 0.5 * float(coefficients @ from_rows), 0.0))
