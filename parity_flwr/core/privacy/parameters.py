"""Privacy parameters that promise something: everything else is refused."""

from __future__ import annotations

import math

from parity_flwr.errors import ConfigError

MAX_EPSILON = 500.0
"""Above it exp(epsilon) leaves the range of floats; nothing is promised long before."""


def positive(name: str, value: float, *, most: float = math.inf) -> float:
    """Return the value if it is a finite number above 0 and at most ``most``.

    Raises
    ------
    ConfigError
        Zero, negative, NaN, infinite, too large, or no number.
    """
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not (number and math.isfinite(value) and 0 < value <= most):
        bound = f"{name} needs a finite number above 0"
        raise ConfigError(
            bound if math.isinf(most) else f"{bound} and at most {most:g}",
            came=f"{value!r:.40}",
            action=f"change {name}",
        )
    return float(value)


def checked_epsilon(epsilon: float) -> float:
    """Return epsilon if it is above 0, finite and at most ``MAX_EPSILON``.

    Examples
    --------
    >>> checked_epsilon(1)
    1.0
    """
    return positive("epsilon", epsilon, most=MAX_EPSILON)


def checked_delta(delta: float, *, units: int | None = None) -> float:
    """Return delta if it lies in (0, 1), and below 1/n where n units are protected.

    With delta >= 1/n a mechanism that publishes one unit's data, chosen at random, would be
    "private".

    Examples
    --------
    >>> checked_delta(1e-5, units=1000)
    1e-05
    """
    positive("delta", delta)
    if delta >= 1:
        raise ConfigError("delta needs to be below 1", came=repr(delta), action="lower delta")
    if units is not None and delta * units >= 1:
        raise ConfigError(
            f"delta needs to be below 1/n for the {units} protected units",
            came=f"{delta:g}, and 1/n is {1 / units:g}",
            action="lower delta, or protect more units",
        )
    return float(delta)


def checked_probability(name: str, value: float) -> float:
    """Return the value if it lies in (0, 1]."""
    return positive(name, value, most=1.0)


def checked_count(name: str, value: int) -> int:
    """Return the value if it is an integer of at least 1."""
    if type(value) is not int or value < 1:
        raise ConfigError(
            f"{name} needs an integer of at least 1",
            came=f"{value!r:.40}",
            action=f"change {name}",
        )
    return value
