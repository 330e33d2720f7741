"""Least squares over many clients, exactly, from one small triangle each.

The sufficient statistics of a regression are n, the means, and the scatter S = [X y]'[X y]
about them. S squares the data's condition: half of the digits are gone before anybody
solves anything. So a client sends its root, the triangle R with R'R = S that a QR
factorisation of its centred data gives, as many numbers and all the digits. Roots merge by
stacking them, with one row for the distance between the means (Chan, Golub and LeVeque
1983 for the scatter), and factorising again: the result is what one QR of everybody's
pooled data would give.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_flwr.errors import ConfigError, DataError

Values = NDArray[np.float64]

MAX_COUNT = 2**53
_MOST = 1e150  # squares of larger numbers overflow

_CONCENTRATIONS = 5
_AGREES, _NEAR = 2.5, 0.02  # rises up to 2.5 medians and 2 % agree

TOLERANCE = 1e-6
"""scikit-learn's ``LinearRegression.tol`` since 1.7: what counts as dependent columns."""


@dataclass(frozen=True, eq=False)
class Root:
    """What n examples say about a regression of y on d inputs.

    Parameters
    ----------
    count : int
        n, at least 1.
    mean : ndarray of float64, shape (d + 1,)
        Means of the inputs and, last, of y.
    triangle : ndarray of float64, shape (d + 1, d + 1)
        Upper triangular R with a diagonal >= 0 and R'R the scatter about the means.

    Raises
    ------
    DataError
        If a shape, a sign or a number is not so: it may come from anybody.
    """

    count: int
    mean: Values
    triangle: Values

    def __post_init__(self) -> None:
        size = len(self.mean) if self.mean.ndim == 1 else 0
        _require(type(self.count) is int and 0 < self.count <= MAX_COUNT, "1 to 2^53 examples")
        _require(size >= 2 and self.triangle.shape == (size, size), "a square triangle")
        for array in (self.mean, self.triangle):
            _require(array.dtype == np.float64, "float64 numbers")
            _require(bool((np.abs(array) <= _MOST).all()), "finite numbers")  # False for NaN
        _require(not np.any(np.tril(self.triangle, -1)), "zeros below the diagonal")
        _require(bool((np.diagonal(self.triangle) >= 0).all()), "a diagonal >= 0")
        rank = int(np.count_nonzero(np.any(self.triangle, axis=1)))
        _require(rank <= max(self.count - 1, 0), "no more rank than examples")

    @property
    def features(self) -> int:
        """Return d."""
        return len(self.mean) - 1


def _require(holds: bool, needed: str) -> None:
    if not holds:
        raise DataError(
            f"a root needs {needed}", came="other numbers", action="refuse this client's reply"
        )


def root_of(x: NDArray[np.floating[Any]], y: NDArray[np.floating]) -> Root:
    """Return the root of local data.

    Parameters
    ----------
    x : ndarray of shape (n, d)
    y : ndarray of shape (n,)

    Raises
    ------
    DataError
        If there is no example, or one that is not finite.

    Examples
    --------
    >>> root = root_of(np.array([[0.0], [2.0]]), np.array([1.0, 3.0]))
    >>> root.count, root.mean.tolist(), root.triangle.round(4).tolist()
    (2, [1.0, 2.0], [[1.4142, 1.4142], [0.0, 0.0]])
    """
    both = np.column_stack([np.asarray(x, np.float64), np.asarray(y, np.float64)])
    if not len(both) or not np.isfinite(both).all():
        raise DataError(
            "a root needs finite examples",
            came=f"{len(both)} rows" if not len(both) else "NaN or infinite values",
            action="fill in what is missing first",
        )
    mean = both.mean(axis=0)
    centred = both - mean
    centred -= centred.mean(axis=0)  # what rounding left of a mean far from 0
    return Root(len(both), mean, _factorised(centred, rank=len(both) - 1))


def _factorised(rows: Values, *, rank: int) -> Values:
    """Return the R of a QR, padded to a square, its diagonal made >= 0.

    Centred rows have at most ``rank`` independent ones; rows of R beyond are rounding.
    """
    size = rows.shape[1]
    triangle = np.zeros((size, size))
    factor = np.linalg.qr(rows, mode="r")
    kept = min(len(factor), rank, size)
    triangle[:kept] = factor[:kept]
    signs = np.where(np.diagonal(triangle) < 0, -1.0, 1.0)
    return np.asarray(np.triu(triangle * signs[:, None]) + 0.0, np.float64)  # no -0.0


def merge(roots: Sequence[Root], weights: Sequence[float] | None = None) -> Root:
    """Return the root of all clients' data together.

    Parameters
    ----------
    roots : sequence of Root
        Of one number of features.
    weights : sequence of float, optional
        How often each client's examples count, >= 0; 1 each by default.

    Raises
    ------
    ConfigError
        If there is none, or the numbers of features differ, or no weight is above 0.
    """
    amounts = np.ones(len(roots)) if weights is None else np.asarray(weights, np.float64)
    if len({each.features for each in roots}) != 1 or not amounts.sum() > 0:
        raise ConfigError(
            "merging needs roots of one number of features, and weight",
            came=f"{len(roots)} roots",
            action="give all clients the same columns",
        )
    counts = amounts * np.array([each.count for each in roots], np.float64)
    means = np.stack([each.mean for each in roots])
    shift = means[0]  # differences of means that lie close keep their digits
    mean = shift + (counts @ (means - shift)) / counts.sum()
    between = np.sqrt(counts)[:, None] * (means - mean)
    within = [np.sqrt(a) * each.triangle for a, each in zip(amounts, roots, strict=True)]
    total = max(1, round(float(counts.sum())))
    return Root(total, mean, _factorised(np.vstack([*within, between]), rank=total - 1))


