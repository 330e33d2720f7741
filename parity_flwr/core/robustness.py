"""How far an update lies from the others, and what that costs its weight (P-5, P-6)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from parity_flwr.core.config import RobustnessConfig
from parity_flwr.errors import ConfigError

Values = NDArray[np.float64]

_LEAST_SPREAD = 1e-12
_NORMAL = 1.4826  # MAD times this estimates a normal law's standard deviation


def neighbour_distance(
    squared: Values,
    *,
    neighbour: int | None = None,
    among: NDArray[np.bool_] | None = None,
) -> Values:
    """Return rho_k, the distance to the m-th nearest other update. P-5 (Parity, Eq. 5).

    m = 1 is the paper's formula. *Decided* default: m = floor(n/2), because with m = 1 two
    colluders who send the same vector have rho = 0 and pass, while no minority can have a
    small rho at floor(n/2).

    Parameters
    ----------
    squared : ndarray of float64, shape (n, n)
        From :func:`parity_flwr.core.distances.squared_distances`.
    neighbour : int, optional
        m >= 1; more than there are means the farthest. None is floor(n/2).
    among : ndarray of bool, shape (n,), optional
        Which updates count as neighbours (and in n); all by default.

    Returns
    -------
    ndarray of float64, shape (n,)
        Zeros for n < 2: nobody else is there to be far from.

    Raises
    ------
    ConfigError
        If m < 1.

    Examples
    --------
    >>> squared = np.array([[0.0, 1.0, 9.0], [1.0, 0.0, 4.0], [9.0, 4.0, 0.0]])
    >>> neighbour_distance(squared).tolist(), neighbour_distance(squared, neighbour=2).tolist()
    ([1.0, 1.0, 2.0], [3.0, 2.0, 3.0])
    """
    n = len(squared)
    counted = np.ones(n, bool) if among is None else among
    m = max(1, int(np.count_nonzero(counted)) // 2) if neighbour is None else neighbour
    if neighbour is not None and neighbour < 1:
        raise ConfigError("neighbour needs m >= 1", came=repr(neighbour), action="raise it")
    others = np.where(counted, squared, np.inf)
    np.fill_diagonal(others, np.inf)
    present = np.isfinite(others).sum(axis=1)
    nearest = np.maximum(np.minimum(m, present) - 1, 0)
    others.partition(np.unique(nearest), axis=1)
    rho = np.sqrt(others[np.arange(n), nearest])
    return np.asarray(np.where(present > 0, rho, 0.0), np.float64)


def spread(values: Values, *, floor: float) -> tuple[float, float]:
    """Return the median and MAD' = max(1.4826 MAD, floor * median, 1e-12).

    The factor makes the MAD estimate a normal law's standard deviation, so that thresholds
    read as "so many standard deviations". The floor keeps values that hardly differ from
    being told apart by their last digits.

    Examples
    --------
    >>> spread(np.array([1.0, 2.0, 3.0, 100.0]), floor=0.02)
    (2.5, 1.4826)
    """
    if values.size == 0:
        return 0.0, _LEAST_SPREAD
    median = float(np.median(values))
    deviation = _NORMAL * float(np.median(np.abs(values - median)))
    return median, max(deviation, floor * median, _LEAST_SPREAD)


def excess(values: Values, *, floor: float, among: NDArray[np.bool_] | None = None) -> Values:
    """Return z = (v - median) / MAD', how many spreads a value lies above the median.

    A median of 0 (most updates are one and the same) gives zeros: no scale, no verdict.

    Parameters
    ----------
    values : ndarray of float64, shape (n,)
        Distances, >= 0.
    floor : float
        MAD' is at least this share of the median.
    among : ndarray of bool, shape (n,), optional
        Whose values make the median and the MAD; all by default.

    Examples
    --------
    >>> excess(np.array([1.0, 2.0, 3.0, 4.0, 12.0]), floor=0.15).round(2).tolist()
    [-1.35, -0.67, 0.0, 0.67, 6.07]
    """
    median, scale = spread(values if among is None else values[among], floor=floor)
    if median == 0:
        return np.zeros(values.size)
    return np.asarray((values - median) / scale, np.float64)


def thresholds(rho: Values, config: RobustnessConfig) -> tuple[float, float]:
    """Return tau and lambda of P-6 (Parity, Eq. 6).

    The paper gives no values. *Decided*: tau = median + 2.5 MAD', lambda = 1.5 / MAD', so
    that the rule does not depend on the model's scale. ``config.tau`` and
    ``config.lambda_`` give absolute ones, and with both Eq. 6 is exactly the paper's. A
    median of 0 gives the values that penalise nobody: tau = max(rho), lambda = 0.

    Examples
    --------
    >>> tau, rate = thresholds(np.array([1.0, 2.0, 3.0, 4.0, 12.0]), RobustnessConfig())
    >>> round(tau, 4), round(rate, 4)
    (6.7065, 1.0117)
    """
    median, scale = spread(rho, floor=config.spread_floor)
    tau, rate = median + config.tau_spreads * scale, config.rate_spreads / scale
    if median == 0:
        tau, rate = float(np.max(rho, initial=0.0)), 0.0
    return (
        tau if config.tau is None else config.tau,
        rate if config.lambda_ is None else config.lambda_,
    )


def penalty(rho: Values, config: RobustnessConfig) -> Values:
    """Return the factor exp(-lambda max(0, rho - tau)) on alpha. P-6 (Parity, Eq. 6).

    Parameters
    ----------
    rho : ndarray of float64, shape (n,)
        From :func:`neighbour_distance`.

    Returns
    -------
    ndarray of float64, shape (n,)
        In (0, 1]; 0 only where the exponential underflows (an exponent beyond -745).

    Examples
    --------
    >>> paper = RobustnessConfig(neighbour=1, tau=1.0, lambda_=2.0)
    >>> penalty(np.array([0.5, 1.0, 2.0]), paper).round(6).tolist()
    [1.0, 1.0, 0.135335]
    """
    tau, rate = thresholds(rho, config)
    with np.errstate(over="ignore"):
        return np.asarray(np.exp(-rate * np.maximum(0.0, rho - tau)), np.float64)
