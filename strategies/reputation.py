"""Reputation around any Flower strategy, and reputation-enhanced FedAvg (Algorithm 1)."""

from __future__ import annotations

from collections.abc import Iterable
from logging import INFO, WARNING

import numpy as np
from flwr.app import ArrayRecord, ConfigRecord, Message, MetricRecord
from flwr.common import log
from flwr.serverapp import Grid
from flwr.serverapp.strategy import Strategy

from parity_flwr.core.config import TrustConfig
from parity_flwr.core.encoding import model_hash
from parity_flwr.core.measure import NeighbourRule, Rule
from parity_flwr.core.protocols import Journal
from parity_flwr.core.records import ReputationState, RoundFacts, RoundRecord
from parity_flwr.core.rounds import apply_actions, decide
from parity_flwr.strategies.bookkeeping import AUTOMATIC, Automatic, Bookkeeper, plain_metrics
from parity_flwr.strategies.evaluation import forward_evaluations, usable_evaluations
from parity_flwr.strategies.exchange import Exchange, ask, name_round
from parity_flwr.strategies.facts import Measuring, ScoreFunction, gather_facts
from parity_flwr.strategies.gate import Gate
from parity_flwr.strategies.identity import IdentitySource, Roster
from parity_flwr.strategies.inner import FOREIGN, pin, setting
from parity_flwr.strategies.inner_state import save_state
from parity_flwr.strategies.intake import Answer
from parity_flwr.strategies.logs import log_round
from parity_flwr.strategies.resumable import Resumable
from parity_flwr.strategies.sampling import (
    Sampling,
    choose_evaluators,
    choose_trainers,
    wait_for_nodes,
)
from parity_flwr.strategies.settlement import settle_round

_TRAIN, _EVALUATE = 1, 2  # keep the two phases' random streams apart


class Reputation(Resumable):
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
        What measures the updates (extension point).
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
        self.sampling = sampling or Sampling.of(inner)
        self.seed = seed
        self.rule = rule or NeighbourRule(self.config.robustness)
        self.score = score
        self._roster = Roster(identity)
        self._exchange: Exchange | None = None
        self._evaluators: list[int] = []
        book = Bookkeeper(self.config, seed=seed, carried=carried)
        super().__init__(book, inner=pin(inner), journal=journal)

    @property
    def state(self) -> ReputationState:
        """Reputation after the last round."""
        return self.book.state

    @property
    def inner(self) -> Strategy:
        """The copy of the inner strategy that is in use, with its optimiser's state."""
        return self._inner

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
        facts, memory = gather_facts(
            answers, base=exchange.base, round=exchange.round, measuring=self._measuring()
        )
        round_facts = RoundFacts(round=exchange.round, replies=facts, actions=exchange.actions)
        state, decision = decide(self.state, round_facts, self.config)
        outcome = settle_round(
            self._inner,
            exchange,
            answers,
            decision,
            weight_key=self._weight_key,
            arrays_key=str(setting(self._inner, "arrayrecord_key", "arrays")),
        )
        record = RoundRecord(
            round=exchange.round,
            base_hash=exchange.base_hash,
            model_hash=model_hash(outcome.model),
            facts=round_facts,
            decision=decision,
            state=state,
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

    def configure_evaluate(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """Ask nodes that have weight to evaluate the model."""
        connected = self._connected(grid)
        size = self.sampling.evaluate_size(len(connected))
        if size == 0:
            return []
        round_ = server_round + self.offset
        chosen = choose_evaluators(
            self.state,
            connected,
            size=size,
            config=self.config,
            rng=self._rng(round_, _EVALUATE),
        )
        asked = ask(
            self._inner,
            grid,
            round=round_,
            arrays=arrays,
            config=name_round(config, round_, self.book.run_id),
            nodes={name: connected[name] for name in chosen},
            train=False,
        )
        self._evaluators = sorted(asked.identities)
        return asked.messages

    def aggregate_evaluate(
        self, server_round: int, replies: Iterable[Message]
    ) -> MetricRecord | None:
        """Aggregate the usable evaluation replies with capped weights."""
        usable = usable_evaluations(
            replies, asked=self._evaluators, weight_key=self._weight_key, config=self.config
        )
        if not usable:
            return None
        copies = forward_evaluations(usable, weight_key=self._weight_key, config=self.config)
        round_ = server_round + self.offset
        try:
            metrics = self._inner.aggregate_evaluate(round_, copies)
        except FOREIGN as error:
            log(WARNING, "aggregate_evaluate: the inner strategy failed: %s", error)
            return None
        self.book.evaluate(round_, "clients", metrics or {})
        return metrics

    @property
    def _weight_key(self) -> str:
        return str(setting(self._inner, "weighted_by_key", "num-examples"))

    def _connected(self, grid: Grid) -> dict[str, int]:
        """Return the node of each connected identity, once there are enough of them."""
        nodes = wait_for_nodes(
            grid,
            least=self.sampling.least_connected,
            timeout_s=self.sampling.node_timeout_s,
        )
        self._roster.update(grid, nodes)
        return self._roster.connected(nodes)

    def _rng(self, round: int, phase: int) -> np.random.Generator:
        """Return the round's own random stream: no state to carry, or to lose in a crash."""
        if self.seed is None:
            return np.random.default_rng()
        return np.random.default_rng([abs(self.seed), round, phase])

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
            score=self.score,
        )
