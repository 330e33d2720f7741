"""What a constant may be: the checks of all configurations, with one wording."""

from __future__ import annotations

import math
from collections.abc import Sequence

from parity_flwr.errors import ConfigError


def require(holds: bool, name: str, needed: str, came: object) -> None:
    """Refuse a constant unless it holds.

    Raises
    ------
    ConfigError
        "{name} needs {needed}; got {came}; change {name}".
    """
    if not holds:
        raise ConfigError(f"{name} needs {needed}", came=repr(came), action=f"change {name}")


def require_range(name: str, value: float, low: float, high: float) -> None:
    """Refuse a number that is not finite, or outside [low, high]."""
    require(
        math.isfinite(value) and low <= value <= high,
        name,
        f"a number from {low:g} to {high:g}",
        value,
    )


def require_zone(name: str, zone: Sequence[float]) -> None:
    """Refuse what is not two finite numbers low < high."""
    holds = len(zone) == 2 and all(map(math.isfinite, zone)) and zone[0] < zone[1]
    require(holds, name, "two numbers low < high", zone)


def require_simplex(name: str, weights: Sequence[float]) -> None:
    """Refuse what is not four weights >= 0 that sum to 1."""
    valid = len(weights) == 4 and all(math.isfinite(w) and w >= 0 for w in weights)
    require(
        valid and math.isclose(sum(weights), 1.0, abs_tol=1e-9),
        name,
        "four weights >= 0 that sum to 1",
        weights,
    )
