"""Contenders that average: FedAvg, the oracle, and P-5 with P-6 alone."""

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
from parity_flwr.core.distances import squared_distances
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
        return _mean(submissions, np.where(setting.attackers, 0.0, submissions.examples))

    return aggregate


def robust_downweighting(setting: Setting) -> Contender:
    """P-5 and P-6 around FedAvg, without reputation: n_k capped, times the penalty."""
    config, weights = RobustnessConfig(), WeightConfig()

    def aggregate(submissions: Submissions) -> Judgement:
        rho = neighbour_distance(squared_distances(MatrixRows(submissions.updates)))
        examples = cap_examples(submissions.examples, factor=weights.examples_factor)
        return _mean(submissions, examples * penalty(rho, config))

    return aggregate


def _mean(submissions: Submissions, weights: Values) -> Judgement:
    """Return the weighted mean of the updates; no weight, no change."""
    total = float(weights.sum())
    shares = weights / total if total > 0 else np.zeros(len(weights))
    return Judgement(weighted(submissions, shares))
