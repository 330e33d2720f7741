"""How far one client can move an aggregate: the sensitivity rule (PROTOCOL, privacy).

Where a client's weight depends on this round's updates, one client also moves the others'
weights; then only the whole aggregate's sensitivity holds.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from parity_flwr.core.privacy.clipping import clip_row
from parity_flwr.core.privacy.parameters import positive

Matrix = NDArray[np.float64]
Vector = NDArray[np.float64]
Aggregate = Callable[[Matrix], Vector]


class Relation(StrEnum):
    """Which data sets are neighbours."""

    ADD_OR_REMOVE = "add-or-remove"  # one unit more or less
    REPLACE_ONE = "replace-one"  # one unit becomes another


class WeightSource(StrEnum):
    """What the weights in sum_k w_k delta_k depend on."""

    FIXED = "fixed"  # constants; not divided by how many came
    RELEASED = "released"  # only on what was released under DP before
    PRESENT = "present"  # on who came: a mean over the replies, shares that sum to 1
    UPDATES = "updates"  # on this round's updates without noise: robust rules, P-4 to P-6


def aggregate_sensitivity(
    *,
    clip: float,
    weights: WeightSource = WeightSource.FIXED,
    largest_weight: float = 1.0,
    relation: Relation = Relation.ADD_OR_REMOVE,
) -> float:
    """Return the L2 sensitivity of sum_k w_k delta_k with |delta_k| <= clip and w_k >= 0.

    - Weights that do not depend on the updates (fixed, or from released data):
      largest_weight * clip; twice that under replace-one.
    - Weights that sum to at most 1 but depend on the updates, or on who came: 2 * clip under
      both relations, because the aggregate lies in a ball of radius clip and one client may
      move it anywhere in it. Noise for it drowns the mean; clip and weigh otherwise.

    Examples
    --------
    >>> aggregate_sensitivity(clip=2.0, largest_weight=0.5)
    1.0
    >>> aggregate_sensitivity(clip=2.0, weights=WeightSource.UPDATES)
    4.0
    """
    clip = positive("clip", clip)
    if weights in (WeightSource.PRESENT, WeightSource.UPDATES):
        return 2 * clip
    factor = 2.0 if relation is Relation.REPLACE_ONE else 1.0
    return factor * positive("largest_weight", largest_weight) * clip


def worst_neighbour(
    aggregate: Aggregate,
    *,
    n: int,
    d: int,
    clip: float,
    relation: Relation = Relation.ADD_OR_REMOVE,
    trials: int = 200,
    rng: np.random.Generator,
) -> float:
    """Return the largest distance found between the aggregates of neighbouring data sets.

    A random search with hill climbing over n rows in the ball of radius ``clip``: a lower
    bound of the sensitivity, to catch claims that are too small. It proves nothing else.
    """
    worst, held = 0.0, _draw(n, d, clip, rng)
    for trial in range(trials):
        step = 1.0 if trial % 4 == 0 else float(rng.choice([0.3, 0.1, 0.03]))
        fresh = _draw(n, d, clip, rng)
        rows = _clip_all((1 - step) * held + step * fresh, clip)
        distance = _move(aggregate, rows, clip, relation, rng)
        if distance > worst:
            worst, held = distance, rows
    return worst


def _move(
    aggregate: Aggregate,
    rows: Matrix,
    clip: float,
    relation: Relation,
    rng: np.random.Generator,
) -> float:
    """Return how far the aggregate moves when the first row goes, or becomes another one."""
    before = aggregate(rows)
    if relation is Relation.ADD_OR_REMOVE:
        return float(np.linalg.norm(aggregate(rows[1:]) - before))
    others = [-rows[0], _draw(1, rows.shape[1], clip, rng)[0], np.zeros_like(rows[0])]
    moved = [aggregate(np.vstack([other, rows[1:]])) for other in others]
    return max(float(np.linalg.norm(each - before)) for each in moved)


def _draw(n: int, d: int, clip: float, rng: np.random.Generator) -> Matrix:
    """Return rows on the sphere, some of them alike, some opposite, some short."""
    centre = rng.standard_normal(d)
    spread = float(rng.choice([0.01, 0.3, 3.0]))
    signs = rng.choice([-1.0, 1.0], size=(n, 1), p=[0.2, 0.8])
    rows = signs * centre + spread * rng.standard_normal((n, d))
    lengths = clip * rng.choice([0.01, 0.5, 1.0], size=(n, 1), p=[0.1, 0.1, 0.8])
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True) * lengths)


def _clip_all(rows: Matrix, clip: float) -> Matrix:
    return np.stack([clip_row(row, bound=clip) for row in rows])
