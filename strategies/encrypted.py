"""Aggregation of updates that the server cannot read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from logging import INFO
from typing import Any, ClassVar, Unpack

import numpy as np
from flwr.app import ArrayRecord, ConfigRecord, Message, RecordDict
from flwr.common import log
from flwr.serverapp import Grid
from flwr.serverapp.strategy import FedAvg, Result, Strategy
from numpy.typing import NDArray

from parity_flwr.core.encryption.seal import sealapi
from parity_flwr.core.encryption.sealed_model import sealed_size
from parity_flwr.core.encryption.terms import (
    HE_RECORD,
    KEY_ID,
    PHASE,
    RUN_ID,
    SEALED,
    Layout,
    Phase,
    Reveal,
)
from parity_flwr.core.privacy.combinations import Combination, Hiding
from parity_flwr.core.records import (
    ReplyFacts,
    Resumption,
    RoundFacts,
)
from parity_flwr.core.rounds import apply_actions, decide
from parity_flwr.errors import ConfigError, RunError
from parity_flwr.strategies.arrays import read_arrays
from parity_flwr.strategies.decryptor_relay import Relay, new_relay
from parity_flwr.strategies.encrypted_gate import CiphertextGate
from parity_flwr.strategies.encrypted_sum import EncryptedRound
from parity_flwr.strategies.encryption_setup import (
    Encryption,
    check_inner,
    factors,
    weighted_beforehand,
)
from parity_flwr.strategies.exchange import Exchange
from parity_flwr.strategies.facts import unmeasured_facts
from parity_flwr.strategies.intake import Answer
from parity_flwr.strategies.options import RunOptions, adapted
from parity_flwr.strategies.reputation import Reputation, Settled
from parity_flwr.strategies.resumable import EvaluateFunction


class EncryptedAggregation(Reputation):
    """Add up updates under homomorphic encryption; the server holds no key (P-24).

    Clients with :class:`parity_flwr.clients.EncryptionMod` weight, round, pack and encrypt
    their updates (BFV, TenSEAL); the server adds ciphertexts; clients whose update is in the
    sum open it, and more than half of them must return the same bytes, signed. Drop-outs
    cost nothing: the sum is over what came, its addends are counted inside the ciphertext,
    and the weights are normalised over them.

    Gate, journal, checkpoint, resume, identities and signatures are those of
    :class:`Reputation`. Reputation rests on attendance and on the gate alone: nothing can be
    measured on an update that nobody may see, so liars are not found here. Weights are
    alpha_k * history_k * min(n_k, ``examples_cap``), fixed before the round.

    Every client holds the key, unless ``key_holder`` names a separate decryptor. Who holds
    it and colludes with the server breaks the confidentiality of all; docs/privacy-he.md
    says what else is not protected.

    Parameters
    ----------
    inner : Strategy, optional
        A strategy that needs the mean update only: FedAvg (default), FedProx, FedAvgM,
        FedAdam, FedAdagrad, FedYogi; with ``Reveal.NOTHING`` the first two.
    encryption : Encryption
        Range, weights, what the server learns, who must agree.
    **options
        See :class:`parity_flwr.strategies.options.RunOptions`; the caps of a configuration
        that depend on other replies have no effect.

    Examples
    --------
    >>> strategy = EncryptedAggregation(encryption=Encryption(clip=0.5), journal=None)
    >>> strategy.inner.__class__.__name__
    'FedAvg'
    """

    combination: ClassVar[Combination] = Combination(hiding=Hiding.HE)

    def __init__(
        self,
        inner: Strategy | None = None,
        *,
        encryption: Encryption,
        **options: Unpack[RunOptions],
    ) -> None:
        inner = inner or FedAvg()
        check_inner(inner, encryption.reveal)
        sealapi()  # a missing extra is an error now, not in the first round
        super().__init__(
            inner,
            **adapted(options, weighted_beforehand),
        )
        self.encryption = encryption
        self._relay: Relay | None = None
        self._layout: Layout | None = None
        self._sealed_size = 0

    def summary(self) -> None:
        """Log the configuration."""
        super().summary()
        log(INFO, "\t└──> %s", self.encryption)

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
        """Run the remaining rounds; see :meth:`Resumable.start`.

        Raises
        ------
        ConfigError
            If the server is to evaluate a model that it cannot read.
        """
        if evaluate_fn is not None and self.encryption.reveal is Reveal.NOTHING:
            raise ConfigError(
                "a server that learns nothing has no model to evaluate",
                came="an evaluate_fn",
                action="let clients evaluate, or reveal the aggregate",
            )
        return super().start(
            grid,
            initial_arrays,
            num_rounds,
            timeout,
            train_config,
            evaluate_config,
            evaluate_fn,
        )

    def begin(
        self, arrays: ArrayRecord, grid: Grid, *, num_rounds: int = 0
    ) -> Resumption | None:
        """Open the journal once, and learn the layout of the initial model."""
        resumption = super().begin(arrays, grid, num_rounds=num_rounds)
        if self._relay is None:
            model = read_arrays(arrays)
            self._layout = Layout.of(model, self.encryption.clear)
            if not self._layout.encrypted:
                raise ConfigError(
                    "encryption needs an array of floats that is not in clear",
                    came=f"clear={self.encryption.clear!r}",
                    action="narrow the patterns",
                )
            self._relay = new_relay(self.encryption, self.book.run_id)
            if self.encryption.reveal is Reveal.NOTHING:
                self._sealed_size = sealed_size(model, self.book.run_id)
        return resumption

    def configure_train(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """Share the secret with nodes that lack it; tell each its weight."""
        super().configure_train(server_round, arrays, config, grid)
        if self._exchange is None:
            return []
        self._exchange = self._announced(self._exchange)
        return self._exchange.messages

    def configure_evaluate(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """Ask nodes to evaluate; say so where the model is sealed."""
        self.begin(arrays, grid)
        messages = list(super().configure_evaluate(server_round, arrays, config, grid))
        if SEALED in arrays:
            for message in messages:
                message.content = self._with(message, {PHASE: Phase.MODEL.value})
        return messages

    def _announced(self, exchange: Exchange) -> Exchange:
        """Return the exchange whose messages carry the terms of each client."""
        state = apply_actions(self.state, exchange.actions, self.config)
        shares = factors(state, exchange.identities, self.config)
        for message in exchange.messages:
            factor = shares[message.metadata.dst_node_id]
            terms = self.encryption.terms(addends=len(exchange.messages), factor=factor)
            values = {PHASE: Phase.UPDATE.value, **terms.to_values()}
            message.content = self._with(message, values)
        return exchange

    def _with(self, message: Message, values: dict[str, Any]) -> RecordDict:
        """Return a content of its own: strategies share one between all messages."""
        told = ConfigRecord({**self._named, **values})
        return RecordDict({**dict(message.content.items()), HE_RECORD: told})

    @property
    def _named(self) -> dict[str, Any]:
        return {RUN_ID: self.book.run_id, KEY_ID: self._ready[0].key_id}

    @property
    def _ready(self) -> tuple[Relay, Layout]:
        if self._relay is None or self._layout is None:
            raise RunError("a round needs a run", came="none", action="call start()")
        return self._relay, self._layout

    def _connected(self, grid: Grid) -> dict[str, int]:
        """Return the connected nodes that hold the secret.

        Raises
        ------
        RunError
            If they are fewer than the least that a sum needs.
        """
        connected = super()._connected(grid)
        relay, _ = self._ready
        relay.update(grid, connected)
        holding = {name: node for name, node in connected.items() if node in relay.holders}
        if len(holding) < self.encryption.minimum:
            raise RunError(
                f"an encrypted round needs {self.encryption.minimum} nodes with the secret",
                came=f"{len(holding)} of {len(connected)}",
                action="look at the clients' logs, or lower the minimum",
            )
        return holding

    def _collect(self, exchange: Exchange, replies: Iterable[Message]) -> list[Answer]:
        _, layout = self._ready
        gate = CiphertextGate(
            {name: exchange.base[name] for name in layout.clear},
            weight_key=self._weight_key,
            config=replace(self.config.gate, max_examples=self.encryption.examples_cap),
            adder=self._round(exchange).adder(),
        )
        return exchange.collect(
            replies, gate=gate, roster=self._roster, state=self.state, run_id=self.book.run_id
        )

    def _gather(
        self, exchange: Exchange, answers: Sequence[Answer]
    ) -> tuple[tuple[ReplyFacts, ...], dict[str, NDArray[np.float64]]]:
        return unmeasured_facts(answers), {}

    def _settle(
        self, exchange: Exchange, answers: Sequence[Answer], facts: RoundFacts
    ) -> Settled:
        state, decision = decide(self.state, facts, self.config)
        outcome = self._round(exchange).settle(self._inner, answers, decision)
        return Settled(facts, state, decision, outcome)

    def _round(self, exchange: Exchange) -> EncryptedRound:
        relay, layout = self._ready
        return EncryptedRound(
            encryption=self.encryption,
            exchange=exchange,
            layout=layout,
            key_id=relay.key_id,
            decryptor=relay.decryptor,
            config=self.config,
            roster=self._roster,
            state=self.state,
            run_id=self.book.run_id,
            sealed_size=self._sealed_size,
            seed=self.book.seed,
        )
