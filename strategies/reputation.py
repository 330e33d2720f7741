"""Reputation around any Flower strategy, and reputation-enhanced FedAvg (Algorithm 1)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from logging import INFO

import numpy as np
from flwr.app import ArrayRecord, ConfigRecord, Message, MetricRecord
from flwr.common import log
from flwr.serverapp import Grid
from flwr.serverapp.strategy import Strategy
from numpy.typing import NDArray

from parity_flwr.core.config import TrustConfig
from parity_flwr.core.encoding import model_hash
from parity_flwr.core.measure import Rule
from parity_flwr.core.protocols import Journal
from parity_flwr.core.records import (
    ReplyFacts,
    ReputationState,
    RoundDecision,
    RoundFacts,
    RoundRecord,
    Verdict,
)
from parity_flwr.core.response_rule import rule_for
from parity_flwr.core.rounds import apply_actions, decide
from parity_flwr.strategies.bookkeeping import AUTOMATIC, Automatic, Bookkeeper, plain_metrics
from parity_flwr.strategies.evaluating import Evaluating
from parity_flwr.strategies.exchange import Exchange, ask, name_round
from parity_flwr.strategies.facts import (
    Measuring,
    Qualities,
    ScoreFunction,
    gather_facts,
    score_updates,
)
from parity_flwr.strategies.gate import Gate
from parity_flwr.strategies.identity import IdentitySource, Roster
from parity_flwr.strategies.inner import pin, setting
from parity_flwr.strategies.inner_state import save_state
from parity_flwr.strategies.intake import Answer
from parity_flwr.strategies.logs import log_round
from parity_flwr.strategies.sampling import (
    Sampling,
    choose_trainers,
)
from parity_flwr.strategies.settlement import Outcome, settle_round

_TRAIN = 1  # this phase's own random stream


@dataclass(frozen=True)
class Settled:
    """A round's facts, what was decided about them, and the model that came of it."""

    facts: RoundFacts
    state: ReputationState
    decision: RoundDecision
    outcome: Outcome


