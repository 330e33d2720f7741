"""Federated random forests: bagging by reputation, with trees that validators have judged."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Unpack

import numpy as np
from flwr.app import ArrayRecord, Message, MetricRecord
from numpy.typing import NDArray

from parity_flwr.core.config import TrustConfig
from parity_flwr.core.forest import (
    BaggingConfig,
    Forest,
    ForestLimits,
    ForestSchema,
    choose_trees,
    decode_forest,
    encode_forest,
)
from parity_flwr.core.records import (
    ReplyFacts,
    ReputationState,
    RoundDecision,
    RoundFacts,
    RoundStatus,
    Verdict,
)
from parity_flwr.core.reputation import is_excluded, standing_of
from parity_flwr.core.rounds import decide
from parity_flwr.core.selection import select
from parity_flwr.errors import ConfigError
from parity_flwr.strategies.arrays import write_arrays
from parity_flwr.strategies.exchange import Exchange
from parity_flwr.strategies.facts import reply_facts
from parity_flwr.strategies.forest_gate import ForestGate
from parity_flwr.strategies.gate import Arrays
from parity_flwr.strategies.intake import Answer
from parity_flwr.strategies.options import RunOptions, adapted
from parity_flwr.strategies.reputation import Reputation, Settled
from parity_flwr.strategies.settlement import Outcome
from parity_flwr.strategies.tree_round import TreeRound
from parity_flwr.strategies.tree_scores import TreeJury
from parity_flwr.strategies.tree_union import TreeUnion

_JUDGE = 4  # the jury's own random stream


class ForestBagging(Reputation):
    """Bag the trees of many clients by reputation (P-2 to P-12), within a budget.

    In every round clients grow new trees. The gate refuses what is no forest; trees that
    copy others are set aside; a jury of clients scores the rest on its own data, and the
    weighted median of its words is a tree's loss, so that lying validators with less than
    half of the weight cannot help anybody. The mean loss of a client's trees takes the place
    of the distance of P-5 and P-6: it decides the weight and, over the rounds, reputation.
    Each client then places as many trees of the budget as its weight gives it, its best
    ones first, and trees far worse than the others are left out.

    Parameters
    ----------
    schema : ForestSchema
        Features and classes, the same as the clients'.
    bagging : BaggingConfig, optional
        Budget, and when a tree counts as poisoned.
    limits : ForestLimits, optional
        How large one reply may be; by default 1000 trees and 5 million nodes.
    jury : int, optional
        How many clients score trees, drawn by reputation; by default up to 20.
    jury_timeout_s : float
        Seconds to wait for their words.
    **options
        See :class:`parity_flwr.strategies.options.RunOptions`.

    Examples
    --------
    >>> strategy = ForestBagging(ForestSchema(4, ("no", "yes")), journal=None)
    >>> len(strategy.initial_arrays()), strategy.bagging.budget
    (13, 100)
    """

    def __init__(
        self,
        schema: ForestSchema,
        *,
        bagging: BaggingConfig | None = None,
        limits: ForestLimits | None = None,
        jury: int = 20,
        jury_timeout_s: float = 600.0,
        **options: Unpack[RunOptions],
    ) -> None:
        if jury < 1:
            raise ConfigError("jury needs at least 1 client", came=str(jury), action="raise it")
        self.bagging = bagging or BaggingConfig()
        super().__init__(
            TreeUnion(budget=self.bagging.budget),
            **adapted(options, TrustConfig.judging_by_distance),
        )
        self.schema = schema
        self.limits = limits or ForestLimits(trees=1000, nodes=5_000_000)
        self.jury = jury
        self.jury_timeout_s = jury_timeout_s
        self._round: TreeRound | None = None

    @property
    def _union(self) -> TreeUnion:
        """The inner strategy, which carries what must survive a crash."""
        assert isinstance(self._inner, TreeUnion)  # noqa: S101 - made in __init__
        return self._inner

    @property
    def trees_of(self) -> dict[str, list[int]]:
        """Which trees of the present forest each identity grew."""
        owned = self._union.owned or {}
        return {name: mine.tolist() for name, mine in owned.items()}

    def initial_arrays(self) -> ArrayRecord:
        """Return the forest without trees that a run starts from."""
        return write_arrays(encode_forest(Forest.of(self.schema, [])))

    def _collect(self, exchange: Exchange, replies: Iterable[Message]) -> list[Answer]:
        gate = ForestGate(
            exchange.base,
            weight_key=self._weight_key,
            config=self.config.gate,
            schema=self.schema,
            limits=self.limits,
        )
        return exchange.collect(
            replies, gate=gate, roster=self._roster, state=self.state, run_id=self.book.run_id
        )

    def _gather(
        self, exchange: Exchange, answers: Sequence[Answer]
    ) -> tuple[tuple[ReplyFacts, ...], dict[str, NDArray[np.float64]]]:
        """Mark copies, let the jury speak, and write down what that says of each client."""
        fresh = {
            each.asked.identity: self._forest(each.passed.arrays)
            for each in answers
            if each.passed and each.verdict is Verdict.ACCEPTED
        }
        reputation = self._reputation({*fresh, *self._roster_names(exchange)})
        current = self._forest(exchange.base)
        round_ = TreeRound.of(
            current, self._owners(len(current)), self._losses(len(current)), fresh, reputation
        )
        reports = self._draw(exchange).hear(round_.forest.chosen(round_.asked))
        self._round = round_.judged(reports, reputation)
        figures = self._round.figures(sorted(fresh))
        names = [each.asked.identity for each in answers]
        return tuple(
            reply_facts(answer, figures.get(name), self._round.quality.get(name))
            for name, answer in zip(names, answers, strict=True)
        ), {}

    def _settle(
        self, exchange: Exchange, answers: Sequence[Answer], facts: RoundFacts
    ) -> Settled:
        """Decide about the round and choose the trees of the next forest."""
        state, decision = decide(self.state, facts, self.config)
        round_, self._round = self._round, None
        stays = Outcome(exchange.base, exchange.record)
        if decision.status is RoundStatus.REJECTED or round_ is None:
            return Settled(facts, state, decision, stays)
        weights = self._weights(round_, decision, state)
        bad = round_.poisoned(weights, self.bagging)
        chosen = choose_trees(
            round_.owners, round_.losses, round_.copied | bad, weights, self.bagging
        )
        if not chosen:
            stays = Outcome(exchange.base, exchange.record, note="no tree was left")
            return Settled(facts, state, decision, stays)
        self._keep(round_, chosen, weights)
        model = encode_forest(round_.forest.chosen(chosen))
        metrics = MetricRecord(
            {
                "trees": len(chosen),
                "trees-copied": int(round_.copied.sum()),
                "trees-poisoned": int((bad & ~round_.copied).sum()),
                **_out_of_bag(answers, weights),
            }
        )
        return Settled(facts, state, decision, Outcome(model, write_arrays(model), metrics))

    def _forest(self, arrays: Arrays) -> Forest:
        return decode_forest(arrays, schema=self.schema)

    def _roster_names(self, exchange: Exchange) -> list[str]:
        return list(self._roster.connected(sorted(exchange.grid.get_node_ids())))

    def _reputation(self, names: Iterable[str]) -> dict[str, float]:
        """Return composite scores, 0 for those without weight (P-3)."""
        rules = self.config.reputation
        standings = {name: standing_of(self.state, name, rules) for name in sorted(names)}
        return {
            name: 0.0 if is_excluded(each, rules) else each.composite
            for name, each in standings.items()
        }

    def _draw(self, exchange: Exchange) -> TreeJury:
        """Draw the jury in proportion to reputation from those that have weight."""
        connected = self._roster.connected(sorted(exchange.grid.get_node_ids()))
        scores = {name: s for name, s in self._reputation(connected).items() if s > 0}
        drawn = select(
            list(scores),
            list(scores.values()),
            size=min(self.jury, len(scores)),
            floor=0.0,
            rng=self._rng(exchange.round, _JUDGE),
        )
        return TreeJury(
            members={name: connected[name] for name in drawn},
            grid=exchange.grid,
            run_id=self.book.run_id,
            round=exchange.round,
            timeout_s=self.jury_timeout_s,
        )

    def _weights(
        self, round_: TreeRound, decision: RoundDecision, state: ReputationState
    ) -> dict[str, float]:
        """Return each owner's share: this round's, or the last one of who was not asked."""
        weights = {each.identity: each.weight for each in decision.replies}
        for owner in sorted(set(round_.owners[: round_.kept]) - set(weights)):
            standing = standing_of(state, owner, self.config.reputation)
            last = (self._union.shares or {}).get(owner)
            if last is not None and not is_excluded(standing, self.config.reputation):
                weights[owner] = float(last[0])
        return weights

    def _owners(self, trees: int) -> list[str]:
        owners = [""] * trees
        for name, mine in (self._union.owned or {}).items():
            for k in mine.tolist():
                owners[k] = name
        return owners

    def _losses(self, trees: int) -> NDArray[np.float64]:
        known = self._union.losses
        return np.full(trees, np.nan) if known is None or len(known) != trees else known

    def _keep(
        self, round_: TreeRound, chosen: Sequence[int], weights: Mapping[str, float]
    ) -> None:
        """Remember whose trees the forest holds; the journal's checkpoint has it."""
        owners = [round_.owners[k] for k in chosen]
        names = sorted(set(owners))
        self._union.owned = {
            name: np.array([k for k, owner in enumerate(owners) if owner == name], np.int64)
            for name in names
        }
        self._union.losses = round_.losses[list(chosen)]
        self._union.shares = {name: np.array([weights.get(name, 0.0)]) for name in names}


def _out_of_bag(answers: Sequence[Answer], weights: Mapping[str, float]) -> dict[str, float]:
    """Return the weighted mean of what clients say of their own trees, if they say it."""
    told = [
        (float(value), weights.get(each.asked.identity, 0.0))
        for each in answers
        if each.passed and isinstance(value := each.passed.metrics.get("oob-score"), float)
    ]
    total = math.fsum(weight for _, weight in told)
    if total <= 0:
        return {}
    return {"oob-score": math.fsum(value * weight for value, weight in told) / total}
