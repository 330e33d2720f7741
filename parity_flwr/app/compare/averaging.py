"""Contenders that average: FedAvg, the oracle, FLTrust, and P-5 with P-6 alone."""

from __future__ import annotations

import numpy as np

from parity_flwr.app.compare.contender import (
    Contender,
    Judgement,
    Setting,
    Submissions,
    Values,
    weighted,
)
from parity_flwr.core.config import RobustnessConfig, WeightConfig
from parity_flwr.core.distances import norms, squared_distances
from parity_flwr.core.robustness import neighbour_distance, penalty
from parity_flwr.core.rows import MatrixRows
from parity_flwr.core.weights import cap_examples


def fedavg(setting: Setting) -> Contender:
    """McMahan et al. 2017: the mean, weighted by n_k."""

    def aggregate(submissions: Submissions) -> Judgement:
        return _mean(submissions, submissions.examples.astype(np.float64))

    return aggregate


def oracle(setting: Setting) -> Contender:
    """FedAvg over the honest clients alone: what a perfect detector would reach."""

    def aggregate(submissions: Submissions) -> Judgement:
        return _mean(submissions, submissions.examples * ~setting.attackers.astype(bool))

    return aggregate


def robust_downweighting(setting: Setting) -> Contender:
    """P-5 and P-6 around FedAvg, without reputation: n_k capped, times the penalty."""
    config, weights = RobustnessConfig(), WeightConfig()

    def aggregate(submissions: Submissions) -> Judgement:
        rho = neighbour_distance(squared_distances(MatrixRows(submissions.updates)))
        examples = cap_examples(submissions.examples, factor=weights.examples_factor)
        return _mean(submissions, examples * penalty(rho, config))

    return aggregate


def fltrust(setting: Setting) -> Contender:
    """Cao et al. 2021: every update scaled to the root update and weighted by its cosine."""

    def aggregate(submissions: Submissions) -> Judgement:
        root = submissions.root_update()
        length = float(np.linalg.norm(root))
        lengths = np.maximum(norms(MatrixRows(submissions.updates)), 1e-12)
        along = (submissions.updates @ root).astype(np.float64)
        trust = np.maximum(along / (lengths * max(length, 1e-12)), 0.0)
        return _mean(submissions, trust, scale=length / lengths)

    return aggregate


def _mean(submissions: Submissions, weights: Values, scale: Values | None = None) -> Judgement:
    """Return the weighted mean of the (rescaled) updates; no weight, no change."""
    total = float(weights.sum())
    shares = weights / total if total > 0 else np.zeros(len(weights))
    return Judgement(weighted(submissions, shares if scale is None else shares * scale))