class Reputation(Evaluating):
    """Let reputation decide whom a strategy listens to, and how much (Algorithm 1).

    Every reply passes the gate, is measured against the others of its round, and gets a
    weight c_k from its client's reputation, its quality and its size (P-2 to P-6). The inner
    strategy aggregates copies of the accepted replies whose n_k is c_k times the total, so a
    server optimiser (FedAdam, FedAvgM) stays in force; then reputation moves (P-7 to P-12)
    and the round goes to the journal.

    Parameters
    ----------
    inner : Strategy
        Any Message-API strategy. It is copied, never changed; its fractions and minimums
        become the ``sampling`` unless that is given.
    config : TrustConfig, optional
        Every constant of the protocol.
    seed : int, optional
        Makes selection and the update sketches repeatable. Keep it on the server.
    sampling : Sampling, optional
        How many nodes each phase asks, and how long to wait for them.
    journal : Journal or None
        Where rounds are written; by default ``$PARITY_RUN_DIR`` or a new run under
        ``$PARITY_HOME``; None for nowhere.
    identity : IdentitySource, optional
        How nodes become identities; by default registered keys in a deployment, reported
        partitions in a simulation.
    rule : Rule, optional
        What measures the updates (extension point); by default the configured design's.
    score : ScoreFunction, optional
        Scores each client's model on data the server holds (extension point).
    carried : ReputationState, optional
        Reputation from an earlier run.

    Examples
    --------
    >>> from flwr.serverapp.strategy import FedAdam
    >>> strategy = Reputation(FedAdam(fraction_evaluate=0.5), seed=7, journal=None)
    >>> strategy.sampling.fraction_evaluate
    0.5
    """

    def __init__(
        self,
        inner: Strategy,
        *,
        config: TrustConfig | None = None,
        seed: int | None = None,
        sampling: Sampling | None = None,
        journal: Journal | Automatic | None = AUTOMATIC,
        identity: IdentitySource | None = None,
        rule: Rule | None = None,
        score: ScoreFunction | None = None,
        carried: ReputationState | None = None,
    ) -> None:
        self.config = config or TrustConfig()
        self.seed = seed
        self.rule = rule or rule_for(self.config.robustness)
        self.score = score
        self._exchange: Exchange | None = None
        book = Bookkeeper(self.config, seed=seed, carried=carried)
        super().__init__(
            book,
            inner=pin(inner),
            journal=journal,
            sampling=sampling or Sampling.of(inner),
            roster=Roster(identity),
        )

    def summary(self) -> None:
        """Log the configuration."""
        log(INFO, "\t├──> Reputation around %s:", type(self._inner).__name__)
        log(INFO, "\t│\t├── %s", self.sampling)
        log(INFO, "\t│\t└── Excluded below: %g", self.config.reputation.exclusion_threshold)
        self._inner.summary()

    def configure_train(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """Select nodes in proportion to reputation and broadcast the model (lines 3, 4)."""
        self.begin(arrays, grid)
        self._exchange = None
        connected = self._connected(grid)
        size = self.sampling.train_size(len(connected))
        if size == 0:
            return []
        round_ = server_round + self.offset
        actions = self.book.journal.actions() if self.book.journal else ()
        chosen = choose_trainers(
            apply_actions(self.state, actions, self.config),
            connected,
            size=size,
            config=self.config,
            rng=self._rng(round_, _TRAIN),
        )
        self._exchange = ask(
            self._inner,
            grid,
            round=round_,
            arrays=arrays,
            config=name_round(config, round_, self.book.run_id),
            nodes={name: connected[name] for name in chosen},
            actions=actions,
        )
        log(INFO, "configure_train: %d of %d nodes", len(chosen), len(connected))
        return self._exchange.messages

    def aggregate_train(
        self, server_round: int, replies: Iterable[Message]
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        """Gate, measure, weigh and aggregate the replies; let reputation move (lines 9-13).

        Returns the model, unchanged if the round was rejected, and the training metrics.
        """
        exchange, self._exchange = self._exchange, None
        if exchange is None:
            return None, None
        if self.book.baseline:
            return self._inner.aggregate_train(exchange.round, replies)
        answers = self._collect(exchange, replies)
        facts, memory = self._measure(exchange, answers)
        round_facts = RoundFacts(round=exchange.round, replies=facts, actions=exchange.actions)
        settled = self._settle(exchange, answers, round_facts)
        outcome = settled.outcome
        record = RoundRecord(
            round=exchange.round,
            base_hash=exchange.base_hash,
            model_hash=model_hash(outcome.model),
            facts=settled.facts,
            decision=settled.decision,
            state=settled.state,
            metrics=plain_metrics(outcome.metrics or {}),
            note=outcome.note,
        )
        self.book.commit(
            record,
            model=outcome.model,
            inner=save_state(self._inner),
            memory=memory,
            grid=exchange.grid,
            updates={a.asked.identity: a.passed.arrays for a in answers if a.passed},
            base=exchange.base,
        )
        log_round(record)
        return outcome.arrays, outcome.metrics

    def _measure(
        self, exchange: Exchange, answers: Sequence[Answer]
    ) -> tuple[tuple[ReplyFacts, ...], dict[str, NDArray[np.float64]]]:
        """Return the facts on every selected client, and the rule's memory."""
        accepted = [each for each in answers if each.verdict is Verdict.ACCEPTED]
        return gather_facts(
            answers,
            base=exchange.base,
            qualities=self._qualities(exchange, accepted),
            measuring=self._measuring(),
        )

    def _qualities(self, exchange: Exchange, accepted: Sequence[Answer]) -> Qualities:
        """Return what others say of each update (P-4 output quality), by identity."""
        if self.score is None:
            return {}
        return score_updates(accepted, round=exchange.round, score=self.score)

    def _settle(
        self, exchange: Exchange, answers: Sequence[Answer], facts: RoundFacts
    ) -> Settled:
        """Decide about the round and let the inner strategy make the next model."""
        state, decision = decide(self.state, facts, self.config)
        outcome = settle_round(
            self._inner,
            exchange,
            answers,
            decision,
            weight_key=self._weight_key,
            arrays_key=str(setting(self._inner, "arrayrecord_key", "arrays")),
        )
        return Settled(facts, state, decision, outcome)

    def _collect(self, exchange: Exchange, replies: Iterable[Message]) -> list[Answer]:
        gate = Gate(exchange.base, weight_key=self._weight_key, config=self.config.gate)
        return exchange.collect(
            replies, gate=gate, roster=self._roster, state=self.state, run_id=self.book.run_id
        )

    def _measuring(self) -> Measuring:
        return Measuring(
            rule=self.rule,
            config=self.config,
            state=self.state,
            memory=self.book.memory,
            secret=self.book.secret,
        )
