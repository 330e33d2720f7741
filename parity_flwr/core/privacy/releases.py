"""What is accounted for: noisy releases, by mechanism, sampling and count."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from parity_flwr.core.privacy.parameters import checked_count, checked_probability, positive
from parity_flwr.errors import ConfigError


class Mechanism(StrEnum):
    """What kind of noise a release carries."""

    GAUSSIAN = "gaussian"
    DISCRETE_GAUSSIAN = "discrete-gaussian"
    LAPLACE = "laplace"
    DISCRETE_LAPLACE = "discrete-laplace"


class Accountant(StrEnum):
    """Which composition counts."""

    PLD = "pld"  # numerically exact, with errors on the safe side
    RDP = "rdp"  # Renyi: a looser upper bound, the check


class Selection(StrEnum):
    """How the participants of a release are chosen."""

    ALL = "all"
    POISSON = "poisson"  # each independently with the same probability, in secret
    FIXED_SIZE = "fixed-size"  # so many, without replacement


@dataclass(frozen=True, kw_only=True)
class Release:
    """``count`` noisy releases of the same kind.

    Parameters
    ----------
    noise_multiplier : float
        sigma (Gaussian) or scale (Laplace) over the sensitivity in the L2 or L1 norm; the
        sensitivity is that of the neighbour relation in force.
    mechanism : Mechanism
        The noise.
    sampling : float
        Probability with which Poisson sampling takes a unit in; 1 for everything else.
    count : int
        How many.

    Raises
    ------
    ConfigError
        If a number is out of range, or sampling below 1 stands beside noise for which no
        amplification theorem is implemented.
    """

    noise_multiplier: float
    mechanism: Mechanism = Mechanism.GAUSSIAN
    sampling: float = 1.0
    count: int = 1

    def __post_init__(self) -> None:
        positive("noise_multiplier", self.noise_multiplier)
        checked_probability("sampling", self.sampling)
        checked_count("count", self.count)
        if self.sampling < 1 and self.mechanism is not Mechanism.GAUSSIAN:
            raise ConfigError(
                "amplification by sampling needs the Gaussian mechanism",
                came=f"{self.mechanism.value}",
                action="account for it with sampling=1",
            )


def amplification(selection: Selection, *, fraction: float) -> float:
    """Return the sampling probability that may be accounted for.

    The add-or-remove theorems hold for Poisson sampling only. A fixed number of clients
    drawn without replacement has one for the replace-one relation, which is not offered
    here; so it counts as if everybody took part, and so does everything that chooses by what
    it knows of the clients (reputation).

    Examples
    --------
    >>> amplification(Selection.FIXED_SIZE, fraction=0.1)
    1.0
    """
    fraction = checked_probability("fraction", fraction)
    return fraction if selection is Selection.POISSON else 1.0


def is_plain_gaussian(release: Release) -> bool:
    """Say whether a release is Gaussian noise on everybody: those compose in closed form."""
    return release.mechanism is Mechanism.GAUSSIAN and release.sampling == 1.0


def merged(releases: Iterable[Release]) -> list[Release]:
    """Add up equal releases, and all plain Gaussians: 1/z^2 adds, exactly."""
    counts: Counter[Release] = Counter()
    precision = []
    for each in releases:
        if is_plain_gaussian(each):
            precision.append(each.count / each.noise_multiplier**2)
        else:
            counts[replace(each, count=1)] += each.count
    parts = [replace(each, count=count) for each, count in counts.items()]
    if precision:
        parts.append(Release(noise_multiplier=math.fsum(precision) ** -0.5))
    return parts
