"""Every attack of the grid by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from parity_flwr.app.compare import attacks
from parity_flwr.app.compare.scene import Matrix, Scene


@dataclass(frozen=True)
class GridAttack:
    """An attack on updates, on data, or on the claimed number of examples.

    Parameters
    ----------
    craft : callable
        The attackers' rows.
    flips_labels : bool
        Whether they train on classes - 1 - y.
    claims : float
        n_k that each attacker claims, as a multiple of everybody's examples together; 0
        for the truth.
    """

    craft: Callable[[Scene], Matrix]
    flips_labels: bool = False
    claims: float = 0.0


NONE: Final = "none"

ATTACKS: Final[Mapping[str, GridAttack]] = MappingProxyType(
    {
        NONE: GridAttack(attacks.honest),
        "sign_flip": GridAttack(attacks.sign_flip),
        "noise": GridAttack(attacks.noise),
        "label_flip": GridAttack(attacks.honest, flips_labels=True),
        "alie": GridAttack(attacks.alie),
        "ipm": GridAttack(attacks.ipm),
        "alie_noise": GridAttack(attacks.alie_noise),
        "loud_pairs": GridAttack(attacks.loud_pairs),
        "quiet_pairs": GridAttack(attacks.quiet_pairs),
        "disguise": GridAttack(attacks.disguise),
        "min_max": GridAttack(attacks.min_max),
        "min_sum": GridAttack(attacks.min_sum),
        "mimic": GridAttack(attacks.mimic),
        "on_off": GridAttack(attacks.on_off),
        "free_rider": GridAttack(attacks.free_rider),
        "drift_3": GridAttack(attacks.drift_3),
        "drift_1_5": GridAttack(attacks.drift_1_5),
        "drift_deviation": GridAttack(attacks.drift_deviation),
        "inflation": GridAttack(attacks.sign_flip, claims=100.0),
    }
)
"""Name -> attack; "none" is the only one without attackers."""
