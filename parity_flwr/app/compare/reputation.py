"""The product's own path on a matrix: measure, decide, weigh (nothing is done twice here)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from parity_flwr.app.compare.contender import (
    Contender,
    Judgement,
    Setting,
    Submissions,
    Values,
    weighted,
)
from parity_flwr.core.config import Design, GateConfig, RobustnessConfig, TrustConfig
from parity_flwr.core.measure import Figures, Rule
from parity_flwr.core.modes import Mode, trust_config
from parity_flwr.core.recollection import Memory
from parity_flwr.core.records import (
    ReplyFacts,
    ReputationState,
    RoundDecision,
    RoundFacts,
    Verdict,
)
from parity_flwr.core.reputation import is_excluded, standing_of
from parity_flwr.core.response_root import remember_root
from parity_flwr.core.response_rule import rule_for
from parity_flwr.core.rounds import decide
from parity_flwr.core.rows import MatrixRows
from parity_flwr.core.shares import client_alpha
from parity_flwr.strategies.bookkeeping import sketch_seed


def reputation(setting: Setting) -> Contender:
    """Return the default strategy: ``ReputationFedAvg`` with its default configuration."""
    return Reputable(setting, trust_config(Mode.ROBUST))


def neighbour(setting: Setting) -> Contender:
    """Return the earlier default, which judges by distances and excludes honest minorities."""
    return Reputable(setting, TrustConfig(robustness=RobustnessConfig(design=Design.NEIGHBOUR)))


def inclusive(setting: Setting) -> Contender:
    """Return the default strategy in inclusive mode, which spares honest minorities."""
    return Reputable(setting, trust_config(Mode.INCLUSIVE))


def paper(setting: Setting) -> Contender:
    """Return the paper's equations as printed, without any repair of ours."""
    return Reputable(setting, trust_config(Mode.PAPER))


def reputation_root(setting: Setting) -> Contender:
    """Return the default strategy with the update of the server's root examples."""
    return Rooted(setting, trust_config(Mode.ROBUST))


class Reputable:
    """Reputation over the rounds of one run.

    Parameters
    ----------
    setting : Setting
        Who takes part.
    config : TrustConfig
        Every constant.
    rule : Rule, optional
        What measures; by default the one that the strategies use.
    """

    def __init__(
        self, setting: Setting, config: TrustConfig, *, rule: Rule | None = None
    ) -> None:
        self.config = config
        self.state = ReputationState()
        self.last: tuple[RoundFacts, RoundDecision] | None = None  # as a journal keeps them
        self._rule = rule or rule_for(config.robustness)
        self._memory: Memory = {}
        self._secret = sketch_seed(setting.seed)
        # client-10 comes before client-2: rows follow the clients, facts the sorted names
        self._names = [f"client-{k}" for k in range(setting.clients)]

    def __call__(self, submissions: Submissions, /) -> Judgement:
        """Aggregate one round and let reputation move."""
        passed = _passes(submissions, self.config.gate)
        accepted = sorted(np.flatnonzero(passed).tolist(), key=lambda k: self._names[k])
        measured = self._measure(submissions, accepted) if accepted else []
        figures = dict(zip(accepted, measured, strict=True))
        order = sorted(range(len(self._names)), key=lambda k: self._names[k])
        replies = tuple(self._facts(k, submissions, figures.get(k)) for k in order)
        facts = RoundFacts(round=submissions.round, replies=replies)
        self.state, decision = decide(self.state, facts, self.config)
        self.last = facts, decision
        weights = np.zeros(len(order))
        weights[order] = [reply.weight for reply in decision.replies]
        return self._judge(submissions, weights)

    def _measure(self, submissions: Submissions, accepted: list[int]) -> list[Figures]:
        names = [self._names[k] for k in accepted]
        standings = [standing_of(self.state, name, self.config.reputation) for name in names]
        trust = [client_alpha(each, self.state, self.config) for each in standings]
        figures, self._memory = self._rule.measure(
            MatrixRows(submissions.updates[accepted]),
            identities=names,
            trust=np.array(trust),
            memory=self._memory,
            secret=self._secret,
            applied=np.array([each.applied for each in standings]),
        )
        return figures

    def _facts(
        self, client: int, submissions: Submissions, figures: Figures | None
    ) -> ReplyFacts:
        name = self._names[client]
        if figures is None:
            return ReplyFacts(identity=name, verdict=Verdict.QUARANTINED, reason="gate")
        return ReplyFacts(
            identity=name,
            verdict=Verdict.ACCEPTED,
            num_examples=int(submissions.examples[client]),
            norm=figures.norm,
            rho=figures.rho,
            deviation=figures.deviation,
            figures=dict(figures.extra),
        )

    def _judge(self, submissions: Submissions, weights: Values) -> Judgement:
        standings = [self.state.standings[name] for name in self._names]
        config = self.config.reputation
        return Judgement(
            weighted(submissions, weights),
            reputation=np.array([each.composite for each in standings]),
            excluded=np.array([is_excluded(each, config) for each in standings]),
            shares=weights,
        )


class Rooted(Reputable):
    """Reputation that is given the update of the server's root examples."""

    def __call__(self, submissions: Submissions, /) -> Judgement:
        """Remember the root update, then do as without."""
        self._memory = remember_root(
            self._memory,
            MatrixRows(submissions.root_update()[None]),
            secret=self._secret,
            config=self.config.robustness,
        )
        return super().__call__(submissions)


def _passes(submissions: Submissions, config: GateConfig) -> NDArray[np.bool_]:
    """Return whose update and n_k the gate lets through."""
    largest = np.abs(submissions.updates).max(axis=1)
    counts = submissions.examples
    countable = (counts >= 1) & (counts <= config.max_examples)
    return np.asarray((largest <= config.max_magnitude) & countable, np.bool_)
