"""Basic and advanced composition as the paper has them (P-26, P-27, P-34, P-35).

Baselines for comparison: :mod:`parity_flwr.core.privacy.accounting` is what stops a run.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from parity_flwr.core.privacy.parameters import (
    checked_count,
    checked_delta,
    checked_epsilon,
    positive,
)


@dataclass(frozen=True, kw_only=True)
class Guarantee:
    """An (epsilon, delta) promise; delta 0 is pure differential privacy."""

    epsilon: float
    delta: float


def basic_composition(parts: Sequence[Guarantee]) -> Guarantee:
    """Return the sums of the epsilons and deltas (P-26; Parity, Eq. 26).

    Examples
    --------
    >>> basic_composition([Guarantee(epsilon=0.5, delta=0.0)] * 4).epsilon
    2.0
    """
    return Guarantee(
        epsilon=math.fsum(part.epsilon for part in parts),
        delta=math.fsum(part.delta for part in parts),
    )


def advanced_composition(part: Guarantee, *, count: int, slack: float) -> Guarantee:
    """Return sqrt(2 k ln(1/delta')) eps + k eps (e^eps - 1) and k delta + delta'.

    P-27, P-34, P-35 (Parity, Eq. 27; Dwork, Rothblum, Vadhan 2010). ``slack`` is delta'.
    Larger than basic composition unless epsilon is small (below about 0.4 at k = 100).

    Examples
    --------
    >>> part = Guarantee(epsilon=0.1, delta=0.0)
    >>> round(advanced_composition(part, count=100, slack=1e-5).epsilon, 2)
    5.85
    """
    epsilon, slack = checked_epsilon(part.epsilon), checked_delta(slack)
    count = checked_count("count", count)
    first = math.sqrt(2 * count * math.log(1 / slack)) * epsilon
    second = count * epsilon * math.expm1(epsilon)
    return Guarantee(epsilon=first + second, delta=count * part.delta + slack)


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One schedule of Gaussian releases by every composition, at one total delta."""

    per_release: float  # epsilon of one release at delta / (2 count)
    basic: float
    advanced: float
    rdp: float
    pld: float


def compare_compositions(*, noise_multiplier: float, count: int, delta: float) -> Comparison:
    """Return epsilon at ``delta`` of ``count`` Gaussian releases, composition by composition.

    Basic and advanced composition get half of delta for the releases and half as slack.
    """
    from parity_flwr.core.privacy.accounting import Accountant, Release, spent_epsilon
    from parity_flwr.core.privacy.mechanisms import gaussian_epsilon

    multiplier = positive("noise_multiplier", noise_multiplier)
    share = checked_delta(delta) / (2 * checked_count("count", count))
    part = Guarantee(epsilon=gaussian_epsilon(share, noise_multiplier=multiplier), delta=share)
    releases = [Release(noise_multiplier=multiplier, count=count)]
    return Comparison(
        per_release=part.epsilon,
        basic=basic_composition([part] * count).epsilon,
        advanced=advanced_composition(part, count=count, slack=delta / 2).epsilon,
        rdp=spent_epsilon(releases, delta=delta, accountant=Accountant.RDP),
        pld=spent_epsilon(releases, delta=delta),
    )
