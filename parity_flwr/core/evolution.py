"""How one score moves with one event, and how the four become one (P-7, P-12)."""

from __future__ import annotations

import math
from collections.abc import Sequence

from parity_flwr.core.config import Formula, Four, ReputationConfig

SCALE = 1000.0
"""Reputation lies in [0, SCALE] (P section 6.1)."""


def evolve(score: float, event: float | None, *, config: ReputationConfig) -> float:
    """Return R_i after an event D_i in [0, 1]; None is a round without an event (P-7).

    *Decided*: R <- g R + (1 - g) 1000 D; g is ``decay_up`` when the event is above the
    score and ``decay_down`` when below, so trust comes slowly and goes fast; without an
    event nothing changes. ``Formula.PAPER`` is Eq. 7 as printed: R = clip(R_0 + A),
    A <- gamma A + dR, and it forgets without an event. The paper gives no dR; *decided*:
    dR = 1000 (1 - gamma) (D - 1/2), so that A has the fixed point 1000 (D - 1/2).

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
    # As a step towards the target it rests exactly there and never passes it by rounding.
    return score + (1 - decay) * (target - score)


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
    total = math.fsum(w * score for w, score in zip(weights, scores, strict=True))
    return min(SCALE, total)


def adapt(
    weights: Four, evidence: Sequence[tuple[Four, float]], *, config: ReputationConfig
) -> Four:
    """Return v after a round by exponentiated gradient (P-12, *decided*).

    ``evidence`` pairs a client's four scores before the round with the quality in [0, 1]
    that validators or held-out data gave it. A dimension that predicted it badly (squared
    error) loses weight; no evidence, no change, and none either if all predicted it alike.
    A dimension in which everybody still stands at R_0 predicted nothing: its weight stays.
    v stays in the simplex, each weight at least ``weight_floor``.

    Examples
    --------
    >>> v = (0.25, 0.25, 0.25, 0.25)
    >>> adapt(v, [], config=ReputationConfig()) == v
    True
    """
    if not evidence or config.adaptation_rate == 0:
        return weights
    speaks = [any(scores[i] != config.initial for scores, _ in evidence) for i in range(4)]
    losses = [
        math.fsum((scores[i] / SCALE - seen) ** 2 for scores, seen in evidence) / len(evidence)
        for i in range(4)
    ]
    raw = [
        w * math.exp(-config.adaptation_rate * loss) if active else 0.0
        for w, loss, active in zip(weights, losses, speaks, strict=True)
    ]
    if math.fsum(raw) == 0:
        return weights
    held = math.fsum(w for w, active in zip(weights, speaks, strict=True) if not active)
    scale = (1 - held) / math.fsum(raw)
    moved = [
        scale * value if active else w
        for value, w, active in zip(raw, weights, speaks, strict=True)
    ]
    return _with_floor(moved, config.weight_floor)


def _with_floor(raw: Sequence[float], floor: float) -> Four:
    """Scale to sum 1; those that would fall below the floor get it, at the others' cost.

    Mixing with the uniform weights would be shorter, but it pulls v back by a fifth in each
    round (floor 0.05), a hundred times what a round's evidence moves.
    """
    low: set[int] = set()
    while len(low) < 4:
        free = math.fsum(value for i, value in enumerate(raw) if i not in low)
        scale = (1 - floor * len(low)) / free
        v = [floor if i in low else scale * value for i, value in enumerate(raw)]
        fallen = {i for i, value in enumerate(v) if value < floor}
        if not fallen:
            return (v[0], v[1], v[2], v[3])
        low |= fallen
    return (0.25, 0.25, 0.25, 0.25)  # a floor of 1/4 leaves no choice
