"""One round of secure aggregation: the groups' sums around Flower's own training phase."""

from __future__ import annotations

import copy
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from logging import WARNING

import numpy as np
from flwr.app import ConfigRecord, Message, RecordDict
from flwr.common import log

from parity_flwr.core.records import ReplyFacts, ReputationState, Verdict
from parity_flwr.core.secagg.messages import MaskedInput
from parity_flwr.core.secagg.session import NONCE_BYTES, Session
from parity_flwr.core.secagg.update import (
    MeanUpdate,
    configuration_hash,
    mean_update,
    summed_length,
)
from parity_flwr.core.wire import MASKED_ARRAY, SECAGG_RECORD
from parity_flwr.errors import ConfigError
from parity_flwr.strategies.conversation import Conversation, secagg_record
from parity_flwr.strategies.exchange import Exchange
from parity_flwr.strategies.facts import reply_facts
from parity_flwr.strategies.gate import Gate
from parity_flwr.strategies.identity import Roster
from parity_flwr.strategies.intake import Answer
from parity_flwr.strategies.secure_config import SecureSetup
from parity_flwr.strategies.secure_sum import SecureSum, complaints


@dataclass(frozen=True)
class GroupMean:
    """A group, as identities, and its mean update, or why there is none."""

    members: tuple[str, ...]
    mean: MeanUpdate | str


@dataclass
class SecureRound:
    """Everything between the choice of clients and the groups' mean updates.

    Parameters
    ----------
    exchange : Exchange
        The training messages of all chosen clients, not sent yet.
    setup : SecureSetup
        Range, weights, timeouts.
    run_id : str
        Of the run.
    """

    exchange: Exchange
    setup: SecureSetup
    run_id: str
    sums: list[SecureSum] = field(default_factory=list)
    _answers: Sequence[Answer] = ()

    def begin(self, groups: Sequence[Sequence[int]], bound: Mapping[int, bytes]) -> None:
        """Let every group exchange keys and shares.

        ``bound`` are the identity keys that nodes signed with in earlier rounds.
        """
        self.sums = [
            SecureSum(self._session(len(group)), tuple(sorted(group)), bound)
            for group in groups
        ]
        self._conversation.begin(self.sums)
        asked = {n: record for each in self.sums for n, record in each.ask_masked().items()}
        messages = [
            _with_record(message, asked[message.metadata.dst_node_id])
            for message in self.exchange.messages
            if message.metadata.dst_node_id in asked
        ]
        self.exchange = replace(self.exchange, messages=messages)

    def finish(
        self, replies: Iterable[Message], *, roster: Roster, state: ReputationState
    ) -> None:
        """Take the masked vectors, and let the survivors open the sums."""
        length = summed_length(self.exchange.base)
        gate = Gate({MASKED_ARRAY: np.zeros(length, np.uint32)}, config=self.setup.config.gate)
        self._answers = self.exchange.collect(
            replies, gate=gate, roster=roster, state=state, run_id=self.run_id
        )
        inputs: dict[int, MaskedInput] = {}
        refused: dict[int, str] = {}
        for answer in self._answers:
            if answer.passed is None or answer.message is None:
                continue
            told = complaints(secagg_record(answer.message))
            if isinstance(told, str):
                refused[answer.asked.node_id] = told
            else:
                words = answer.passed.arrays[MASKED_ARRAY]
                inputs[answer.asked.node_id] = MaskedInput(words, told)
        for each in self.sums:
            mine = set(each.nodes)
            each.reasons |= {n: text for n, text in refused.items() if n in mine}
            each.take_masked({n: one for n, one in inputs.items() if n in mine})
        self._conversation.finish(self.sums)
        for each in self.sums:
            if each.lost is not None:
                log(
                    WARNING,
                    "A sum of %d clients is lost: %s",
                    len(each.nodes),
                    each.lost.reason,
                )

    @property
    def answers(self) -> Sequence[Answer]:
        """What became of each client that was asked for a masked vector."""
        return self._answers

    def means(self) -> list[GroupMean]:
        """Return each group's members and mean update; members are those in the sum."""
        return [self._mean(each) for each in self.sums]

    def facts(self) -> tuple[ReplyFacts, ...]:
        """Return what was seen of every chosen client, sorted by identity."""
        answered = {answer.asked.node_id: answer for answer in self._answers}
        found = [
            self._fact(node, one, index, answered.get(node))
            for index, one in enumerate(self.sums)
            for node in one.nodes
        ]
        return tuple(sorted(found, key=lambda each: each.identity))

    @property
    def _conversation(self) -> Conversation:
        return Conversation(self.exchange.grid, self.setup.stage_timeout_s)

    def _session(self, size: int) -> Session:
        return Session(
            run_id=self.run_id,
            round=self.exchange.round,
            nonce=secrets.token_bytes(NONCE_BYTES),
            base_hash=self.exchange.base_hash,
            config_hash=_shared_configuration(self.exchange.messages),
            length=summed_length(self.exchange.base),
            addends=max(size, 3),
            clipping_range=float(self.setup.clipping_range),
            weight_cap=self.setup.weight_cap,
            degree=self.setup.degree,
        )

    def _mean(self, one: SecureSum) -> GroupMean:
        names = tuple(self.exchange.identities[node] for node in one.survivors)
        if one.opened is None:
            return GroupMean(names, one.lost.reason if one.lost else "it was not opened")
        found = mean_update(one.session, one.opened.words, clients=len(names))
        return GroupMean(names, found)

    def _fact(self, node: int, one: SecureSum, group: int, answer: Answer | None) -> ReplyFacts:
        identity, reason = self.exchange.identities[node], one.reasons.get(node, "")
        figures = {"group": float(group)}
        if node in one.survivors and answer is not None:
            # Its vector is in the sum, whatever else it did.
            return replace(reply_facts(answer), reason=reason[:200], figures=figures)
        if answer is not None and answer.verdict is not Verdict.ACCEPTED:
            return replace(reply_facts(answer), figures=figures)
        fact = ReplyFacts(identity=identity, verdict=Verdict.QUARANTINED, node_id=node)
        if reason:
            return replace(fact, reason=reason[:200], figures=figures)
        if one.lost is not None and node in one.answered:
            text = f"its sum was lost: {one.lost.reason}"
            return replace(fact, verdict=Verdict.ABSTAINED, reason=text, figures=figures)
        missing = replace(fact, verdict=Verdict.MISSING, fault=True, figures=figures)
        return replace(missing, reason="no reply at a stage before training")


def _shared_configuration(messages: Sequence[Message]) -> str:
    """Return the hash of the configuration that all messages carry."""
    found = {
        configuration_hash(
            {name: dict(each) for name, each in message.content.config_records.items()}
        )
        for message in messages
    }
    if len(found) > 1:
        raise ConfigError(
            "secure aggregation needs one configuration for all clients",
            came=f"{len(found)} different ones from the inner strategy",
            action="use a strategy that sends everybody the same",
        )
    return found.pop() if found else ""


def _with_record(message: Message, record: Mapping[str, object]) -> Message:
    """Return a copy of the message that also carries a stage of secure aggregation."""
    twin = copy.copy(message)
    stage = ConfigRecord(dict(record))  # type: ignore[arg-type]
    twin.content = RecordDict({**dict(message.content.items()), SECAGG_RECORD: stage})
    return twin
