"""Naive float64 twins of what the neighbour rule measures and remembers.

A memory is not carried from round to round here: it is computed from a client's whole past.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

import reference

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Past:
    """One update of a client, as the memory sees it; the newest is the last of a list."""

    sketch: Array
    balance: float
    kappa: float


def rank_balance(columns: NDArray[np.generic], among: Sequence[bool]) -> list[float]:
    """Compare every row with every peer in every column: O(n^2 c)."""
    n, c = columns.shape
    live = [
        i for i in range(c) if len({float(columns[j, i]) for j in range(n) if among[j]}) > 1
    ]
    balance = []
    for k in range(n):
        peers = [j for j in range(n) if among[j] and j != k]
        signs = [float(np.sign(columns[k, i] - columns[j, i])) for i in live for j in peers]
        balance.append(math.fsum(signs) / len(signs) if signs else 0.0)
    return balance


def cosine(a: Array, b: Array) -> float:
    lengths = math.sqrt(math.fsum(a * a)) * math.sqrt(math.fsum(b * b))
    return math.fsum(a * b) / lengths if lengths > 0 else 0.0


def agreement(vectors: Sequence[Array]) -> float:
    if len(vectors) < 4:
        return 0.0
    medians = [
        statistics.median(cosine(a, b) for j, b in enumerate(vectors) if j != k)
        for k, a in enumerate(vectors)
    ]
    return max(0.0, statistics.median(medians))


def mean_of(past: Sequence[Past], decay: float) -> tuple[Array, float]:
    """sum_i decay^i x_i / sum_i decay^i over the updates of i rounds ago."""
    shares = [decay**i for i in range(len(past))]
    total = math.fsum(shares)
    newest_first = list(reversed(past))
    sketch = sum(s * p.sketch for s, p in zip(shares, newest_first, strict=True)) / total
    balance = math.fsum(s * p.balance for s, p in zip(shares, newest_first, strict=True))
    return np.asarray(sketch), balance / total


def direction_of(past: Sequence[Past], decay: float) -> Array:
    """sum_t r_t x_t prod_{s > t} (1 - r_s) with r_t = (1 - decay) kappa_t."""
    total = np.zeros_like(past[0].sketch)
    for t, each in enumerate(past):
        rate = (1 - decay) * each.kappa
        kept = math.prod(1 - (1 - decay) * later.kappa for later in past[t + 1 :])
        total = total + rate * kept * each.sketch
    return total


def support(directions: Sequence[Array], trust: Sequence[float]) -> list[float]:
    """Sum the others' unit vectors themselves and take the cosine with the sum."""
    units = [d / np.linalg.norm(d) if d.any() else d for d in directions]
    result = []
    for k, direction in enumerate(directions):
        others = [t * u for j, (t, u) in enumerate(zip(trust, units, strict=True)) if j != k]
        result.append(cosine(direction, sum(others, np.zeros_like(direction))))
    return result


def rho(points: Array, among: Sequence[bool]) -> list[float]:
    """The distance to the floor(m/2)-th nearest of the m that count, oneself left out."""
    m = max(1, sum(among) // 2)
    result = []
    for k, point in enumerate(points):
        distances = sorted(
            math.dist(point, other) for j, other in enumerate(points) if among[j] and j != k
        )
        result.append(distances[min(m, len(distances)) - 1] if distances else 0.0)
    return result


def deviation(
    points: Array, weights: Array, working: Sequence[bool], *, spreads: float, floor: float
) -> list[float]:
    """Distances to the geometric median of the points themselves, in spreads."""
    centre = reference.geometric_median(points, weights, steps=3000)
    distances = [math.dist(point, centre) for point in points]
    counted = [d for d, works in zip(distances, working, strict=True) if works]
    median, spread = reference.median_and_spread(counted, floor)
    return [min(1.0, max(0.0, (d - median) / (spreads * spread))) for d in distances]
