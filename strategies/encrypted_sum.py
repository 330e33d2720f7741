"""From the ciphertexts of one round to the next model."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from flwr.app import Message, MetricRecord, RecordDict
from flwr.serverapp.strategy import Strategy
from numpy.typing import NDArray

from parity_flwr.core.config import TrustConfig
from parity_flwr.core.encryption.bfv import BfvAdder
from parity_flwr.core.encryption.sealed_model import next_model
from parity_flwr.core.encryption.terms import (
    CIPHERTEXT,
    HE_RECORD,
    KEY_ID,
    PHASE,
    RUN_ID,
    SEALED,
    SIZE,
    SUMS,
    TOTAL,
    Layout,
    Phase,
    Reveal,
    Terms,
    sums_dtype,
)
from parity_flwr.core.records import ReputationState, RoundDecision, RoundStatus
from parity_flwr.errors import DataError
from parity_flwr.strategies.arrays import write_arrays
from parity_flwr.strategies.encryption_setup import Encryption
from parity_flwr.strategies.exchange import Exchange
from parity_flwr.strategies.forwarding import lower_median, uniform_metrics
from parity_flwr.strategies.gate import Arrays
from parity_flwr.strategies.identity import Roster
from parity_flwr.strategies.inner import setting
from parity_flwr.strategies.intake import Answer
from parity_flwr.strategies.opening import Opened, Question, open_by_majority
from parity_flwr.strategies.settlement import Outcome, aggregate_copies

_OPEN = 3  # this choice's own random stream


@dataclass(frozen=True, kw_only=True)
class EncryptedRound:
    """One round's parameters on the server's side.

    Parameters
    ----------
    encryption, exchange, layout, key_id
        What was asked, of which arrays, under which key.
    config, roster, state, run_id
        What checks the openers.
    decryptor : int
        Node that opens alone; 0 where clients do.
    sealed_size : int
        Length of a sealed model; 0 where the aggregate is revealed.
    seed : int or None
        Makes the choice of openers repeatable.
    """

    encryption: Encryption
    exchange: Exchange
    layout: Layout
    key_id: bytes
    config: TrustConfig
    roster: Roster
    state: ReputationState
    run_id: str
    decryptor: int = 0
    sealed_size: int = 0
    seed: int | None = None

    @property
    def terms(self) -> Terms:
        """The round's terms, with the weight of nobody in particular."""
        return self.encryption.terms(addends=len(self.exchange.messages), factor=1.0)

    def adder(self) -> BfvAdder:
        """Return an empty sum."""
        return BfvAdder(self.terms.plan, size=self.layout.size, key_id=self.key_id)

    def settle(
        self, inner: Strategy, answers: Sequence[Answer], decision: RoundDecision
    ) -> Outcome:
        """Return the next model; the old one with a note if there can be none."""
        stays = Outcome(self.exchange.base, self.exchange.record)
        if decision.status is RoundStatus.REJECTED:
            return stays
        shares = {each.identity: each.weight for each in decision.replies}
        summed = [each for each in answers if shares[each.asked.identity] > 0 and each.passed]
        if len(summed) < self.encryption.minimum:
            note = f"a sum of {self.encryption.minimum} updates is needed, {len(summed)} came"
            return _noted(stays, note)
        opened = self._open(summed)
        if opened.arrays is None:
            return _noted(stays, opened.note)
        told = MetricRecord({"he-addends": len(summed), "he-agreeing": opened.agreeing})
        if self.encryption.reveal is Reveal.NOTHING:
            return Outcome(opened.arrays, write_arrays(opened.arrays), told)
        weights = [shares[each.asked.identity] for each in summed]
        try:
            model = self._model(opened.arrays, summed, weights)
        except DataError as error:
            return _noted(stays, str(error))
        outcome = aggregate_copies(
            inner, self.exchange, [self._reply(inner, model, summed, weights)]
        )
        return Outcome(
            outcome.model,
            outcome.arrays,
            MetricRecord({**(outcome.metrics or {}), **told}),
            outcome.note,
        )

    def _open(self, summed: Sequence[Answer]) -> Opened:
        adder = self.adder()
        for each in summed:
            if each.passed is not None:
                adder.add(adder.check(each.passed.arrays[CIPHERTEXT].data))
        sealed = self.encryption.reveal is Reveal.NOTHING
        encrypted = np.frombuffer(adder.total(), np.uint8)
        base: Arrays = self.exchange.base if sealed else {}
        values: dict[str, Any] = {
            **self.terms.to_values(),
            PHASE: Phase.OPEN.value,
            RUN_ID: self.run_id,
            KEY_ID: self.key_id,
            SIZE: self.layout.size,
            TOTAL: self._total(summed),
        }
        exchange, openers = self._openers(summed)
        return open_by_majority(
            Question(
                arrays={**base, CIPHERTEXT: encrypted},
                values=values,
                expected=self._expected(sealed),
                addends=adder.addends,
                timeout_s=self.encryption.timeout_s,
            ),
            exchange,
            openers,
            config=self.config.gate,
            roster=self.roster,
            state=self.state,
            run_id=self.run_id,
        )

    def _expected(self, sealed: bool) -> Arrays:
        if sealed:
            return {SEALED: np.zeros(self.sealed_size, np.uint8)}
        return {SUMS: np.zeros(self.layout.size, sums_dtype(self.terms.plan))}

    def _openers(self, summed: Sequence[Answer]) -> tuple[Exchange, Sequence[int]]:
        """Return the nodes that open, and the exchange that knows them."""
        if self.decryptor:
            names = {**self.exchange.identities, self.decryptor: self.encryption.decryptor}
            return replace(self.exchange, identities=names), [self.decryptor]
        nodes = [each.asked.node_id for each in summed]
        wanted = self.encryption.openers
        if wanted is None or wanted >= len(nodes):
            return self.exchange, nodes
        seed = None if self.seed is None else [abs(self.seed), self.exchange.round, _OPEN]
        chosen = np.random.default_rng(seed).choice(len(nodes), wanted, replace=False)
        return self.exchange, [nodes[k] for k in sorted(chosen.tolist())]

    def _total(self, summed: Sequence[Answer]) -> float:
        """Return by what the sum is divided: what the clients multiplied by, added up."""
        factors = {
            message.metadata.dst_node_id: message.content.config_records[HE_RECORD]["factor"]
            for message in self.exchange.messages
        }
        cap = self.encryption.examples_cap
        return sum(
            float(str(factors[each.asked.node_id])) * each.passed.num_examples / cap
            for each in summed
            if each.passed
        )

    def _model(
        self, opened: Arrays, summed: Sequence[Answer], weights: Sequence[float]
    ) -> dict[str, NDArray[Any]]:
        model = next_model(
            self.exchange.base,
            self.layout,
            plan=self.terms.plan,
            sums=opened[SUMS],
            addends=len(summed),
            total=self._total(summed),
        )
        for name in self.layout.clear:
            arrays = [each.passed.arrays[name] for each in summed if each.passed]
            model[name] = _average(arrays, weights)
        return model

    def _reply(
        self,
        inner: Strategy,
        model: Arrays,
        summed: Sequence[Answer],
        weights: Sequence[float],
    ) -> Message:
        """Return the one reply that the inner strategy sees: everybody's mean."""
        weight_key = str(setting(inner, "weighted_by_key", "num-examples"))
        examples = sum(each.passed.num_examples for each in summed if each.passed)
        rows = uniform_metrics(
            [each.passed.metrics for each in summed if each.passed], skip=weight_key
        )
        means = {
            name: float(np.dot([row[name] for row in rows], weights))
            for name, value in (rows[0] if rows else {}).items()
            if not isinstance(value, list)
        }
        reply = copy.copy(next(each.message for each in summed if each.message))
        reply.content = RecordDict(
            {
                str(setting(inner, "arrayrecord_key", "arrays")): write_arrays(model),
                "metrics": MetricRecord({**means, weight_key: float(examples)}),
            }
        )
        return reply


def _average(arrays: Sequence[NDArray[Any]], weights: Sequence[float]) -> NDArray[Any]:
    """Return the weighted mean of floats, the lower median of counters."""
    if arrays[0].dtype.kind != "f":
        return lower_median(arrays)
    total = sum(
        weight * array.astype(np.float64) for array, weight in zip(arrays, weights, strict=True)
    )
    return np.asarray(total, arrays[0].dtype)


def _noted(outcome: Outcome, note: str) -> Outcome:
    return Outcome(outcome.model, outcome.arrays, None, " ".join(note.split())[:300])
