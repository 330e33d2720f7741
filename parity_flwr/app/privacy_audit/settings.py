"""What is audited, and how thoroughly."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from parity_flwr.core.privacy.parameters import (
    checked_count,
    checked_delta,
    checked_epsilon,
    positive,
)
from parity_flwr.errors import ConfigError

LEAST_CANARIES, MOST_CANARIES = 50, 2000
MOST_TRIALS = 20
MOST_CLIP = 1e9  # canaries are ten times longer, and the gate refuses numbers above 1e12
CONFIDENCE = 0.95
Seeds = Callable[[str], bytes | None]
"""Gives each noise stream its seed by name; None lets the mechanism draw a secret one."""


class Audited(StrEnum):
    """The mechanisms that can be audited."""

    CENTRAL = "central"  # DPFedAvg
    LOCAL = "local"  # LocalDPMod
    EXAMPLE = "example"  # DPTorchClient


@dataclass(frozen=True, kw_only=True)
class Promise:
    """What one release claims: (epsilon, delta)-DP, with contributions clipped to ``clip``."""

    epsilon: float
    delta: float
    clip: float

    def __post_init__(self) -> None:
        checked_epsilon(self.epsilon)
        checked_delta(self.delta)
        positive("clip", self.clip)


@dataclass(frozen=True, kw_only=True)
class AuditSettings:
    """One audit.

    Parameters
    ----------
    mechanism : Audited
        What is run.
    promise : Promise
        What it claims.
    canaries : int
        How many contributions a coin puts in or leaves out, in each trial; 50 to 2000.
    trials : int
        Independent repetitions, 1 to 20; the largest bound counts, at a confidence that is
        shared among them.
    seed : int, optional
        Makes the audit repeatable, the noise included. Without one both are secret.

    Raises
    ------
    ConfigError
        A number is out of range, or delta is 1 / canaries or more.
    """

    mechanism: Audited = Audited.CENTRAL
    promise: Promise
    canaries: int = 1000
    trials: int = 1
    seed: int | None = None

    def __post_init__(self) -> None:
        _between("canaries", self.canaries, LEAST_CANARIES, MOST_CANARIES)
        _between("trials", self.trials, 1, MOST_TRIALS)
        positive("clip", self.promise.clip, most=MOST_CLIP)
        checked_delta(self.promise.delta, units=self.canaries)
        if self.seed is not None and self.seed < 0:
            raise ConfigError(
                "a seed needs to be 0 or more", came=str(self.seed), action="change seed"
            )

    @property
    def guesses(self) -> int:
        """How many canaries are guessed in each trial: a fifth, half of it each way."""
        return self.canaries // 10 * 2

    def seeds(self, name: str) -> bytes | None:
        """Return the seed of the noise stream of this name."""
        if self.seed is None:
            return None
        return hashlib.sha256(f"{self.seed}/{name}".encode()).digest()


def _between(name: str, value: int, least: int, most: int) -> None:
    if not least <= checked_count(name, value) <= most:
        raise ConfigError(
            f"{name} needs a number from {least} to {most}",
            came=str(value),
            action=f"change {name}",
        )
