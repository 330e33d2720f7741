"""The part of a strategy that knows the nodes and lets them evaluate."""

from __future__ import annotations

from collections.abc import Iterable
from logging import WARNING

import numpy as np
from flwr.app import ArrayRecord, ConfigRecord, Message, MetricRecord
from flwr.common import log
from flwr.serverapp import Grid
from flwr.serverapp.strategy import Strategy

from parity_flwr.core.protocols import Journal
from parity_flwr.core.records import ReputationState
from parity_flwr.strategies.bookkeeping import Automatic, Bookkeeper
from parity_flwr.strategies.evaluation import forward_evaluations, usable_evaluations
from parity_flwr.strategies.exchange import ask, name_round
from parity_flwr.strategies.identity import Roster
from parity_flwr.strategies.inner import FOREIGN, setting
from parity_flwr.strategies.resumable import Resumable
from parity_flwr.strategies.sampling import Sampling, choose_evaluators, wait_for_nodes

_EVALUATE = 2  # this phase's own random stream


class Evaluating(Resumable):
    """A resumable strategy with a roster of nodes, a seed for each round, and evaluation."""

    def __init__(
        self,
        book: Bookkeeper,
        *,
        inner: Strategy,
        journal: Journal | Automatic | None,
        sampling: Sampling,
        roster: Roster,
    ) -> None:
        super().__init__(book, inner=inner, journal=journal)
        self.sampling = sampling
        self._roster = roster
        self._evaluators: list[int] = []

    @property
    def state(self) -> ReputationState:
        """Reputation after the last round."""
        return self.book.state

    @property
    def inner(self) -> Strategy:
        """The copy of the inner strategy that is in use, with its optimiser's state."""
        return self._inner

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
            config=self.book.config,
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
            replies,
            asked=self._evaluators,
            weight_key=self._weight_key,
            config=self.book.config,
        )
        if not usable:
            return None
        copies = forward_evaluations(
            usable, weight_key=self._weight_key, config=self.book.config
        )
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
        if self.book.seed is None:
            return np.random.default_rng()
        return np.random.default_rng([abs(self.book.seed), round, phase])
