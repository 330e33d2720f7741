"""Secure aggregation as a strategy: the server learns the mean update and no other."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from logging import INFO
from typing import ClassVar, Unpack

import numpy as np
from flwr.app import ArrayRecord, ConfigRecord, Message, MetricRecord, RecordDict
from flwr.common import log
from flwr.serverapp import Grid
from flwr.serverapp.strategy import FedAvg, Strategy
from numpy.typing import NDArray

from parity_flwr.core.encoding import model_hash
from parity_flwr.core.privacy.combinations import Combination, Hiding
from parity_flwr.core.records import ReplyFacts, RoundFacts, RoundRecord, RoundStatus
from parity_flwr.core.rounds import apply_actions, decide
from parity_flwr.core.secagg.update import MeanUpdate, moved
from parity_flwr.errors import ConfigError
from parity_flwr.strategies.arrays import write_arrays
from parity_flwr.strategies.bookkeeping import AUTOMATIC, Bookkeeper, plain_metrics
from parity_flwr.strategies.client_charges import promised, record_charges
from parity_flwr.strategies.composition import check_inside
from parity_flwr.strategies.evaluating import Evaluating
from parity_flwr.strategies.exchange import ask, name_round
from parity_flwr.strategies.identity import Roster
from parity_flwr.strategies.inner import pin, setting
from parity_flwr.strategies.inner_state import save_state
from parity_flwr.strategies.logs import log_round
from parity_flwr.strategies.options import SeededOptions, check_names
from parity_flwr.strategies.sampling import choose_trainers
from parity_flwr.strategies.secure_config import SecureSetup, require_summable
from parity_flwr.strategies.secure_round import SecureRound
from parity_flwr.strategies.settlement import Outcome, aggregate_copies

_TRAIN = 1  # this phase's own random stream


@dataclass(frozen=True)
class Judged:
    """A round's facts, the mean update or why there is none, and what is remembered."""

    facts: tuple[ReplyFacts, ...]
    mean: MeanUpdate | str
    memory: dict[str, NDArray[np.float64]]


