"""The gate around any strategy, without reputation, memory or journal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from logging import INFO, WARNING
from typing import ClassVar

import numpy as np
from flwr.app import ArrayRecord, ConfigRecord, Message, MetricRecord
from flwr.common import log
from flwr.serverapp import Grid
from flwr.serverapp.strategy import FedAvg, Strategy
from numpy.typing import NDArray

from parity_flwr.core.config import TrustConfig
from parity_flwr.core.privacy.combinations import Combination
from parity_flwr.core.selection import select
from parity_flwr.core.weights import cap_examples, cap_shares
from parity_flwr.errors import ConfigError
from parity_flwr.strategies.admission import Admitted, inspected_replies, trusted_replies
from parity_flwr.strategies.composition import check_inside, refuse_foreign_around
from parity_flwr.strategies.evaluation import forward_evaluations, usable_evaluations
from parity_flwr.strategies.exchange import Exchange, ask, name_round
from parity_flwr.strategies.forwarding import forward
from parity_flwr.strategies.gate import Gate, Passed
from parity_flwr.strategies.inner import FOREIGN, pin, setting
from parity_flwr.strategies.resumable import Resumable
from parity_flwr.strategies.sampling import Sampling, wait_for_nodes
from parity_flwr.strategies.settlement import aggregate_copies

Values = NDArray[np.float64]

_TRAIN, _EVALUATE = 1, 2  # keep the two phases' random streams apart
_NEGLIGIBLE = 1e-6  # a share this far under the largest is none


@dataclass(frozen=True, kw_only=True)
class Setup:
    """What all guarded strategies are built with.

    Parameters
    ----------
    sampling : Sampling, optional
        How many nodes each phase asks; the inner strategy's own by default.
    config : TrustConfig
        Its ``gate``, ``weights``, ``robustness`` and ``quorum`` are used.
    seed : int, optional
        Makes the choice of nodes repeatable.
    weighted_by_key, arrayrecord_key, configrecord_key : str
        Names in the messages, as in Flower's ``FedAvg``.
    """

    sampling: Sampling | None = None
    config: TrustConfig = field(default_factory=TrustConfig)
    seed: int | None = None
    weighted_by_key: str = "num-examples"
    arrayrecord_key: str = "arrays"
    configrecord_key: str = "config"

    def average(self) -> FedAvg:
        """Return Flower's ``FedAvg`` with these names."""
        return FedAvg(
            weighted_by_key=self.weighted_by_key,
            arrayrecord_key=self.arrayrecord_key,
            configrecord_key=self.configrecord_key,
        )


