"""Naive float64 twins of parity_flwr.core.rules: loops that read like the papers.

They share no code with what they check, take dense matrices, and ignore speed and memory.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
Twin = Callable[[Matrix, Sequence[float]], Matrix]


def mean(points: Matrix, weights: Sequence[float]) -> Matrix:
    total = math.fsum(weights)
    return np.array([math.fsum(w * x for w, x in zip(weights, column, strict=True)) / total
                     for column in points.T])  # fmt: skip


def coordinate_median(points: Matrix, weights: Sequence[float]) -> Matrix:
    return np.array([statistics.median(column.tolist()) for column in points.T])


def trimmed_mean(points: Matrix, weights: Sequence[float], *, f: int) -> Matrix:
    n = len(points)
    return np.array([statistics.fmean(sorted(column)[f : n - f]) for column in points.T])


def krum_score(points: Matrix, k: int, f: int) -> float:
    others = sorted(float(((points[k] - x) ** 2).sum()) for j, x in enumerate(points) if j != k)
    return math.fsum(others[: max(len(points) - f - 2, 1)])


def by_krum(points: Matrix, f: int) -> list[int]:
    def key(k: int) -> tuple[float, float]:
        return krum_score(points, k, f), float(((points - points[k]) ** 2).sum())

    return sorted(range(len(points)), key=key)


def krum(points: Matrix, weights: Sequence[float], *, f: int) -> Matrix:
    return np.asarray(points[by_krum(points, f)[0]])


def multi_krum(points: Matrix, weights: Sequence[float], *, f: int) -> Matrix:
    chosen = by_krum(points, f)[: len(points) - f]
    return mean(points[chosen], [weights[k] for k in chosen])


def nearest_neighbour_mixing(points: Matrix, *, f: int) -> Matrix:
    mixed = []
    for x in points:
        order = sorted(range(len(points)), key=lambda j: float(((points[j] - x) ** 2).sum()))
        mixed.append(points[order[: len(points) - f]].mean(axis=0))
    return np.array(mixed)


def bulyan(points: Matrix, weights: Sequence[float], *, f: int) -> Matrix:
    left, chosen = list(range(len(points))), list[int]()
    while len(chosen) < len(points) - 2 * f:
        chosen.append(left.pop(by_krum(points[left], f)[0]))
    result = []
    for column in points[chosen].T:
        middle = statistics.median(column.tolist())
        nearest = sorted(column.tolist(), key=lambda v: abs(v - middle))
        result.append(statistics.fmean(nearest[: len(points) - 4 * f]))
    return np.array(result)


def centred_clipping(
    points: Matrix, weights: Sequence[float], *, radius: float, steps: int
) -> Matrix:
    total = math.fsum(weights)
    costs = [_cost_of_nearest_half(x, points, weights) for x in points]
    centre = points[costs.index(min(costs))].copy()
    for _ in range(steps):
        pulls = [
            w / total * (x - centre) * min(1.0, radius / max(math.dist(x, centre), 1e-300))
            for w, x in zip(weights, points, strict=True)
        ]
        centre = centre + np.sum(pulls, axis=0)
    return np.asarray(centre)


def _cost_of_nearest_half(x: Matrix, points: Matrix, weights: Sequence[float]) -> float:
    cost, reached = 0.0, 0.0
    for distance, w in sorted(
        (math.dist(x, y), w) for y, w in zip(points, weights, strict=True)
    ):
        if reached >= 0.5 * math.fsum(weights):
            break
        cost, reached = cost + w * distance, reached + w
    return cost


def norm_clipping(points: Matrix, weights: Sequence[float]) -> Matrix:
    lengths = [math.hypot(*x) for x in points]
    bound = statistics.median(lengths)
    cut = [x * min(1.0, bound / length) if length else x
           for x, length in zip(points, lengths, strict=True)]  # fmt: skip
    return mean(np.array(cut), weights)


def fltrust(points: Matrix, weights: Sequence[float]) -> Matrix:
    root, clients = points[-1], points[:-1]
    size = math.hypot(*root)
    top, total = np.zeros(points.shape[1]), 0.0
    for w, x in zip(weights, clients, strict=False):
        length = math.hypot(*x)
        if length and size:
            trust = w * max(0.0, float(x @ root) / (length * size))
            top, total = top + trust * size / length * x, total + trust
    return top / total if total else top
