"""An audit from outside: how much privacy an attacker with canaries shows to be missing.

Canaries are data that only the auditor knows; a fair coin puts each in or leaves it out, the
mechanism runs once, and the auditor guesses the coins from what was released (Steinke, Nasr,
Jagielski 2023). More right guesses than (epsilon, delta)-DP allows refute the claim. Too few
prove nothing.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from parity_flwr.core.privacy.parameters import checked_count, checked_delta
from parity_flwr.errors import ConfigError

_STEPS = 60
_MOST = 50.0  # no audit in one run shows an epsilon like this


def audited_epsilon(
    inside: NDArray[np.floating],
    outside: NDArray[np.floating],
    *,
    delta: float,
    guesses: int | None = None,
    significance: float = 0.05,
) -> float:
    """Return an epsilon that the mechanism does not keep, with 95 % confidence; 0 for none.

    Parameters
    ----------
    inside, outside : ndarray, shapes (a,) and (b,)
        Scores of the canaries that were in and that were not; high should mean "in".
    delta : float
        The delta of the claim.
    guesses : int, optional
        How many canaries the auditor guesses: half of it the highest scores as "in", half
        the lowest as "out"; by default a fifth of all. To be fixed before the run.
    significance : float
        Probability with which the result is too large although the claim is true.

    Raises
    ------
    ConfigError
        If there are fewer canaries than guesses, or a score is not finite.

    Examples
    --------
    >>> round(audited_epsilon(np.ones(100), np.zeros(100), delta=1e-5, guesses=100), 1)
    3.5
    """
    scores = np.concatenate([inside, outside]).astype(np.float64)
    truth = np.arange(len(scores)) < len(inside)
    guesses = len(scores) // 5 if guesses is None else guesses
    if (
        not (2 <= checked_count("guesses", guesses) <= len(scores))
        or not np.isfinite(scores).all()
    ):
        raise ConfigError(
            "an audit needs finite scores and at least as many canaries as guesses",
            came=f"{len(scores)} canaries, {guesses} guesses",
            action="use more canaries",
        )
    order = np.argsort(scores, kind="stable")
    half = guesses // 2
    correct = int(truth[order[-half:]].sum() + (~truth[order[:half]]).sum())
    return _lower_bound(correct, 2 * half, len(scores), checked_delta(delta), significance)


def _lower_bound(
    correct: int, guesses: int, canaries: int, delta: float, significance: float
) -> float:
    """Return the largest epsilon under which so many right guesses are implausible."""
    ways = _log_ways(guesses)

    def plausible(epsilon: float) -> bool:
        chances = _binomial(ways, 1 / (1 + math.exp(-epsilon)))
        return _most_probable(correct, chances, 2 * canaries * delta) > significance

    low, high = 0.0, _MOST
    if plausible(0.0):
        return 0.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (low, middle) if plausible(middle) else (middle, high)
    return low


def _most_probable(correct: int, chances: NDArray[np.float64], slack: float) -> float:
    """Return the most probable it can be, under DP, to guess at least so many right.

    Steinke, Nasr, Jagielski 2023, Theorem 5.2: binomial with p = e^eps / (1 + e^eps), plus
    2 m delta times the largest of P[i or fewer below ``correct``] / i.
    """
    tail = float(chances[correct:].sum())
    below = np.cumsum(chances[:correct][::-1])
    worst = float((below / np.arange(1, correct + 1)).max(initial=0.0))
    return min(1.0, tail + slack * worst)


def _log_ways(n: int) -> NDArray[np.float64]:
    """Return the logarithms of n over k for k from 0 to n."""
    factorials = np.array([math.lgamma(k + 1) for k in range(n + 1)])
    ways: NDArray[np.float64] = factorials[n] - factorials - factorials[::-1]
    return ways


def _binomial(log_ways: NDArray[np.float64], p: float) -> NDArray[np.float64]:
    """Return the probabilities of 0 to n successes."""
    n = len(log_ways) - 1
    if p == 1.0:
        return np.asarray(np.arange(n + 1) == n, np.float64)
    k = np.arange(n + 1)
    return np.asarray(np.exp(log_ways + k * math.log(p) + (n - k) * math.log1p(-p)))
