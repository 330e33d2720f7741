"""What a sequence of releases costs: privacy loss distributions, checked by RDP.

The numbers come from Google's dp-accounting (extra ``privacy``). Gaussian releases of
everything compose exactly in closed form; that path needs no extra. The central-limit figure
of Gaussian DP ("GDP accountant") is not offered: it lies below the truth.
"""

from __future__ import annotations

import importlib
import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from parity_flwr.core.privacy.mechanisms import gaussian_epsilon
from parity_flwr.core.privacy.parameters import (
    checked_count,
    checked_delta,
    checked_epsilon,
    checked_probability,
    positive,
)
from parity_flwr.errors import ConfigError, MissingExtraError

_LEAST = 0.01  # no noise multiplier is calibrated below it
_FINE, _COARSE = 1e-4, 1e-3  # of the discretised privacy loss; errors stay on the safe side
_HOPELESS = 1.05  # so far above the budget no finer bound helps
_ORDERS = (*(2 + x / 8 for x in range(64)), *range(10, 65), 128, 256, 512, 1024)
_PRECISION = 1e-4  # of a calibrated noise multiplier, relative


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


def spent_epsilon(
    releases: Iterable[Release], *, delta: float, accountant: Accountant = Accountant.PLD
) -> float:
    """Return epsilon at delta of all releases together; 0 for none.

    Discrete Gaussians are accounted for by RDP under both accountants: their exact curve is
    known in one dimension only. Laplace releases count as epsilon-DP without more structure,
    because a vector's loss need not be that of one number.

    Raises
    ------
    MissingExtraError
        If dp-accounting is needed and not installed.

    Examples
    --------
    >>> round(spent_epsilon([Release(noise_multiplier=6.0, count=100)], delta=1e-5), 2)
    8.0
    """
    return _epsilon(releases, checked_delta(delta), accountant, _FINE)


def within_budget(releases: Sequence[Release], *, epsilon: float, delta: float) -> bool:
    """Say whether all releases together cost at most epsilon at delta.

    Every bound that is tried lies above the truth, the cheapest first.
    """
    delta = checked_delta(delta)
    if not all(map(_is_plain_gaussian, releases)):  # those have a closed form
        if _epsilon(releases, delta, Accountant.RDP, _COARSE) <= epsilon:
            return True
        coarse = _epsilon(releases, delta, Accountant.PLD, _COARSE)
        if coarse <= epsilon or coarse > _HOPELESS * epsilon:
            return coarse <= epsilon
    return _epsilon(releases, delta, Accountant.PLD, _FINE) <= epsilon


def _epsilon(
    releases: Iterable[Release], delta: float, accountant: Accountant, interval: float
) -> float:
    merged = _merged(releases)
    if not merged:
        return 0.0
    if len(merged) == 1 and _is_plain_gaussian(merged[0]) and accountant is Accountant.PLD:
        return gaussian_epsilon(delta, noise_multiplier=merged[0].noise_multiplier)
    discrete = any(each.mechanism is Mechanism.DISCRETE_GAUSSIAN for each in merged)
    if accountant is Accountant.RDP or discrete:
        return _rdp(merged, delta)
    return _pld(merged, delta, interval)


def calibrated_multiplier(
    epsilon: float,
    *,
    delta: float,
    count: int,
    sampling: float = 1.0,
    mechanism: Mechanism = Mechanism.GAUSSIAN,
    before: Sequence[Release] = (),
) -> float:
    """Return the least noise multiplier with which ``count`` releases cost epsilon.

    ``before`` is what the budget pays for besides.

    Examples
    --------
    >>> round(calibrated_multiplier(8.0, delta=1e-5, count=100), 2)
    6.0
    """
    epsilon, delta = checked_epsilon(epsilon), checked_delta(delta)

    def fits(multiplier: float) -> bool:
        release = Release(
            noise_multiplier=multiplier, sampling=sampling, count=count, mechanism=mechanism
        )
        return _epsilon([*before, release], delta, Accountant.PLD, _COARSE) <= epsilon

    return _least(fits)


