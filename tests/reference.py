"""Naive float64 twins of parity_flwr.core: plain loops that read like the formulas.

They share no code with what they check, take dense matrices, and ignore speed and memory.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def squared_distances(matrix: NDArray[np.generic]) -> Array:
    rows = matrix.astype(np.float64)
    return np.array([[math.fsum((a - b) ** 2) for b in rows] for a in rows]).reshape(
        len(rows), len(rows)
    )


def neighbour_distance(squared: Array, neighbour: int | None) -> list[float]:
    n = len(squared)
    if n < 2:
        return [0.0] * n
    m = min(n // 2 if neighbour is None else neighbour, n - 1)
    others = [sorted(squared[k][j] for j in range(n) if j != k) for k in range(n)]
    return [math.sqrt(each[m - 1]) for each in others]


def median_and_spread(values: Sequence[float], floor: float) -> tuple[float, float]:
    median = statistics.median(values)
    deviation = 1.4826 * statistics.median(abs(v - median) for v in values)
    return median, max(deviation, floor * median, 1e-12)


def penalty(rho: Sequence[float], tau: float, rate: float) -> list[float]:
    return [math.exp(-rate * max(0.0, each - tau)) for each in rho]


def geometric_median(points: Array, weights: Array, steps: int = 20_000) -> Array:
    """Minimise sum_k w_k ||x_k - z|| over z itself, coordinate by coordinate."""
    centre = (weights @ points) / weights.sum()
    for _ in range(steps):
        pull = weights / np.maximum(np.linalg.norm(points - centre, axis=1), 1e-12)
        centre = (pull @ points) / pull.sum()
    return np.asarray(centre)


def weighted_distance(points: Array, weights: Array, centre: Array) -> float:
    """The objective of the geometric median."""
    return math.fsum(w * math.dist(x, centre) for w, x in zip(weights, points, strict=True))


def sigmoid(x: float) -> float:
    return 0.5 * (1.0 + math.tanh(x / 2.0))


def cap_shares(weights: Sequence[float], max_share: float) -> list[float]:
    """Fill to the level t by bisection: sum_k min(cap, t w_k) = sum_k w_k."""
    total, positive = math.fsum(weights), sum(w > 0 for w in weights)
    if not positive:
        return list(weights)
    cap = max(max_share, 1.0 / positive) * total
    low, high = 1.0, total / min(w for w in weights if w > 0)
    for _ in range(300):
        level = (low + high) / 2
        short = math.fsum(min(cap, level * w) for w in weights) < total
        low, high = (level, high) if short else (low, level)
    return [min(cap, high * w) for w in weights]


def selection_chances(worth: Sequence[float], size: int) -> list[float]:
    """Chance of each to be among `size` drawn one by one, over all orders of drawing."""
    chances = [0.0] * len(worth)
    for order in itertools.permutations(range(len(worth)), size):
        chance, rest = 1.0, math.fsum(worth)
        for k in order:
            chance, rest = chance * worth[k] / rest, rest - worth[k]
        for k in order:
            chances[k] += chance
    return chances


def count_sketch(
    row: Sequence[float], buckets: Sequence[int], signs: Sequence[float], size: int
) -> list[float]:
    sketch = [0.0] * size
    for value, bucket, sign in zip(row, buckets, signs, strict=True):
        sketch[bucket] += sign * value
    return sketch
