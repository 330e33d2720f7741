"""How much noise a promise needs: Laplace, Gaussian and exponential (P-20 to P-22)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from parity_flwr.core.privacy.bernoulli import exponential_coins
from parity_flwr.core.privacy.parameters import checked_delta, checked_epsilon, positive
from parity_flwr.core.privacy.stream import RandomStream
from parity_flwr.errors import ConfigError

_STEPS = 200  # bisections: more than float64 has bits and exponents


def laplace_scale(*, epsilon: float, sensitivity: float) -> float:
    """Return b = Delta_1 / epsilon, which gives epsilon-DP (P-20; Parity, Eq. 20).

    ``sensitivity`` is in the L1 norm over the whole vector.

    Examples
    --------
    >>> laplace_scale(epsilon=0.5, sensitivity=2.0)
    4.0
    """
    return positive("sensitivity", sensitivity) / checked_epsilon(epsilon)


def gaussian_sigma(*, epsilon: float, delta: float, sensitivity: float) -> float:
    """Return the least sigma that gives (epsilon, delta)-DP (P-21, decided).

    The analytic Gaussian mechanism (Balle and Wang 2018, Theorem 8), for every epsilon.
    ``sensitivity`` is in the L2 norm over the whole vector.

    Examples
    --------
    >>> round(gaussian_sigma(epsilon=1.0, delta=1e-5, sensitivity=1.0), 4)
    3.7306
    """
    epsilon, delta = checked_epsilon(epsilon), checked_delta(delta)
    low, high = 1e-3, 1e-3
    while gaussian_delta(epsilon, noise_multiplier=high) > delta:
        low, high = high, 2 * high
    for _ in range(_STEPS):
        middle = math.sqrt(low * high)
        if gaussian_delta(epsilon, noise_multiplier=middle) > delta:
            low = middle
        else:
            high = middle
    return high * positive("sensitivity", sensitivity)


def classic_gaussian_sigma(*, epsilon: float, delta: float, sensitivity: float) -> float:
    """Return P-21's sigma as printed: sqrt(2 ln(1.25/delta)) Delta_2 / epsilon (Eq. 21).

    Its proof needs epsilon < 1, so that any other epsilon is refused. A baseline only: the
    analytic mechanism needs less noise for the same promise.

    Examples
    --------
    >>> round(classic_gaussian_sigma(epsilon=0.5, delta=1e-5, sensitivity=1.0), 4)
    9.6896
    """
    epsilon, delta = checked_epsilon(epsilon), checked_delta(delta)
    if epsilon >= 1:
        raise ConfigError(
            "the classic Gaussian formula needs epsilon < 1",
            came=f"epsilon={epsilon:g}",
            action="use gaussian_sigma, which holds for every epsilon",
        )
    sensitivity = positive("sensitivity", sensitivity)
    return math.sqrt(2 * math.log(1.25 / delta)) * sensitivity / epsilon


def gaussian_delta(epsilon: float, *, noise_multiplier: float) -> float:
    """Return the exact delta at epsilon of a Gaussian with sigma = z times the sensitivity.

    delta = Phi(1/(2z) - epsilon z) - e^epsilon Phi(-1/(2z) - epsilon z) (Balle and Wang 2018).
    """
    mu = 1 / noise_multiplier
    first = _upper_tail(epsilon / mu - mu / 2)
    second = _upper_tail(epsilon / mu + mu / 2)
    return max(0.0, first - math.exp(epsilon) * second)


def gaussian_epsilon(delta: float, *, noise_multiplier: float) -> float:
    """Return the exact epsilon at delta of a Gaussian with sigma = z times the sensitivity.

    Infinite above ``MAX_EPSILON``.

    Examples
    --------
    >>> round(gaussian_epsilon(1e-5, noise_multiplier=0.6), 3)
    8.004
    """
    low, high = 0.0, 1.0
    if gaussian_delta(0.0, noise_multiplier=noise_multiplier) <= delta:
        return 0.0
    while gaussian_delta(high, noise_multiplier=noise_multiplier) > delta:
        low, high = high, 2 * high
        if high > 2**9:
            return math.inf
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if gaussian_delta(middle, noise_multiplier=noise_multiplier) > delta:
            low = middle
        else:
            high = middle
    return high


def _upper_tail(x: float) -> float:
    return math.erfc(x / math.sqrt(2)) / 2


def exponential_choice(
    scores: Sequence[float], *, epsilon: float, sensitivity: float, stream: RandomStream
) -> int:
    """Return index i with probability proportional to exp(epsilon s_i / (2 Delta)) (P-22).

    Sampled exactly: an index is drawn uniformly and kept with probability
    exp(-epsilon (max s - s_i) / (2 Delta)), where scores, epsilon and Delta are the
    rationals that their floats are. The number of tries depends on the scores and could be
    timed.

    Raises
    ------
    ConfigError
        If there is no score, one is not finite, or a parameter is out of range.

    Examples
    --------
    >>> exponential_choice([0.0, 50.0], epsilon=4.0, sensitivity=1.0,
    ...                    stream=RandomStream(bytes(32)))
    1
    """
    values = np.asarray(scores, np.float64)
    if values.ndim != 1 or not len(values) or not np.isfinite(values).all():
        raise ConfigError(
            "the exponential mechanism needs at least one score, all of them finite",
            came=f"{scores!r:.60}",
            action="score every candidate with a number",
        )
    rate = Fraction(checked_epsilon(epsilon)) / (
        2 * Fraction(positive("sensitivity", sensitivity))
    )
    best = Fraction(float(values.max()))
    while True:
        tried = stream.below(len(values), 2 * len(values) + 8)
        gammas = [rate * (best - Fraction(float(values[i]))) for i in tried.tolist()]
        rough = np.minimum([float(each) for each in gammas], 1e6)
        kept = np.flatnonzero(exponential_coins(stream, rough, exact=gammas.__getitem__))
        if len(kept):
            return int(tried[kept[0]])