class Guarded(Strategy):
    """Let a strategy see only replies that are what they should be, with bounded n_k.

    Every reply passes the gate; n_k is capped at ``examples_factor`` medians and one client
    at ``max_share`` of the round. A round without a quorum, or whose inner strategy fails,
    leaves the model as it was. Stateless: no reputation, no journal, no identities.

    Inside :class:`Reputation` it trusts what it is given: replies are checked already and
    n_k holds shares.

    Parameters
    ----------
    inner : Strategy
        Any Message-API strategy. It is copied, never changed.
    setup : Setup, optional
        Sampling, constants and seed; the names in it are not used, the inner strategy's are.

    Examples
    --------
    >>> from flwr.serverapp.strategy import FedAdam
    >>> Guarded(FedAdam(fraction_train=0.5)).sampling.fraction_train
    0.5
    """

    combination: ClassVar[Combination] = Combination()

    def __init__(self, inner: Strategy, *, setup: Setup | None = None) -> None:
        if isinstance(inner, Resumable):
            raise ConfigError(
                "a guard needs a strategy without reputation inside",
                came=type(inner).__name__,
                action="wrap it the other way round: Reputation(Guarded(...))",
            )
        check_inside(self.combination, inner, name=type(self).__name__)
        setup = setup or Setup()
        if setup.config.gate.require_signature:
            raise ConfigError(
                "signatures need identities, which a guard alone has not",
                came="require_signature",
                action="use Reputation(...)",
            )
        sampling = setup.sampling or Sampling.of(inner)
        self.config = setup.config
        self.seed = setup.seed
        self.nested = False
        # As attributes of Flower's names, so that a wrapper finds and pins them.
        self.fraction_train = sampling.fraction_train
        self.fraction_evaluate = sampling.fraction_evaluate
        self.min_train_nodes = sampling.min_train_nodes
        self.min_evaluate_nodes = sampling.min_evaluate_nodes
        self.min_available_nodes = sampling.min_available_nodes
        self._node_timeout_s = sampling.node_timeout_s
        self._inner = pin(inner)
        self._exchange: Exchange | None = None
        self._evaluators: list[int] = []

    @property
    def inner(self) -> Strategy:
        """The copy of the inner strategy that is in use."""
        return self._inner

    @property
    def sampling(self) -> Sampling:
        """How many nodes each phase asks."""
        return Sampling(
            fraction_train=self.fraction_train,
            fraction_evaluate=self.fraction_evaluate,
            min_train_nodes=self.min_train_nodes,
            min_evaluate_nodes=self.min_evaluate_nodes,
            min_available_nodes=self.min_available_nodes,
            node_timeout_s=self._node_timeout_s,
        )

    def factors(self, admitted: Sequence[Passed], exchange: Exchange) -> Values:
        """Return by what each share is multiplied, in [0, 1], shape (n,): here 1."""
        return np.ones(len(admitted))

    def summary(self) -> None:
        """Log the configuration."""
        log(INFO, "\t├──> %s around %s:", type(self).__name__, type(self._inner).__name__)
        log(INFO, "\t│\t└── %s", self.sampling)
        self._inner.summary()

    def configure_train(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """Broadcast the model to a random choice of the nodes."""
        refuse_foreign_around(self)
        self._exchange = self._ask(server_round, arrays, config, grid, phase=_TRAIN)
        return self._exchange.messages if self._exchange else []

    def aggregate_train(
        self, server_round: int, replies: Iterable[Message]
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        """Return the inner strategy's model of the admitted replies, else the old model."""
        exchange, self._exchange = self._exchange, None
        if exchange is None:
            return None, None
        admitted, shares = self._admit(exchange, replies)
        kept = [pair for pair, share in zip(admitted, shares, strict=True) if share > 0]
        if not kept or not self._has_quorum(exchange, admitted):
            log(WARNING, "aggregate_train: too few usable replies: the model stays")
            return exchange.record, None
        copies = forward(
            kept,
            [float(share) for share in shares if share > 0],
            weight_key=self._weight_key,
            arrays_key=setting(self._inner, "arrayrecord_key", "arrays"),
        )
        outcome = aggregate_copies(self._inner, exchange, copies)
        if outcome.note:
            log(WARNING, "aggregate_train: %s: the model stays", outcome.note)
        return outcome.arrays, outcome.metrics

    def configure_evaluate(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """Ask a random choice of the nodes to evaluate the model."""
        asked = self._ask(server_round, arrays, config, grid, phase=_EVALUATE)
        self._evaluators = sorted(asked.identities) if asked else []
        return asked.messages if asked else []

    def aggregate_evaluate(
        self, server_round: int, replies: Iterable[Message]
    ) -> MetricRecord | None:
        """Aggregate the usable evaluation replies with capped weights."""
        if self.nested:
            return self._inner.aggregate_evaluate(server_round, replies)
        usable = usable_evaluations(
            replies, asked=self._evaluators, weight_key=self._weight_key, config=self.config
        )
        if not usable:
            return None
        copies = forward_evaluations(usable, weight_key=self._weight_key, config=self.config)
        try:
            return self._inner.aggregate_evaluate(server_round, copies)
        except FOREIGN as error:
            log(WARNING, "aggregate_evaluate: %s: %s", type(error).__name__, error)
            return None

    @property
    def _weight_key(self) -> str:
        return str(setting(self._inner, "weighted_by_key", "num-examples"))

    def _ask(
        self, round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid, *, phase: int
    ) -> Exchange | None:
        sampling, train = self.sampling, phase == _TRAIN
        nodes = wait_for_nodes(
            grid, least=sampling.least_connected, timeout_s=sampling.node_timeout_s
        )
        size = (sampling.train_size if train else sampling.evaluate_size)(len(nodes))
        if size == 0:
            return None
        names = {f"node:{node:020d}": node for node in nodes}
        seed = None if self.seed is None else [abs(self.seed), round, phase]
        chosen = select(
            list(names),
            [1.0] * len(names),
            size=size,
            floor=1.0,
            rng=np.random.default_rng(seed),
        )
        return ask(
            self._inner,
            grid,
            round=round,
            arrays=arrays,
            config=config if self.nested else name_round(config, round, ""),
            nodes={name: names[name] for name in chosen},
            train=train,
        )

    def _has_quorum(self, exchange: Exchange, admitted: Sequence[Admitted]) -> bool:
        return self.nested or len(admitted) >= self.config.quorum * len(exchange.messages)

    def _admit(
        self, exchange: Exchange, replies: Iterable[Message]
    ) -> tuple[list[Admitted], Values]:
        """Return the replies that may count, and their shares of the round."""
        if self.nested:
            admitted, amounts = trusted_replies(replies, self._weight_key)
        else:
            gate = Gate(exchange.base, weight_key=self._weight_key, config=self.config.gate)
            admitted = inspected_replies(gate, exchange.messages, replies)
            claimed = np.array([each.num_examples for _, each in admitted], np.float64)
            amounts = cap_examples(claimed, factor=self.config.weights.examples_factor)
        amounts = amounts * self.factors([each for _, each in admitted], exchange)
        amounts[amounts < _NEGLIGIBLE * amounts.max(initial=0.0)] = 0.0
        shares = amounts / max(amounts.sum(), np.finfo(np.float64).tiny)
        if self.nested:
            return admitted, shares
        return admitted, cap_shares(shares, max_share=self.config.weights.max_share)