def affordable_count(
    release: Release, *, before: Sequence[Release], epsilon: float, delta: float, most: int
) -> int:
    """Return how many such releases still fit into the budget, at most ``most``."""

    def fits(count: int) -> bool:
        more = [replace(release, count=count)] if count else []
        return within_budget([*before, *more], epsilon=epsilon, delta=delta)

    low, high = 0, most + 1  # fits(low) or nothing does, not fits(high)
    if most and fits(most):
        return most
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def _least(fits: Callable[[float], bool]) -> float:
    high = 1.0  # small multipliers are slow to account for, so they are tried last
    while fits(high) and high > _LEAST:
        high /= 2
    low = high
    while not fits(high):
        low, high = high, 2 * high
        if high > 2**30:
            raise ConfigError(
                "a budget needs to be reachable with finite noise",
                came=f"more than {high:g} times the sensitivity",
                action="raise epsilon or delta, or plan fewer rounds",
            )
    while high / low > 1 + _PRECISION:
        middle = math.sqrt(low * high)
        low, high = (low, middle) if fits(middle) else (middle, high)
    return high


def _is_plain_gaussian(release: Release) -> bool:
    return release.mechanism is Mechanism.GAUSSIAN and release.sampling == 1.0


def _merged(releases: Iterable[Release]) -> list[Release]:
    """Add up equal releases, and all plain Gaussians: 1/z^2 adds, exactly."""
    counts: Counter[Release] = Counter()
    precision = []
    for each in releases:
        if _is_plain_gaussian(each):
            precision.append(each.count / each.noise_multiplier**2)
        else:
            counts[replace(each, count=1)] += each.count
    merged = [replace(each, count=count) for each, count in counts.items()]
    if precision:
        merged.append(Release(noise_multiplier=math.fsum(precision) ** -0.5))
    return merged


def _dp_accounting(name: str) -> Any:
    try:
        return importlib.import_module(f"dp_accounting.{name}")
    except ImportError as error:
        raise MissingExtraError("privacy accounting", extra="privacy") from error


def _pld(releases: Sequence[Release], delta: float, interval: float) -> float:
    pld = _dp_accounting("pld.privacy_loss_distribution")
    common = _dp_accounting("pld.common")
    total = pld.identity(value_discretization_interval=interval)
    for each in releases:
        if each.mechanism is Mechanism.GAUSSIAN:
            one = pld.from_gaussian_mechanism(
                each.noise_multiplier,
                sampling_prob=each.sampling,
                value_discretization_interval=interval,
            )
        else:
            pure = common.DifferentialPrivacyParameters(1 / each.noise_multiplier, 0)
            one = pld.from_privacy_parameters(pure, value_discretization_interval=interval)
        total = total.compose(one.self_compose(each.count))
    return float(total.get_epsilon_for_delta(delta))


def _rdp(releases: Sequence[Release], delta: float) -> float:
    module = _dp_accounting("rdp.rdp_privacy_accountant")
    # Sampled Gaussians have no stable series at orders below 2; any set of orders is valid.
    sampled = any(each.sampling < 1 for each in releases)
    accountant = module.RdpAccountant(_ORDERS) if sampled else module.RdpAccountant()
    events = _dp_accounting("dp_event")
    for each in releases:
        event = _event(events, each)
        if each.sampling < 1:
            event = events.PoissonSampledDpEvent(each.sampling, event)
        accountant.compose(event, each.count)
    return float(accountant.get_epsilon(delta))


def _event(events: Any, release: Release) -> Any:
    if release.mechanism in (Mechanism.GAUSSIAN, Mechanism.DISCRETE_GAUSSIAN):
        return events.GaussianDpEvent(release.noise_multiplier)
    return events.ZCDpEvent(0.5 / release.noise_multiplier**2)  # Bun and Steinke 2016
