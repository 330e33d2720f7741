"""One secure sum as the server drives it: what each stage asks, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from parity_flwr.core.secagg import server
from parity_flwr.core.secagg.delivery import pack_delivery
from parity_flwr.core.secagg.messages import (
    Advertisement,
    Deal,
    MaskedInput,
    Release,
    confirmation_payload,
    pack_advertisements,
    pack_confirmations,
    pack_subset,
    unpack_ids,
)
from parity_flwr.core.secagg.opening import Opened, open_sum
from parity_flwr.core.secagg.participants import Participants
from parity_flwr.core.secagg.server import Dealt, Lost, Summed
from parity_flwr.core.secagg.session import LEAST_PARTICIPANTS, Session
from parity_flwr.core.signatures import verify
from parity_flwr.core.wire import ADVERTISE, CONFIRM, MASK, SECAGG_STAGE, SHARE, UNMASK
from parity_flwr.errors import ConfigError

Record = Mapping[str, Any]
Records = Mapping[int, Record]
"""One stage's records, by node."""


@dataclass
class SecureSum:
    """A group of nodes, their session, and how far they got.

    Every ``ask`` returns the records to send by node, every ``take`` reads the replies.
    ``reasons`` says of each node that sent nonsense why it was left out; once the sum is
    ``lost`` nobody is asked any more.

    Parameters
    ----------
    session : Session
        What is announced.
    nodes : tuple of int
        The group.
    bound : mapping of int to bytes
        Identity keys that nodes signed with in earlier rounds.
    """

    session: Session
    nodes: tuple[int, ...]
    bound: Mapping[int, bytes] = field(default_factory=dict)
    reasons: dict[int, str] = field(default_factory=dict)
    lost: Lost | None = None
    participants: Participants | None = None
    dealt: Dealt | None = None
    summed: Summed | None = None
    opened: Opened | None = None
    answered: set[int] = field(default_factory=set)  # at the last stage that was read
    _signed: dict[int, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.nodes) < LEAST_PARTICIPANTS:
            self.lost = Lost(f"{len(self.nodes)} clients, at least {LEAST_PARTICIPANTS} needed")

    def ask_keys(self) -> dict[int, dict[str, Any]]:
        """Announce the session."""
        record = {SECAGG_STAGE: ADVERTISE, **self.session.to_record()}
        return {} if self.lost else {node: dict(record) for node in self.nodes}

    def take_keys(self, replies: Records) -> None:
        """Read the advertised keys."""
        self.answered = set(replies)
        found: dict[int, Advertisement] = {}
        for node, record in replies.items():
            try:
                found[node] = Advertisement.unpack(record.get("keys", b""))
            except ConfigError as error:
                self.reasons[node] = str(error)
                continue
            if self.bound.get(node, found[node].identity) != found[node].identity:
                self.reasons[node] = "keys signed by another identity than this one's"
                del found[node]
        outcome, reasons = server.collect_advertisements(self.session, found)
        self.reasons |= reasons
        if isinstance(outcome, Lost):
            self.lost = outcome
        else:
            self.participants = outcome

    def ask_shares(self) -> dict[int, dict[str, Any]]:
        """Pass everybody's keys on."""
        if self.lost or self.participants is None:
            return {}
        packed = pack_advertisements(self.participants.advertisements)
        return {n: {SECAGG_STAGE: SHARE, "keys": packed} for n in self.participants.ids}

    def take_shares(self, replies: Records) -> None:
        """Read the dealt shares."""
        if self.lost or self.participants is None:
            return
        self.answered = set(replies)
        deals: dict[int, Deal] = {}
        for node in self.participants.ids:
            if node in replies:
                sealed_to = len(self.participants.sealed_to(node))
                holders = len(self.participants.holders(node))
                try:
                    deals[node] = Deal.from_record(
                        replies[node], sealed_to=sealed_to, holders=holders
                    )
                except ConfigError as error:
                    self.reasons[node] = str(error)
        outcome = server.collect_deals(self.participants, deals)
        if isinstance(outcome, Lost):
            self.lost = outcome
        else:
            self.dealt = outcome

    def ask_masked(self) -> dict[int, dict[str, Any]]:
        """Deliver the sealed shares; the model goes with them."""
        if self.lost or self.dealt is None:
            return {}
        asked = {}
        for node in self.dealt.deals:
            packed = pack_delivery(self.dealt.participants, node, self.dealt.delivery(node))
            asked[node] = {SECAGG_STAGE: MASK, **packed}
        return asked

    def take_masked(self, inputs: Mapping[int, MaskedInput]) -> None:
        """Add the masked vectors of those that can be unmasked together."""
        if self.lost or self.dealt is None:
            return
        self.answered = set(inputs)
        outcome, reasons = server.collect_masked(self.dealt, inputs)
        self.reasons |= reasons
        if isinstance(outcome, Lost):
            self.lost = outcome
        else:
            self.summed = outcome

    def ask_confirmations(self) -> dict[int, dict[str, Any]]:
        """Say whose vectors are in the sum."""
        if self.lost or self.summed is None or self.participants is None:
            return {}
        survivors = pack_subset(self.participants.ids, self.summed.survivors)
        asked = {SECAGG_STAGE: CONFIRM, "survivors": survivors}
        return {node: dict(asked) for node in self.summed.survivors}

    def take_confirmations(self, replies: Records) -> None:
        """Keep the valid signatures."""
        if self.lost or self.summed is None or self.participants is None:
            return
        self.answered = set(replies)
        survivors = self.summed.survivors
        payload = confirmation_payload(self.participants.transcript, survivors)
        for node in survivors:
            signature = replies.get(node, {}).get("signature")
            if isinstance(signature, bytes):
                if verify(self.participants.of(node).identity, payload, signature):
                    self._signed[node] = signature
                else:
                    self.reasons[node] = "its confirmation is not validly signed"
        needed = self.participants.quorum
        if len(self._signed) < needed:
            self.lost = Lost(f"{len(self._signed)} of {needed} survivors confirmed")

    def ask_releases(self) -> dict[int, dict[str, Any]]:
        """Show everybody that a quorum saw the same survivors, and ask for the shares."""
        if self.lost or self.summed is None or self.participants is None:
            return {}
        quorum = dict(list(self._signed.items())[: self.participants.quorum])
        asked = {SECAGG_STAGE: UNMASK, **pack_confirmations(self.summed.survivors, quorum)}
        return {node: dict(asked) for node in self._signed}

    def take_releases(self, replies: Records) -> None:
        """Open the sum."""
        if self.lost or self.summed is None:
            return
        self.answered = set(replies)
        releases: dict[int, Release] = {}
        for node in self.summed.survivors:
            if node in replies:
                seed_of, key_of = self.summed.reveals(node)
                try:
                    releases[node] = Release.from_record(
                        replies[node], seed_of=seed_of, key_of=key_of
                    )
                except ConfigError as error:
                    self.reasons[node] = str(error)
        outcome = open_sum(self.summed, releases)
        if isinstance(outcome, Lost):
            self.lost = replace(outcome)
            self.reasons |= outcome.culprits
        else:
            self.opened = outcome
            self.reasons |= outcome.wrong

    @property
    def survivors(self) -> tuple[int, ...]:
        """Whose vectors are in the opened sum."""
        return self.summed.survivors if self.opened and self.summed else ()


def complaints(record: Record) -> frozenset[int] | str:
    """Read whose shares a client could not use, or why that cannot be read."""
    try:
        return frozenset(unpack_ids(record.get("complaints")))
    except ConfigError as error:
        return str(error)
