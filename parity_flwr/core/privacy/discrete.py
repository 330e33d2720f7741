"""Discrete noise for integer updates, sampled exactly (Canonne, Kamath, Steinke 2020).

No floating point touches a probability: what decides is :func:`exponential_coins`. Time and
number of draws depend on the noise (rejection), which a co-located attacker could measure.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from parity_flwr.core.privacy.bernoulli import exponential_coins
from parity_flwr.core.privacy.stream import RandomStream
from parity_flwr.errors import ConfigError

Integers = NDArray[np.int64]
Draw = Callable[[int], Integers]

MAX_SCALE = 2**40
"""Larger scales would leave the range of 64-bit integers."""

_LARGEST = 2**55  # numerators: times the largest geometric draw they stay below 2^63


def discrete_laplace(stream: RandomStream, count: int, *, scale: Fraction) -> Integers:
    """Return noise with P(x) proportional to exp(-|x| / scale), int64, shape (count,).

    With scale = L1 sensitivity / epsilon, in units of the integers, it is epsilon-DP.

    Raises
    ------
    ConfigError
        If the scale is not above 0, above 2^40, or not a fraction of small integers.

    Examples
    --------
    >>> noise = discrete_laplace(RandomStream(bytes(32)), 4, scale=Fraction(2))
    >>> noise.dtype, len(noise)
    (dtype('int64'), 4)
    """
    _check("scale", scale)
    return _collect(count, lambda size: _laplace_candidates(stream, size, Fraction(scale)))


def discrete_gaussian(stream: RandomStream, count: int, *, variance: Fraction) -> Integers:
    """Return noise with P(x) proportional to exp(-x^2 / (2 variance)), int64, (count,).

    Its zCDP is that of the continuous Gaussian, (L2 sensitivity)^2 / (2 variance), in any
    dimension; account for it by RDP.

    Raises
    ------
    ConfigError
        If the variance is not above 0, 2^55 or more, or no fraction of small integers.
    """
    _check("variance", variance, most=_LARGEST)
    exact = Fraction(variance)
    wide = int(float(exact) ** 0.5) + 1  # scale of the Laplace proposals; any value is right

    def candidates(size: int) -> Integers:
        proposed = _laplace_candidates(stream, size, Fraction(wide))
        return proposed[_gaussian_coins(stream, proposed, exact, wide)]

    return _collect(count, candidates)


def _gaussian_coins(
    stream: RandomStream, proposed: Integers, variance: Fraction, wide: int
) -> NDArray[np.bool_]:
    centre = variance / wide

    def exact(index: int) -> Fraction:
        return (abs(int(proposed[index])) - centre) ** 2 / (2 * variance)

    offset = np.abs(proposed).astype(np.float64) - float(centre)
    return exponential_coins(stream, offset**2 / (2 * float(variance)), exact=exact)


def _laplace_candidates(stream: RandomStream, count: int, scale: Fraction) -> Integers:
    """Return some exact samples, fewer than ``count``."""
    top, bottom = scale.numerator, scale.denominator
    remainder = stream.below(top, count)
    kept = remainder[
        exponential_coins(
            stream, remainder / top, exact=lambda i: Fraction(int(remainder[i]), top)
        )
    ]
    magnitude = (kept + top * _geometric(stream, len(kept))) // bottom
    negative = stream.coins(len(kept))
    once = ~(negative & (magnitude == 0))  # or 0 would count twice
    signed: Integers = np.where(negative, -magnitude, magnitude)[once]
    return signed


def _geometric(stream: RandomStream, count: int) -> Integers:
    """Return how many coins of probability exp(-1) come up before one does not."""
    successes = np.zeros(count, np.int64)
    alive = np.arange(count)
    while len(alive):
        again = exponential_coins(stream, np.ones(len(alive)), exact=lambda _: Fraction(1))
        alive = alive[again]
        successes[alive] += 1
    return successes


def _collect(count: int, draw: Draw) -> Integers:
    found: list[Integers] = [np.empty(0, np.int64)]
    missing = count
    while missing > 0:
        found.append(draw(2 * missing + 8)[:missing])
        missing -= len(found[-1])
    return np.concatenate(found)


def _check(name: str, value: Fraction, *, most: int = MAX_SCALE) -> None:
    rational = isinstance(value, int | Fraction) and not isinstance(value, bool)
    if not (rational and 0 < value <= most and Fraction(value).numerator < _LARGEST):
        raise ConfigError(
            f"{name} needs a fraction above 0 and at most {most}",
            came=f"{value!r:.60}",
            action=f"change {name}, for example by Fraction({name}).limit_denominator(1000)",
        )
