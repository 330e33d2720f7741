"""Private linear regression by noisy sufficient statistics (AdaSSP, Wang 2018).

X'X and X'y are sums over examples, so that clients' statistics add up, masked or encrypted if
need be, and the noise can be added to the sum. One release, no rounds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from parity_flwr.core.privacy.mechanisms import gaussian_sigma
from parity_flwr.core.privacy.noise import gaussian
from parity_flwr.core.privacy.parameters import checked_delta, checked_epsilon, positive
from parity_flwr.core.privacy.stream import RandomStream
from parity_flwr.errors import DataError

Matrix = NDArray[np.float64]
Vector = NDArray[np.float64]

_FAILURE = 0.05  # probability with which AdaSSP's ridge may be too small (its rho)


@dataclass(frozen=True)
class Statistics:
    """X'X, X'y and y'y of examples inside the bounds; sums of them are of the union.

    Parameters
    ----------
    xx : ndarray of float64, shape (d, d)
        X'X, with the column of ones if there is one.
    xy : ndarray of float64, shape (d,)
    yy : float
    """

    xx: Matrix
    xy: Vector
    yy: float

    def __add__(self, other: Statistics) -> Statistics:
        return Statistics(self.xx + other.xx, self.xy + other.xy, self.yy + other.yy)


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """What every example is scaled into: |x|_2 <= ``x`` and |y| <= ``y``.

    They must not come from the data. With ``intercept`` a constant column is appended to x
    *before* it is clipped, so that the bound holds for the whole row; a library that appends
    a 1 afterwards has rows of length sqrt(x^2 + 1) and too little noise.
    """

    x: float = 1.0
    y: float = 1.0
    intercept: bool = True

    def __post_init__(self) -> None:
        positive("the bound of x", self.x)
        positive("the bound of y", self.y)

    def rows(self, x: NDArray[np.floating]) -> Matrix:
        """Return the rows that enter the sums, with the intercept's column, clipped.

        The constant is the bound over sqrt(2), so that it keeps half of a row's squared
        length; a row that is too long shrinks as a whole.
        """
        values = np.asarray(x, np.float64)
        if self.intercept:
            constant = np.full((len(values), 1), self.x / math.sqrt(2))
            values = np.hstack([values, constant])
        norms = np.linalg.norm(values, axis=1, keepdims=True)
        shrink = np.where(norms > self.x, self.x / np.maximum(norms, 1e-300), 1.0)
        return values * shrink * (1 - 1e-12)

    def predict_rows(self, x: NDArray[np.floating]) -> Matrix:
        """Return rows with the intercept's column and without clipping, to predict from."""
        values = np.asarray(x, np.float64)
        if not self.intercept:
            return values
        return np.hstack([values, np.full((len(values), 1), self.x / math.sqrt(2))])


def statistics(
    x: NDArray[np.floating], y: NDArray[np.floating], *, bounds: Bounds
) -> Statistics:
    """Return the statistics of a client's examples, each clipped to the bounds.

    Raises
    ------
    DataError
        If a number is not finite, or the lengths differ.
    """
    if len(x) != len(y) or not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise DataError(
            "sufficient statistics need finite examples with one target each",
            came=f"{len(x)} rows and {len(y)} targets, or NaN among them",
            action="clean the data first",
        )
    rows = bounds.rows(x)
    targets = np.clip(np.asarray(y, np.float64), -bounds.y, bounds.y)
    return Statistics(rows.T @ rows, rows.T @ targets, float(targets @ targets))


@dataclass(frozen=True)
class PrivateFit:
    """Coefficients of the bounded rows, and the ridge that the noise made necessary."""

    coefficients: Vector
    ridge: float


def adassp(
    total: Statistics,
    *,
    epsilon: float,
    delta: float,
    bounds: Bounds,
    stream: RandomStream,
) -> PrivateFit:
    """Return ridge regression on noisy sums: (epsilon, delta)-DP for each example.

    Three Gaussian releases at once: the smallest eigenvalue of X'X (sensitivity x^2), X'X
    (x^2 in Frobenius norm) and X'y (x y). Each divided by its sensitivity, they are one
    vector of sensitivity sqrt(3), which composes better than thirds of the budget would.
    Neighbours differ by one added or removed example; their number does not enter.

    Wang 2018, Algorithm 2, with the analytic Gaussian mechanism.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x = rng.uniform(-0.5, 0.5, (5000, 2)); y = x @ np.array([0.8, -0.5])
    >>> bounds = Bounds()
    >>> fit = adassp(statistics(x, y, bounds=bounds), epsilon=5.0, delta=1e-6, bounds=bounds,
    ...              stream=RandomStream(bytes(32)))
    >>> bool(np.abs(fit.coefficients[:2] - [0.8, -0.5]).max() < 0.1)
    True
    """
    d, square = len(total.xy), bounds.x**2
    sigma = gaussian_sigma(
        epsilon=checked_epsilon(epsilon), delta=checked_delta(delta), sensitivity=math.sqrt(3)
    )
    smallest = float(np.linalg.eigvalsh(total.xx)[0])
    smallest += square * sigma * float(gaussian(stream, 1, sigma=1.0)[0])
    surely = max(0.0, smallest - square * sigma * math.sqrt(2 * math.log(6 / delta)))
    wanted = square * sigma * math.sqrt(d * math.log(2 * d**2 / _FAILURE))
    ridge = max(0.0, wanted - surely)
    xx = total.xx + square * sigma * _symmetric(stream, d)
    xy = total.xy + bounds.x * bounds.y * sigma * gaussian(stream, d, sigma=1.0)
    solved = np.linalg.lstsq(xx + ridge * np.eye(d), xy, rcond=None)[0]
    return PrivateFit(np.asarray(solved, np.float64), ridge)


def _symmetric(stream: RandomStream, d: int) -> Matrix:
    """Return a symmetric matrix with independent N(0, 1) above and on the diagonal.

    The upper triangle is what is released; an example moves it by at most its Frobenius
    norm |x|^2, so that unit noise on it serves sensitivity 1.
    """
    upper = np.zeros((d, d))
    index = np.triu_indices(d)
    upper[index] = gaussian(stream, len(index[0]), sigma=1.0)
    return upper + np.triu(upper, 1).T
