"""The contender that sees group means only: subgroup secure aggregation."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from parity_flwr.app.compare.contender import (
    Contender,
    Judgement,
    Setting,
    Submissions,
    Values,
)
from parity_flwr.core.rows import MatrixRows
from parity_flwr.core.secagg.regrouping import (
    GroupConfig,
    draw_groups,
    group_seed,
    group_weights,
    observe,
    settling,
    trust_of,
)
from parity_flwr.strategies.bookkeeping import sketch_seed
from parity_flwr.strategies.secure_groups import combine_groups


def secagg_groups(setting: Setting) -> Contender:
    """Return ``SubgroupSecureAggregation`` with its defaults, on exact group means."""
    return Grouped(setting, GroupConfig())


class Grouped:
    """Groups, their means, a robust rule across them, and what is remembered of members.

    All clients count alike, as where n_k stays secret.
    """

    def __init__(self, setting: Setting, config: GroupConfig) -> None:
        self.config = config
        self.memory: Mapping[str, Values] = {}
        self._secret = sketch_seed(setting.seed)
        self._rows = {f"client-{k}": k for k in range(setting.clients)}

    def __call__(self, submissions: Submissions, /) -> Judgement:
        """Aggregate one round."""
        seed = group_seed(self._secret, submissions.round)
        names = list(self._rows)
        groups = draw_groups(names, memory=self.memory, config=self.config, seed=seed)
        members = [[self._rows[name] for name in group] for group in groups]
        means = np.stack([submissions.updates[rows].mean(axis=0) for rows in members])
        rows = MatrixRows(np.asarray(means, np.float32))
        self.memory = observe(groups, rows, memory=self.memory, config=self.config)
        trust = trust_of(names, self.memory, self.config)
        weights = group_weights(groups, trust)
        change = combine_groups(rows, weights)
        if settling(rows, weights, memory=self.memory, config=self.config):
            change = np.zeros_like(change)
        alignment = np.array(
            [self.memory[name][0] if name in self.memory else 1.0 for name in names]
        )
        doubted = np.array([trust[name] for name in names])
        return Judgement(
            change,
            reputation=1000.0 * doubted + np.clip(alignment, -1, 1),
            excluded=doubted <= 0.0,
        )
