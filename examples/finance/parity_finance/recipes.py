"""How banks differ and train on each data set, unless the configuration says otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Final


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What suits a data set.

    Parameters
    ----------
    alpha : float
        Concentration of the Dirichlet division: the smaller, the more banks differ.
    rounds : int
        Of the network; trees are enough after :data:`FOREST_ROUNDS`.
    steps, batch_size : int
        Of a bank in a round: the same number for all, so that small ones do as much work.
    learning_rate : float
        Of plain gradient descent.
    most_weight : float
        Bad cases weigh as much as good ones, if one need not count more than so often.
    mode : str
        Of the strategy; "inclusive" where banks differ so much that they look like liars.
    """

    alpha: float
    rounds: int
    steps: int
    batch_size: int
    learning_rate: float
    most_weight: float = 20.0
    mode: str = "robust"


FOREST_ROUNDS: Final = 6
RECIPES: Final[Mapping[str, Recipe]] = MappingProxyType(
    {
        "loanapp": Recipe(alpha=1.0, rounds=10, steps=20, batch_size=32, learning_rate=0.03),
        "credit default": Recipe(
            alpha=0.2,
            rounds=15,
            steps=30,
            batch_size=64,
            learning_rate=0.05,
            mode="inclusive",
        ),
        "card fraud": Recipe(
            alpha=0.3, rounds=15, steps=40, batch_size=128, learning_rate=0.05
        ),
    }
)


def recipe_of(config: Mapping[str, Any], data: str) -> Recipe:
    """Return a data set's recipe with what the configuration sets (0 and "" set nothing)."""
    found = RECIPES[data]
    given: dict[str, Any] = {
        "alpha": float(config["alpha"]),
        "rounds": int(config["num-server-rounds"]),
        "steps": int(config["local-steps"]),
        "batch_size": int(config["batch-size"]),
        "learning_rate": float(config["learning-rate"]),
        "mode": str(config["mode"]),
    }
    if config["model"] == "forest" and not given["rounds"]:
        given["rounds"] = FOREST_ROUNDS
    return replace(found, **{name: value for name, value in given.items() if value})
