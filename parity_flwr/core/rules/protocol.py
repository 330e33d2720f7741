"""What a rule is, and the checks that all of them share."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from parity_flwr.core.rows import Rows
from parity_flwr.errors import ConfigError

Values = NDArray[np.float64]
Vector = NDArray[np.float32]


class AggregationRule(Protocol):
    """Turns n updates into one (an extension point)."""

    def aggregate(self, rows: Rows, *, weights: Values | None = None) -> Vector:
        """Return the aggregate.

        Parameters
        ----------
        rows : Rows
            n finite updates of length d, n >= 1.
        weights : ndarray of float64, shape (n,), optional
            Shares >= 0, all equal by default. A rule that counts heads ignores them.

        Returns
        -------
        ndarray of float32, shape (d,)
            Finite.

        Raises
        ------
        ConfigError
            If the rule cannot work with this many updates.
        """
        ...


def require_replies(name: str, n: int, *, least: int, byzantine: int, bound: str) -> None:
    """Refuse to aggregate fewer updates than the rule is proven for."""
    if n < least:
        raise ConfigError(
            f"{name} needs {bound}",
            came=f"n={n}, f={byzantine}",
            action="lower f or wait for more clients",
        )


def require_count(name: str, field: str, value: int | None, *, least: int = 0) -> None:
    """Refuse a count of clients that is not an integer >= ``least``; None passes."""
    if value is not None and (type(value) is not int or value < least):
        raise ConfigError(
            f"{name} needs an integer {field} >= {least}",
            came=repr(value),
            action=f"change {field}",
        )


def require_positive(name: str, field: str, value: float | None) -> None:
    """Refuse a length that is not a finite number > 0; None passes."""
    if value is not None and not (np.isfinite(value) and value > 0):
        raise ConfigError(
            f"{name} needs a finite {field} > 0", came=repr(value), action=f"change {field}"
        )


def one_hot(n: int, row: int) -> Values:
    """Return the coefficients of one row, shape (n,)."""
    coefficients = np.zeros(n)
    coefficients[row] = 1.0
    return coefficients


def shares(weights: Values | None, n: int) -> Values:
    """Return the weights with sum 1, float64, shape (n,); all zero counts as all equal.

    Examples
    --------
    >>> shares(np.array([1.0, 3.0]), 2).tolist(), shares(None, 2).tolist()
    ([0.25, 0.75], [0.5, 0.5])
    """
    if n < 1:
        raise ConfigError("a rule needs n >= 1", came="n=0", action="wait for more clients")
    given = np.ones(n) if weights is None else np.asarray(weights, np.float64)
    if given.shape != (n,) or not np.isfinite(given).all() or (given < 0).any():
        raise ConfigError(
            f"a rule for {n} updates needs {n} finite weights >= 0",
            came=f"{given.tolist()}",
            action="pass one weight per update",
        )
    top = given.max()
    if top == 0:
        return np.full(n, 1.0 / n)
    scaled = given / top  # first, so that the sum of the largest floats does not overflow
    return np.asarray(scaled / scaled.sum(), np.float64)
