"""How one score moves with one event, and how the four become one (P-7, P-12)."""

from __future__ import annotations

import math
from collections.abc import Sequence

from parity_flwr.core.config import Formula, Four, ReputationConfig

SCALE = 1000.0
"""Reputation lies in [0, SCALE] (P section 6.1)."""


def evolve(score: float, event: float | None, *, config: ReputationConfig) -> float:
    """Return R_i after an event D_i in [0, 1]; None is a round without an event (P-7).

    *Decided*: R <- g R + (1 - g) 1000 D, written about R = 500 as in the rule; g is
    ``decay_up`` when the event is above the score and ``decay_down`` when below, so trust
    comes slowly and goes fast; without an event nothing changes. ``Formula.PAPER`` is
    Eq. 7 as printed: R = clip(500 + A), A <- gamma A + dR, with
    dR = 1000 (1 - gamma) (D - 1/2), and it forgets without an event.

    Examples
    --------
    >>> round(evolve(500.0, 0.0, config=ReputationConfig()), 6)
    350.0
    >>> round(evolve(500.0, 1.0, config=ReputationConfig()), 6)
    525.0
    """
    if config.evolution is Formula.PAPER:
        return _evolve_as_printed(score, event, config)
    if event is None:
        return score
    target = SCALE * event
    decay = config.decay_up if target > score else config.decay_down
    return decay * score + (1 - decay) * target


def _evolve_as_printed(score: float, event: float | None, config: ReputationConfig) -> float:
    change = 0.0 if event is None else SCALE * (1 - config.gamma) * (event - 0.5)
    accumulated = config.gamma * (score - config.initial) + change
    return min(SCALE, max(0.0, config.initial + accumulated))


def composite(scores: Sequence[float], weights: Sequence[float]) -> float:
    """P-12 (Parity, Eq. 12): sum_i v_i D_i, in [0, 1000].

    Examples
    --------
    >>> composite((1000.0, 500.0, 500.0, 0.0), (0.25, 0.25, 0.25, 0.25))
    500.0
    """
    return sum(w * score for w, score in zip(weights, scores, strict=True))


def adapt(
    weights: Four, evidence: Sequence[tuple[Four, float]], *, config: ReputationConfig
) -> Four:
    """Return v after a round by exponentiated gradient (P-12, *decided*).

    ``evidence`` pairs a client's four scores before the round with the quality in [0, 1]
    that validators or held-out data gave it. A dimension that predicted it badly (squared
    error) loses weight; no evidence, no change. v stays in the simplex, each weight at
    least ``weight_floor``.

    Examples
    --------
    >>> v = (0.25, 0.25, 0.25, 0.25)
    >>> adapt(v, [], config=ReputationConfig()) == v
    True
    """
    if not evidence or config.adaptation_rate == 0:
        return weights
    losses = [
        sum((scores[i] / SCALE - seen) ** 2 for scores, seen in evidence) / len(evidence)
        for i in range(4)
    ]
    raw = [
        w * math.exp(-config.adaptation_rate * loss)
        for w, loss in zip(weights, losses, strict=True)
    ]
    return _with_floor(raw, config.weight_floor)


def _with_floor(raw: Sequence[float], floor: float) -> Four:
    total = sum(raw)
    lifted = [floor + (1 - 4 * floor) * value / total for value in raw]
    return (lifted[0], lifted[1], lifted[2], lifted[3])