def solve(
    root: Root, *, ridge: float = 0.0, intercept: bool = True, tolerance: float = TOLERANCE
) -> tuple[Values, float]:
    """Return coefficients and intercept of the least-squares fit.

    Minimises |y - X b - a|^2 + ridge |b|^2. Where the data do not decide, the shortest b.

    Parameters
    ----------
    root : Root
        Everybody's data.
    ridge : float
        Penalty >= 0 on the coefficients, none on the intercept (scikit-learn's ``alpha``).
    intercept : bool
        Whether a is free; else 0.
    tolerance : float
        Singular values under this share of the largest count as zeros: scikit-learn's
        ``tol``, with its default. A root resolves them down to about 1e-13. With a ridge
        nothing is left undecided, and the tolerance is not used.

    Returns
    -------
    coefficients : ndarray of float64, shape (d,)
    intercept : float

    Examples
    --------
    >>> x, y = np.array([[0.0], [1.0], [2.0]]), np.array([1.0, 3.0, 5.0])
    >>> coefficients, intercept = solve(root_of(x, y))
    >>> coefficients.round(9).tolist(), round(intercept, 9)
    ([2.0], 1.0)
    """
    for name, value in {"ridge": ridge, "tolerance": tolerance}.items():
        if not 0 <= value < np.inf:
            raise ConfigError(
                f"{name} needs a number >= 0", came=repr(value), action="change it"
            )
    d = root.features
    rows = root.triangle
    if not intercept:
        rows = np.vstack([rows, np.sqrt(root.count) * root.mean])
    design, target = rows[:, :d], rows[:, d]
    if ridge > 0:
        design = np.vstack([design, np.sqrt(ridge) * np.eye(d)])
        target = np.concatenate([target, np.zeros(d)])
    cutoff = np.finfo(np.float64).eps * d if ridge > 0 else tolerance
    found = np.linalg.lstsq(design, target, rcond=cutoff)[0]
    coefficients = np.asarray(found, np.float64)
    if not intercept:
        return coefficients, 0.0
    return coefficients, float(root.mean[d] - root.mean[:d] @ coefficients)


def residual(root: Root, coefficients: Values, intercept: float) -> float:
    """Return the mean squared error of a model on the data behind a root."""
    direction = np.append(-coefficients, 1.0)
    offset = float(root.mean @ direction) - intercept
    within = root.triangle @ direction
    return float(within @ within) / root.count + offset**2


def disagreement(roots: Sequence[Root]) -> Values:
    """Return how much worse each client's data fit the others' model than their own.

    The rise of the mean squared error, as a share of the variance of the client's y, after
    what p = d + 1 coefficients fitted to n_k examples gain by chance (chi-squared: p, and
    three deviations of sqrt(2 p)) is taken off; >= 0, and 0 for nearly all clients whose
    examples are of one law. Few examples prove nothing. The others' model is that of the
    clients that agree best, at least half of them, found by repetition (the concentration
    steps of least trimmed squares, Rousseeuw and Van Driessen 2006); one client counts in it
    for at most 4 median clients.

    Returns
    -------
    ndarray of float64, shape (n,)
        Zeros for fewer than 3 clients.
    """
    n = len(roots)
    if n < 3:
        return np.zeros(n)
    counts = np.array([each.count for each in roots], np.float64)
    capped = np.minimum(counts, 4 * np.median(counts)) / counts
    agreeing = np.ones(n, bool)
    found = _rises(roots, capped, agreeing)
    for _ in range(_CONCENTRATIONS):
        limit = max(float(np.sort(found)[n // 2]), _AGREES * float(np.median(found)) + _NEAR)
        if np.array_equal(found <= limit, agreeing):
            break
        agreeing = found <= limit
        found = _rises(roots, capped, agreeing)
    return found


def _rises(roots: Sequence[Root], capped: Values, agreeing: NDArray[np.bool_]) -> Values:
    """Return each client's rise under the model of the agreeing others."""
    found = np.zeros(len(roots))
    for k, own in enumerate(roots):
        others = [j for j in range(len(roots)) if j != k and agreeing[j]]
        found[k] = _rise(own, solve(merge([roots[j] for j in others], capped[others].tolist())))
    return found


def _rise(own: Root, model: tuple[Values, float]) -> float:
    variance = float(own.triangle[:, -1] @ own.triangle[:, -1]) / own.count
    apart, best = residual(own, *model), residual(own, *solve(own))
    p = own.features + 1
    chance = min(1.0, (p + 3 * math.sqrt(2 * p)) / own.count)
    if variance <= 0:
        return 0.0 if apart <= 1e-12 else 1.0
    return min(max(0.0, apart * (1 - chance) - best) / variance, 1e6)
