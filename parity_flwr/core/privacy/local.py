"""Local differential privacy of a whole update: the client noises before it sends."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_flwr.core.privacy.accounting import Mechanism, calibrated_multiplier
from parity_flwr.core.privacy.clipping import clip_row
from parity_flwr.core.privacy.ledger import Budget, Charge, Unit
from parity_flwr.core.privacy.noise import gaussian
from parity_flwr.core.privacy.parameters import (
    checked_count,
    checked_delta,
    checked_epsilon,
    positive,
)
from parity_flwr.core.privacy.sensitivity import Relation
from parity_flwr.core.privacy.stream import RandomStream


@dataclass(frozen=True, kw_only=True)
class LocalPrivacy:
    """What a client promises itself, whatever the server does.

    Adversary: everybody else, the server included. Unit: the client with all its data; any
    two updates are neighbours, so that the sensitivity is 2 * clip.

    Parameters
    ----------
    epsilon, delta : float
        The budget over all the updates that the client sends.
    clip : float
        Longest update, in the L2 norm over all floating-point arrays.
    rounds : int
        How many updates are planned: the noise is calibrated for them.
    noise_multiplier : float, optional
        sigma / (2 clip) instead of the calibrated one.

    Raises
    ------
    ConfigError
        If a number promises nothing.

    Examples
    --------
    >>> round(LocalPrivacy(epsilon=8.0, delta=1e-5, clip=1.0, rounds=1).sigma, 2)
    1.2
    """

    epsilon: float
    delta: float
    clip: float
    rounds: int
    noise_multiplier: float | None = None

    def __post_init__(self) -> None:
        checked_epsilon(self.epsilon)
        checked_delta(self.delta)
        positive("clip", self.clip)
        checked_count("rounds", self.rounds)
        if self.noise_multiplier is not None:
            positive("noise_multiplier", self.noise_multiplier)

    @cached_property
    def multiplier(self) -> float:
        """Sigma over the sensitivity 2 * clip."""
        if self.noise_multiplier is not None:
            return float(self.noise_multiplier)
        return calibrated_multiplier(self.epsilon, delta=self.delta, count=self.rounds)

    @property
    def sigma(self) -> float:
        """Standard deviation of the noise on every number of an update."""
        return self.multiplier * 2 * self.clip

    @property
    def budget(self) -> Budget:
        """The budget of the client's ledger."""
        return Budget(
            epsilon=self.epsilon,
            delta=self.delta,
            unit=Unit.CLIENT,
            relation=Relation.REPLACE_ONE,
        )

    def charge(self, run: str, round: int, *, client: str, release: int) -> Charge:
        """Return what one update costs."""
        return Charge(
            run=run,
            round=round,
            client=client,
            mechanism=Mechanism.GAUSSIAN,
            noise_multiplier=self.multiplier,
            relation=Relation.REPLACE_ONE,
            release=release,
        )

    def noised(self, update: NDArray[Any], stream: RandomStream) -> NDArray[np.float32]:
        """Return the clipped update with noise; one that is not finite counts as zero.

        An error instead would tell the server something about the data.
        """
        values = np.asarray(update, np.float64)
        if not np.isfinite(values).all():
            values = np.zeros(values.shape)
        clipped = clip_row(values, bound=self.clip)
        noise = gaussian(stream, values.size, sigma=self.sigma)
        return np.asarray(clipped + noise.reshape(values.shape), np.float32)
