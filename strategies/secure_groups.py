"""Robustness under encryption: secure sums in random groups, a robust rule across them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import ClassVar, Unpack

import numpy as np
from flwr.serverapp.strategy import Strategy
from numpy.typing import NDArray

from parity_flwr.core.privacy.combinations import Combination, Hiding, Rule
from parity_flwr.core.records import ReplyFacts, Verdict
from parity_flwr.core.rows import MatrixRows, Rows
from parity_flwr.core.rules import AggregationRule, GeometricMedian
from parity_flwr.core.secagg.regrouping import (
    GroupConfig,
    draw_groups,
    group_seed,
    group_weights,
    observe,
    settling,
    trust_of,
)
from parity_flwr.core.secagg.update import MeanUpdate
from parity_flwr.errors import ConfigError
from parity_flwr.strategies.options import SeededOptions
from parity_flwr.strategies.secure_aggregation import Judged, SecureAggregation
from parity_flwr.strategies.secure_config import SecureSetup
from parity_flwr.strategies.secure_round import SecureRound

Values = NDArray[np.float64]


class SubgroupSecureAggregation(SecureAggregation):
    """Sum in random groups, so that a group that lies can be told from the others.

    Every round the clients are divided anew; each group's sum is secure, and a robust rule
    combines the groups' mean updates. What the server learns are these means: of ``size``
    clients each instead of all. Since groups change, a regression over rounds tells who
    makes groups bad (:mod:`parity_flwr.core.secagg.regrouping`); groups with such a member
    lose weight, suspects are grouped together, and their quality falls, which moves their
    reputation. The division follows from the run's secret seed, which the journal commits
    to before round 1 and reveals at the end; each client's group is in the round's facts.

    Clients need nothing more than for :class:`SecureAggregation`; their least number of
    survivors must not be above the groups' quorum.

    Parameters
    ----------
    inner, setup, **options
        As for :class:`SecureAggregation`.
    groups : GroupConfig, optional
        Size and constants.
    rule : AggregationRule, optional
        Across the groups' means; by default the geometric median.

    Examples
    --------
    >>> SubgroupSecureAggregation(journal=None).groups.size
    4
    """

    combination: ClassVar[Combination] = Combination(
        rule=Rule.ROBUST, hiding=Hiding.SECAGG, reputation=True, subgroups=True
    )

    def __init__(
        self,
        inner: Strategy | None = None,
        *,
        groups: GroupConfig | None = None,
        rule: AggregationRule | None = None,
        setup: SecureSetup | None = None,
        **options: Unpack[SeededOptions],
    ) -> None:
        super().__init__(inner, setup=setup, **options)
        self.groups = groups or GroupConfig()
        self.rule = rule or GeometricMedian()

    def _groups(self, round: int, chosen: Sequence[str]) -> list[list[str]]:
        """Divide the chosen clients."""
        seed = group_seed(self.book.secret, round)
        return draw_groups(chosen, memory=self.book.memory, config=self.groups, seed=seed)

    def _judge(self, current: SecureRound) -> Judged:
        """Combine the groups' means, and let what they say of members be remembered."""
        found = [
            (group.members, group.mean)
            for group in current.means()
            if isinstance(group.mean, MeanUpdate)
        ]
        memory = dict(self.book.memory)
        if not found:
            reasons = {str(group.mean) for group in current.means()}
            return Judged(current.facts(), "; ".join(sorted(reasons)), memory)
        members = [each for each, _ in found]
        names = [name for group in members for name in group]
        means = MatrixRows(np.stack([mean.update for _, mean in found]).astype(np.float32))
        memory = observe(members, means, memory=memory, config=self.groups)
        after = trust_of(names, memory, self.groups)
        facts = tuple(_with_quality(fact, after) for fact in current.facts())
        weights = group_weights(members, after)
        if settling(means, weights, memory=memory, config=self.groups):
            return Judged(facts, "the groups contradict each other: measured first", memory)
        mean = self._combined(found, means, weights)
        return Judged(facts, mean, memory)

    def _combined(
        self,
        found: Sequence[tuple[tuple[str, ...], MeanUpdate]],
        means: Rows,
        weights: Values,
    ) -> MeanUpdate | str:
        if weights.sum() <= 0:
            return "no group can be trusted"
        try:
            update = combine_groups(means, weights, rule=self.rule)
        except ConfigError as error:  # the rule needs more groups than came
            return str(error)
        return MeanUpdate(
            update.astype(np.float64),
            sum(mean.weight for _, mean in found),
            sum(mean.clipped for _, mean in found),
        )


def combine_groups(
    means: Rows, weights: Values, *, rule: AggregationRule | None = None
) -> NDArray[np.float32]:
    """Return the rule's aggregate of the groups that have weight; none has, no change."""
    if weights.sum() <= 0:
        return np.zeros(means.d, np.float32)
    return (rule or GeometricMedian()).aggregate(means, weights=weights)


def _with_quality(fact: ReplyFacts, trust: Mapping[str, float]) -> ReplyFacts:
    """Return the fact with the client's trust as its quality (P-4, P-9)."""
    if fact.verdict is not Verdict.ACCEPTED or fact.identity not in trust:
        return fact
    return replace(fact, quality=trust[fact.identity])
