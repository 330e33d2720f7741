"""Contenders from the literature that see one round at a time.

Thin adapters: each rule is a function of the matrix and of the assumed f.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from parity_flwr.app.compare.contender import (
    Contender,
    Judgement,
    Recipe,
    Setting,
    Submissions,
    Values,
)
from parity_flwr.app.compare.scene import Matrix
from parity_flwr.core.centre import geometric_median
from parity_flwr.core.distances import squared_distances
from parity_flwr.core.rows import MatrixRows

MatrixRule = Callable[[Matrix, int], Matrix]
"""(updates of shape (n, d), assumed f) -> change of shape (d,)."""

CLIPPING_STEPS = 3


def krum(updates: Matrix, f: int) -> Matrix:
    """Blanchard et al. 2017: the update with the closest n - f - 2 neighbours."""
    return np.asarray(updates[int(np.argmin(_krum_scores(updates, f)))])


def multi_krum(updates: Matrix, f: int) -> Matrix:
    """Blanchard et al. 2017: the mean of the n - f updates with the best Krum scores."""
    best = np.argsort(_krum_scores(updates, f), kind="stable")[: len(updates) - f]
    return np.asarray(updates[best].mean(axis=0))


def median(updates: Matrix, f: int) -> Matrix:
    """Yin et al. 2018: the median of each coordinate."""
    return np.asarray(np.median(updates, axis=0))


def trimmed_mean(updates: Matrix, f: int) -> Matrix:
    """Yin et al. 2018: the mean of each coordinate without its f largest and smallest."""
    kept = min(f, (len(updates) - 1) // 2)
    ordered = np.sort(updates, axis=0)
    return np.asarray(ordered[kept : len(updates) - kept].mean(axis=0))


def geometric(updates: Matrix, f: int) -> Matrix:
    """Pillutla et al. 2019: the point with the least sum of distances."""
    squared = squared_distances(MatrixRows(updates))
    coefficients, _ = geometric_median(squared, np.ones(len(updates)))
    return np.asarray(coefficients.astype(np.float32) @ updates)


def nnm_trimmed_mean(updates: Matrix, f: int) -> Matrix:
    """Allouah et al. 2023: each update becomes its n - f nearest ones' mean; then trim."""
    squared = squared_distances(MatrixRows(updates))
    near = np.argsort(squared, axis=1, kind="stable")[:, : len(updates) - f]
    mixing = np.zeros(squared.shape, np.float32)
    np.put_along_axis(mixing, near, np.float32(1 / near.shape[1]), axis=1)
    return trimmed_mean(mixing @ updates, f)


class CentredClipping:
    """Karimireddy et al. 2021: clip towards the last round's aggregate, in three steps.

    The radius is the round's median distance to that centre: the paper tunes it by hand.
    """

    def __init__(self) -> None:
        self._centre: Matrix | None = None

    def __call__(self, submissions: Submissions, /) -> Judgement:
        """Aggregate one round."""
        updates = submissions.updates
        centre = np.zeros(updates.shape[1], np.float32)
        centre = centre if self._centre is None else self._centre
        for _ in range(CLIPPING_STEPS):
            apart = updates - centre
            lengths = np.linalg.norm(apart, axis=1)
            factors = np.minimum(1.0, np.median(lengths) / np.maximum(lengths, 1e-12))
            centre = centre + factors.astype(np.float32) @ apart / np.float32(len(updates))
        self._centre = centre
        return Judgement(centre)


def centred_clipping(setting: Setting) -> Contender:
    """Return centred clipping for one run."""
    return CentredClipping()


def single_shot(rule: MatrixRule) -> Recipe:
    """Return the recipe of a contender that applies the rule to each round."""
    return partial(_contender, rule)


def _contender(rule: MatrixRule, setting: Setting) -> Contender:
    def aggregate(submissions: Submissions) -> Judgement:
        change = rule(submissions.updates, setting.assumed)
        return Judgement(np.asarray(change, np.float32))

    return aggregate


def _krum_scores(updates: Matrix, f: int) -> Values:
    squared = squared_distances(MatrixRows(updates))
    neighbours = max(1, len(updates) - f - 2)
    return np.asarray(np.sort(squared, axis=1)[:, 1 : 1 + neighbours].sum(axis=1))
