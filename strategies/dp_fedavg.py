"""DP-FedAvg: federated averaging with central differential privacy for each client."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from logging import INFO
from typing import ClassVar, Unpack

import numpy as np
from flwr.app import ArrayRecord, ConfigRecord, Message, MetricRecord
from flwr.common import log
from flwr.serverapp import Grid
from flwr.serverapp.strategy import FedAvg, Result, Strategy

from parity_flwr.core.config import TrustConfig
from parity_flwr.core.encoding import model_hash
from parity_flwr.core.privacy.central import CentralPrivacy
from parity_flwr.core.privacy.combinations import Combination, NoisePlace
from parity_flwr.core.privacy.ledger import Ledger
from parity_flwr.core.privacy.rounds import PRIVACY, decide_private
from parity_flwr.core.privacy.stream import RandomStream
from parity_flwr.core.records import Resumption, RoundFacts, RoundRecord
from parity_flwr.core.rounds import apply_actions
from parity_flwr.strategies.bookkeeping import AUTOMATIC, Bookkeeper
from parity_flwr.strategies.composition import check_inside
from parity_flwr.strategies.dp_budget import RunBudget, check_sampling
from parity_flwr.strategies.evaluating import Evaluating
from parity_flwr.strategies.exchange import Exchange, ask, name_round
from parity_flwr.strategies.gate import Arrays, Gate
from parity_flwr.strategies.identity import Roster
from parity_flwr.strategies.inner import pin
from parity_flwr.strategies.inner_state import save_state
from parity_flwr.strategies.noisy_reply import noisy_reply
from parity_flwr.strategies.options import CentralOptions, check_names
from parity_flwr.strategies.private_release import (
    accepted_models,
    drawn,
    released_model,
)
from parity_flwr.strategies.resumable import EvaluateFunction
from parity_flwr.strategies.sampling import Sampling
from parity_flwr.strategies.settlement import Outcome, aggregate_copies

_CLIP = "clip"  # the adaptive bound, in the checkpoint


class DPFedAvg(Evaluating):
    """Federated averaging whose models reveal little about any one client.

    Each reply passes the gate, its update is clipped, the sum gets Gaussian noise from a
    cryptographic stream, and the divisor is a constant. The round is charged to a ledger
    before the noise is drawn, and its model leaves only after it is in the journal; so a
    crash neither forgets nor doubles a charge, and after one the stored noisy model is sent
    again. The run ends before the budget would be exceeded.

    Replies weigh the same, whatever they claim; integer arrays stay as they are; client
    metrics and evaluation on clients are off, since they come from the data without noise.
    The server sees every update: it is trusted, its journal names no client.

    Parameters
    ----------
    privacy : CentralPrivacy
        What is promised: epsilon, delta, clip, clients, rounds, sampling.
    inner : Strategy, optional
        What becomes of the noisy average: ``FedAvg`` by default, or a server optimiser.
        It sees nothing else, so that any strategy is safe.
    noise_seed : bytes, optional
        For tests only: whoever knows it can subtract the noise.
    **options : CentralOptions
        ``config``, ``sampling``, ``journal`` and ``identity``, as
        :class:`parity_flwr.strategies.options.CentralOptions` explains them. Who takes part
        is ``privacy.sampling``'s; identities serve bans, and one reply each.

    Raises
    ------
    ConfigError
        If the sampling asks for a fraction, or for evaluation on clients.

    Examples
    --------
    >>> privacy = CentralPrivacy(epsilon=8.0, delta=1e-5, clip=1.0, clients=100, rounds=20)
    >>> strategy = DPFedAvg(privacy, journal=None)
    >>> round(strategy.multiplier, 2)
    2.68
    """

    combination: ClassVar[Combination] = Combination(dp=NoisePlace.CENTRAL)

    def __init__(
        self,
        privacy: CentralPrivacy,
        *,
        inner: Strategy | None = None,
        noise_seed: bytes | None = None,
        **options: Unpack[CentralOptions],
    ) -> None:
        check_names(options, CentralOptions.__optional_keys__)
        inner = inner or FedAvg()
        sampling = options.get("sampling") or Sampling(min_train_nodes=0, fraction_evaluate=0.0)
        check_sampling(sampling)
        check_inside(self.combination, inner, name=type(self).__name__)
        self.privacy = privacy
        self._budget = RunBudget(privacy)
        self.config = options.get("config") or TrustConfig()
        seed = noise_seed or secrets.token_bytes(32)
        self._noise = RandomStream(seed, label="noise")
        self._lots = RandomStream(seed, label="participation")
        self._exchange: Exchange | None = None
        book = Bookkeeper(self.config, extra={PRIVACY: privacy.plain(self.multiplier)})
        super().__init__(
            book,
            inner=pin(inner),
            journal=options.get("journal", AUTOMATIC),
            sampling=sampling,
            roster=Roster(options.get("identity")),
        )

    @property
    def multiplier(self) -> float:
        """Noise multiplier of a round: sigma over the clip."""
        return self._budget.multiplier

    @property
    def ledger(self) -> Ledger:
        """What was charged so far."""
        return self._budget.ledger

    def summary(self) -> None:
        """Log the configuration."""
        log(INFO, "\t├──> DPFedAvg around %s:", type(self._inner).__name__)
        log(INFO, "\t│\t└── %s, noise multiplier %.4g", self.privacy, self.multiplier)
        self._inner.summary()

    def begin(
        self, arrays: ArrayRecord, grid: Grid, *, num_rounds: int = 0
    ) -> Resumption | None:
        """Open the journal and read the charges that stand in it."""
        resumption = super().begin(arrays, grid, num_rounds=num_rounds)
        self._budget.load(self.book.journal)
        return resumption

    def start(
        self,
        grid: Grid,
        initial_arrays: ArrayRecord,
        num_rounds: int = 3,
        timeout: float = 3600,
        train_config: ConfigRecord | None = None,
        evaluate_config: ConfigRecord | None = None,
        evaluate_fn: EvaluateFunction | None = None,
    ) -> Result:
        """Run as many rounds as were asked for and the budget covers.

        Raises
        ------
        ConfigError
            If the budget does not cover one round.
        """
        covered = self._budget.covered(num_rounds)
        result = super().start(
            grid,
            initial_arrays,
            covered,
            timeout,
            train_config,
            evaluate_config,
            evaluate_fn,
        )
        log(
            INFO,
            "Privacy: epsilon %.4g of %.4g at delta %g spent on each client",
            self.ledger.spent(),
            self.privacy.epsilon,
            self.privacy.delta,
        )
        return result

    def configure_train(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """Ask everybody, or each client with the sampling probability; charge nothing yet."""
        self.begin(arrays, grid)
        round_ = server_round + self.offset
        self._exchange = None
        actions = self.book.journal.actions() if self.book.journal else ()
        standings = apply_actions(self.state, actions, self.config).standings
        banned = {name for name, each in standings.items() if each.banned}
        connected = self._connected(grid)
        nodes = {name: node for name, node in connected.items() if name not in banned}
        self._exchange = ask(
            self._inner,
            grid,
            round=round_,
            arrays=arrays,
            config=name_round(config, round_, self.book.run_id),
            nodes=drawn(nodes, sampling=self.privacy.sampling, stream=self._lots),
            actions=actions,
        )
        return self._exchange.messages

    def aggregate_train(
        self, server_round: int, replies: Iterable[Message]
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        """Charge the round, release the noisy average, and let the inner strategy use it."""
        exchange, self._exchange = self._exchange, None
        if exchange is None:
            return None, None
        models = self._accepted(exchange, replies)
        self._charge(exchange.round)
        noisy, clip = self._release(exchange, models)
        outcome = aggregate_copies(
            self._inner, exchange, [noisy_reply(self._inner, exchange, noisy)]
        )
        self._commit(exchange, outcome, clip)
        return outcome.arrays, None

    def _close(self, result: Result, arrays: ArrayRecord) -> Result:
        self._budget.state(self.book.journal, round=self.state.round)
        return super()._close(result, arrays)

    def _accepted(self, exchange: Exchange, replies: Iterable[Message]) -> list[Arrays]:
        gate = Gate(exchange.base, weight_key=self._weight_key, config=self.config.gate)
        answers = exchange.collect(
            replies, gate=gate, roster=self._roster, state=self.state, run_id=self.book.run_id
        )
        return accepted_models(answers)

    def _charge(self, round: int) -> None:
        self._budget.charge(self.book.journal, run=self.book.run_id, round=round)

    def _release(self, exchange: Exchange, models: Sequence[Arrays]) -> tuple[Arrays, float]:
        remembered = self.book.memory.get(_CLIP)
        return released_model(
            exchange,
            models,
            clip=self.privacy.clip if remembered is None else float(remembered[0]),
            privacy=self.privacy,
            multiplier=self.multiplier,
            stream=self._noise,
        )

    def _commit(self, exchange: Exchange, outcome: Outcome, clip: float) -> None:
        facts = RoundFacts(round=exchange.round, replies=(), actions=exchange.actions)
        state, decision = decide_private(self.state, facts, self.config)
        adaptive = self.privacy.adaptive is not None
        record = RoundRecord(
            round=exchange.round,
            base_hash=exchange.base_hash,
            model_hash=model_hash(outcome.model),
            facts=facts,
            decision=decision,
            state=state,
            metrics={_CLIP: clip} if adaptive else {},
            note=outcome.note,
        )
        self.book.commit(
            record,
            model=outcome.model,
            inner=save_state(self._inner),
            memory={_CLIP: np.array([clip])} if adaptive else {},
            grid=exchange.grid,
            updates={},
            base={},
        )
