"""Central differential privacy of federated averaging, as pure functions (DP-FedAvg).

McMahan et al. 2018: every client's update is clipped to one length, the sum gets Gaussian
noise, and the divisor is a constant. Nothing in it depends on who came.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_flwr.core.privacy.accounting import calibrated_multiplier
from parity_flwr.core.privacy.clipping import clipped_sum
from parity_flwr.core.privacy.ledger import Budget, Charge
from parity_flwr.core.privacy.noise import gaussian
from parity_flwr.core.privacy.parameters import (
    checked_count,
    checked_delta,
    checked_epsilon,
    checked_probability,
    positive,
)
from parity_flwr.core.privacy.stream import RandomStream
from parity_flwr.core.rows import Rows
from parity_flwr.errors import ConfigError

Values = NDArray[np.float64]
_FARTHEST = 50.0  # the clip moves by at most e^50 over a run: it must stay a number


@dataclass(frozen=True, kw_only=True)
class AdaptiveClip:
    """A clipping bound that follows a quantile of the updates' lengths (Andrew et al. 2021).

    Parameters
    ----------
    quantile : float
        Share of updates that should not be clipped, in (0, 1).
    rate : float
        How fast the bound moves: C <- C exp(-rate (share - quantile)).
    count_noise : float, optional
        Standard deviation of the noise on the number of unclipped updates, in clients; by
        default a twentieth of the expected number of clients. It is part of the same charge.
    """

    quantile: float = 0.5
    rate: float = 0.2
    count_noise: float | None = None

    def __post_init__(self) -> None:
        if not 0 < positive("quantile", self.quantile) < 1:
            raise ConfigError(
                "a quantile needs to be below 1", came=repr(self.quantile), action="lower it"
            )
        positive("rate", self.rate)
        if self.count_noise is not None:
            positive("count_noise", self.count_noise)


@dataclass(frozen=True, kw_only=True)
class CentralPrivacy:
    """What a run promises each client, and what it takes.

    Adversary: whoever sees the models that leave the server (clients, users). The server
    itself is trusted: it sees every update. Unit: one client with everything it ever sends,
    added or removed.

    Parameters
    ----------
    epsilon, delta : float
        The budget of the whole run; delta below 1 / clients.
    clip : float
        Longest update, in the L2 norm over all floating-point arrays.
    clients : int
        How many clients the federation is known to have; a public constant.
    rounds : int
        How many rounds are planned: the noise is calibrated for them.
    sampling : float
        With less than 1 every client takes part in a round with this probability,
        independently and in secret (Poisson); that amplifies.
    noise_multiplier : float, optional
        sigma / clip instead of the calibrated one. Then the run ends when the budget does.
    adaptive : AdaptiveClip, optional
        Lets ``clip`` be a start only.

    Raises
    ------
    ConfigError
        If a number promises nothing, or the budget does not cover one round.

    Examples
    --------
    >>> privacy = CentralPrivacy(epsilon=8.0, delta=1e-5, clip=1.0, clients=100, rounds=100)
    >>> round(privacy.multiplier(), 1)
    6.0
    """

    epsilon: float
    delta: float
    clip: float
    clients: int
    rounds: int
    sampling: float = 1.0
    noise_multiplier: float | None = None
    adaptive: AdaptiveClip | None = None

    def __post_init__(self) -> None:
        checked_epsilon(self.epsilon)
        checked_count("clients", self.clients)
        checked_count("rounds", self.rounds)
        checked_delta(self.delta, units=self.clients)
        positive("clip", self.clip)
        checked_probability("sampling", self.sampling)
        if self.noise_multiplier is not None:
            positive("noise_multiplier", self.noise_multiplier)

    @property
    def budget(self) -> Budget:
        """The budget of the ledger."""
        return Budget(epsilon=self.epsilon, delta=self.delta)

    @property
    def expected(self) -> float:
        """Expected number of clients in a round: the constant divisor of the sum."""
        return self.sampling * self.clients

    def multiplier(self) -> float:
        """Return sigma / clip: the one given, else the least that fits the planned rounds."""
        if self.noise_multiplier is not None:
            return float(self.noise_multiplier)
        return calibrated_multiplier(
            self.epsilon, delta=self.delta, count=self.rounds, sampling=self.sampling
        )

    def charge(self, run: str, round: int, *, multiplier: float) -> Charge:
        """Return what one round costs."""
        return Charge(run=run, round=round, noise_multiplier=multiplier, sampling=self.sampling)

    def plain(self, multiplier: float) -> Mapping[str, Any]:
        """Return the settings as plain data for the run's header."""
        return {**asdict(self), "noise_multiplier": multiplier, "unit": "client"}


@dataclass(frozen=True)
class Noisy:
    """What a round releases: the average update, and the next clipping bound."""

    update: NDArray[np.float32]
    clip: float


def release(
    rows: Rows,
    *,
    norms: Values,
    clip: float,
    privacy: CentralPrivacy,
    multiplier: float,
    stream: RandomStream,
) -> Noisy:
    """Return (sum of clipped updates + noise) / (sampling * clients).

    Parameters
    ----------
    rows : Rows
        The updates, n rows of length d; n may be 0, the noise is the same.
    norms : ndarray of float64, shape (n,)
        Their Euclidean norms.
    clip : float
        This round's clipping bound.
    multiplier : float
        The noise multiplier that was charged.
    """
    z, adaptive = multiplier, privacy.adaptive
    following = clip
    if adaptive is not None:
        deviation = count_noise(privacy, adaptive)
        z = update_multiplier(multiplier, count_noise=deviation)
        following = _next_clip(norms, clip, privacy, adaptive, deviation, stream)
    total = clipped_sum(rows, norms=norms, bound=clip) if rows.n else np.zeros(rows.d)
    total += gaussian(stream, rows.d, sigma=z * clip)
    return Noisy((total / privacy.expected).astype(np.float32), following)


def count_noise(privacy: CentralPrivacy, adaptive: AdaptiveClip) -> float:
    """Return the standard deviation of the noise on the number of unclipped updates."""
    if adaptive.count_noise is not None:
        return adaptive.count_noise
    return privacy.expected / 20


def update_multiplier(multiplier: float, *, count_noise: float) -> float:
    """Return the noise multiplier left for the update when the count takes its part.

    1/z^2 = 1/z_update^2 + 1/(2 sigma_count)^2: a count of +-1/2 has sensitivity 1/2
    (Andrew et al. 2021, Theorem 1).

    Raises
    ------
    ConfigError
        If the count alone costs more than the whole round may.

    Examples
    --------
    >>> round(update_multiplier(1.0, count_noise=10.0), 4)
    1.0013
    """
    left = multiplier**-2 - (2 * count_noise) ** -2
    if left <= 0:
        raise ConfigError(
            f"the noise on the count needs to be above {multiplier / 2:g} clients",
            came=f"{count_noise:g}",
            action="raise count_noise, or use a fixed clip",
        )
    return float(left**-0.5)


def _next_clip(
    norms: Values,
    clip: float,
    privacy: CentralPrivacy,
    adaptive: AdaptiveClip,
    deviation: float,
    stream: RandomStream,
) -> float:
    short = float((norms <= clip).sum()) - len(norms) / 2
    noisy = short + float(gaussian(stream, 1, sigma=deviation)[0])
    share = min(1.0, max(0.0, noisy / privacy.expected + 0.5))
    moved = math.log(clip / privacy.clip) - adaptive.rate * (share - adaptive.quantile)
    return privacy.clip * math.exp(min(_FARTHEST, max(-_FARTHEST, moved)))
