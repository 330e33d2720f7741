"""Reputation around any Flower strategy, and reputation-enhanced FedAvg (Algorithm 1)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from logging import INFO
from typing import ClassVar, Unpack

import numpy as np
from flwr.app import ArrayRecord, ConfigRecord, Message, MetricRecord
from flwr.common import log
from flwr.serverapp import Grid
from flwr.serverapp.strategy import Strategy
from numpy.typing import NDArray

from parity_flwr.core.encoding import model_hash
from parity_flwr.core.modes import mode_name
from parity_flwr.core.privacy.combinations import Combination
from parity_flwr.core.records import (
    ReplyFacts,
    ReputationState,
    RoundDecision,
    RoundFacts,
    RoundRecord,
    Verdict,
)
from parity_flwr.core.response_root import ROOT_IDENTITY
from parity_flwr.core.response_rule import rule_for
from parity_flwr.core.rounds import apply_actions, decide
from parity_flwr.strategies.bookkeeping import AUTOMATIC, Bookkeeper, plain_metrics
from parity_flwr.strategies.client_charges import promised, record_charges
from parity_flwr.strategies.composition import check_inside
from parity_flwr.strategies.evaluating import Evaluating
from parity_flwr.strategies.exchange import Exchange, ask, name_round
from parity_flwr.strategies.facts import (
    Measuring,
    Qualities,
    gather_facts,
    score_updates,
)
from parity_flwr.strategies.gate import Arrays, Gate
from parity_flwr.strategies.identity import Roster
from parity_flwr.strategies.inner import pin, setting
from parity_flwr.strategies.inner_state import save_state
from parity_flwr.strategies.intake import Answer
from parity_flwr.strategies.logs import log_round
from parity_flwr.strategies.options import Options, chosen_config, chosen_root
from parity_flwr.strategies.root import trained_on_root
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
    **options : Options
        ``mode`` or ``config``, ``seed``, ``sampling``, ``journal``, ``identity``, ``rule``,
        ``score``, ``root`` and ``carried``, as :class:`Options` explains them.

    Examples
    --------
    >>> from flwr.serverapp.strategy import FedAdam
    >>> strategy = Reputation(FedAdam(fraction_evaluate=0.5), seed=7, journal=None)
    >>> strategy.sampling.fraction_evaluate
    0.5
    """

    combination: ClassVar[Combination] = Combination(reputation=True)

    def __init__(self, inner: Strategy, **options: Unpack[Options]) -> None:
        check_inside(self.combination, inner, name=type(self).__name__)
        self.config = chosen_config(options)
        self.seed = options.get("seed")
        self.rule = options.get("rule") or rule_for(self.config.robustness)
        self.score = options.get("score")
        self.root = chosen_root(options, self.config)
        self._exchange: Exchange | None = None
        self._root_model: Arrays | None = None
        super().__init__(
            Bookkeeper(
                self.config,
                seed=self.seed,
                carried=options.get("carried"),
                extra=promised(options.get("promise")),
                ledger=options.get("ledger"),
            ),
            inner=pin(inner),
            journal=options.get("journal", AUTOMATIC),
            sampling=options.get("sampling") or Sampling.of(inner),
            roster=Roster(options.get("identity")),
        )

    def summary(self) -> None:
        """Log the configuration."""
        log(INFO, "\t├──> Reputation around %s:", type(self._inner).__name__)
        log(INFO, "\t│\t├── Mode: %s", mode_name(self.config))
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
        record_charges(self.book.journal, answers, run=self.book.run_id, round=exchange.round)
        facts, memory = self._gather(exchange, answers)
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
            updates=self._updates(answers),
            base=exchange.base,
        )
        log_round(record)
        return outcome.arrays, outcome.metrics

    def _gather(
        self, exchange: Exchange, answers: Sequence[Answer]
    ) -> tuple[tuple[ReplyFacts, ...], dict[str, NDArray[np.float64]]]:
        """Return what was seen of each selected client, and the rule's memory after it."""
        accepted = [each for each in answers if each.verdict is Verdict.ACCEPTED]
        self._root_model = None
        if self.root is not None and accepted:
            self._root_model = trained_on_root(self.root, exchange.round, exchange.base)
        return gather_facts(
            answers,
            base=exchange.base,
            qualities=self._qualities(exchange, accepted),
            measuring=self._measuring(),
        )

    def _updates(self, answers: Sequence[Answer]) -> dict[str, Arrays]:
        """Return the models that came back, the server's own among them."""
        found = {a.asked.identity: a.passed.arrays for a in answers if a.passed}
        return found if self._root_model is None else {**found, ROOT_IDENTITY: self._root_model}

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
            root=self._root_model,
        )
