"""What a sequence of releases costs: privacy loss distributions, checked by RDP.

The numbers come from Google's dp-accounting (extra ``privacy``). Gaussian releases of
everything compose exactly in closed form; that path needs no extra. The central-limit figure
of Gaussian DP ("GDP accountant") is not offered: it lies below the truth.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from parity_flwr.core.privacy.mechanisms import gaussian_epsilon
from parity_flwr.core.privacy.parameters import checked_delta, checked_epsilon
from parity_flwr.core.privacy.releases import (
    Accountant,
    Mechanism,
    Release,
    Selection,
    amplification,
    is_plain_gaussian,
    merged,
)
from parity_flwr.errors import ConfigError, MissingExtraError

__all__ = [
    "Accountant",
    "Mechanism",
    "Release",
    "Selection",
    "affordable_count",
    "amplification",
    "calibrated_multiplier",
    "spent_epsilon",
    "within_budget",
]

_LEAST = 0.01  # no noise multiplier is calibrated below it
_FINE, _COARSE = 1e-4, 1e-3  # of the discretised privacy loss; errors stay on the safe side
_HOPELESS = 1.05  # so far above the budget no finer bound helps
_ORDERS = (*(2 + x / 8 for x in range(64)), *range(10, 65), 128, 256, 512, 1024)
_PRECISION = 1e-4  # of a calibrated noise multiplier, relative


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
    if not all(map(is_plain_gaussian, releases)):  # those have a closed form
        if _epsilon(releases, delta, Accountant.RDP, _COARSE) <= epsilon:
            return True
        coarse = _epsilon(releases, delta, Accountant.PLD, _COARSE)
        if coarse <= epsilon or coarse > _HOPELESS * epsilon:
            return coarse <= epsilon
    return _epsilon(releases, delta, Accountant.PLD, _FINE) <= epsilon


def _epsilon(
    releases: Iterable[Release], delta: float, accountant: Accountant, interval: float
) -> float:
    parts = merged(releases)
    if not parts:
        return 0.0
    if len(parts) == 1 and is_plain_gaussian(parts[0]) and accountant is Accountant.PLD:
        return gaussian_epsilon(delta, noise_multiplier=parts[0].noise_multiplier)
    discrete = any(each.mechanism is Mechanism.DISCRETE_GAUSSIAN for each in parts)
    if accountant is Accountant.RDP or discrete:
        return _rdp(parts, delta)
    return _pld(parts, delta, interval)


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