class SecureAggregation(Evaluating):
    """Average updates that the server cannot see one by one.

    Clients mask their updates so that only the sum can be read; the inner strategy gets the
    mean as if it were one client's model, so that a server optimiser stays in force. Clients
    need :class:`parity_flwr.clients.SecAggMod` and an Ed25519 identity. A round takes four
    short exchanges besides the training; who drops out at any of them is gone on without,
    as long as more than two thirds stay. A sum that cannot be had leaves the model as it
    was, and the journal's note says why.

    What nobody sees nobody can judge: a poisoned update counts like any other.
    :class:`SubgroupSecureAggregation` trades some privacy for robustness.

    Parameters
    ----------
    inner : Strategy, optional
        FedAvg, or another that works on the mean update.
    setup : SecureSetup, optional
        Range, weights, sampling, timeouts.
    **options : SeededOptions
        ``seed``, ``promise``, ``journal`` and ``identity``, as
        :class:`parity_flwr.strategies.options.SeededOptions` explains them. The seed makes
        the choice of clients repeatable; keys are always fresh.

    Examples
    --------
    >>> SecureAggregation(journal=None).inner.__class__.__name__
    'FedAvg'
    """

    combination: ClassVar[Combination] = Combination(hiding=Hiding.SECAGG)

    def __init__(
        self,
        inner: Strategy | None = None,
        *,
        setup: SecureSetup | None = None,
        **options: Unpack[SeededOptions],
    ) -> None:
        check_names(options, SeededOptions.__optional_keys__)
        inner = inner or FedAvg()
        require_summable(inner)
        check_inside(self.combination, inner, name=type(self).__name__)
        self.setup = setup or SecureSetup()
        self._round: SecureRound | None = None
        super().__init__(
            Bookkeeper(
                self.setup.config,
                seed=options.get("seed"),
                extra=promised(options.get("promise")),
            ),
            inner=pin(inner),
            journal=options.get("journal", AUTOMATIC),
            sampling=self.setup.sampling,
            roster=Roster(options.get("identity")),
        )

    def summary(self) -> None:
        """Log the configuration."""
        log(INFO, "\t├──> %s around %s:", type(self).__name__, type(self._inner).__name__)
        log(INFO, "\t│\t├── %s", self.sampling)
        log(INFO, "\t│\t└── Range: %g", self.setup.clipping_range)
        self._inner.summary()

    def configure_train(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """Select clients, let them exchange keys and shares, and broadcast the model."""
        self.begin(arrays, grid)
        self._round = None
        if self.book.baseline:
            raise ConfigError(
                "secure aggregation needs clients that mask",
                came="a baseline run, in which they would not",
                action="compare with another strategy",
            )
        connected = self._connected(grid)
        size = self.sampling.train_size(len(connected))
        if size == 0:
            return []
        round_ = server_round + self.offset
        actions = self.book.journal.actions() if self.book.journal else ()
        chosen = choose_trainers(
            apply_actions(self.state, actions, self.book.config),
            connected,
            size=size,
            config=self.book.config,
            rng=self._rng(round_, _TRAIN),
        )
        exchange = ask(
            self._inner,
            grid,
            round=round_,
            arrays=arrays,
            config=name_round(config, round_, self.book.run_id),
            nodes={name: connected[name] for name in chosen},
            actions=actions,
        )
        self._round = SecureRound(exchange, self.setup, self.book.run_id)
        groups = self._groups(round_, chosen)
        self._round.begin(
            [[connected[name] for name in group] for group in groups], self._bound(connected)
        )
        log(INFO, "configure_train: %d of %d nodes", len(chosen), len(connected))
        return self._round.exchange.messages

    def aggregate_train(
        self, server_round: int, replies: Iterable[Message]
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        """Open the sum of the masked replies and let the inner strategy make the model."""
        current, self._round = self._round, None
        if current is None:
            return None, None
        current.finish(replies, roster=self._roster, state=self.state)
        record_charges(
            self.book.journal,
            current.answers,
            run=self.book.run_id,
            round=current.exchange.round,
        )
        judged = self._judge(current)
        facts = RoundFacts(
            round=current.exchange.round,
            replies=judged.facts,
            actions=current.exchange.actions,
        )
        state, decision = decide(self.state, facts, self.book.config)
        outcome = Outcome(current.exchange.base, current.exchange.record)
        if decision.status is RoundStatus.ACCEPTED:
            outcome = self._outcome(current, judged.mean)
        record = RoundRecord(
            round=current.exchange.round,
            base_hash=current.exchange.base_hash,
            model_hash=model_hash(outcome.model),
            facts=facts,
            decision=decision,
            state=state,
            metrics=plain_metrics(outcome.metrics or {}),
            note=outcome.note,
        )
        self.book.commit(
            record,
            model=outcome.model,
            inner=save_state(self._inner),
            memory=judged.memory,
            grid=current.exchange.grid,
            updates={},
            base=current.exchange.base,
        )
        log_round(record)
        return outcome.arrays, outcome.metrics

    def _groups(self, round: int, chosen: Sequence[str]) -> list[list[str]]:
        """Return who is summed with whom: here everybody."""
        return [list(chosen)]

    def _judge(self, current: SecureRound) -> Judged:
        """Return the facts, the update to apply or why there is none, and what to remember."""
        (group,) = current.means()
        return Judged(current.facts(), group.mean, dict(self.book.memory))

    def _outcome(self, current: SecureRound, mean: MeanUpdate | str) -> Outcome:
        """Let the inner strategy aggregate one reply: the model moved by the mean update."""
        exchange = current.exchange
        stays = Outcome(exchange.base, exchange.record)
        if isinstance(mean, str):
            return replace(stays, note=f"no sum: {mean}"[:300])
        with np.errstate(over="ignore"):
            model = moved(exchange.base, mean.update)
        metrics = MetricRecord({self._weight_key: mean.weight, "clipped": mean.clipped})
        arrays_key = str(setting(self._inner, "arrayrecord_key", "arrays"))
        content = RecordDict({arrays_key: write_arrays(model), "metrics": metrics})
        twin = copy.copy(exchange.messages[0])
        twin.content = content
        return aggregate_copies(self._inner, exchange, [twin])

    def _bound(self, connected: Mapping[str, int]) -> dict[int, bytes]:
        """Return the key that each connected identity is bound to, by node."""
        return {
            connected[name]: bytes.fromhex(standing.public_key)
            for name, standing in self.state.standings.items()
            if name in connected and standing.public_key
        }
