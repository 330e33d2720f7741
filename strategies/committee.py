"""The extra exchange in which drawn validators judge candidate models."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from flwr.app import ArrayRecord, ConfigRecord, Message, MessageType, RecordDict
from flwr.serverapp import Grid
from numpy.typing import NDArray

from parity_flwr.core.config import CommitteeConfig, ReputationConfig
from parity_flwr.core.consensus import Vote
from parity_flwr.core.records import BallotFacts, ReputationState
from parity_flwr.core.reputation import standing_of
from parity_flwr.core.signatures import ballot_payload, verify
from parity_flwr.core.validation import WORST_RISE, millionths
from parity_flwr.core.wire import (
    BASE_RECORD,
    CANDIDATES,
    LOSS_RISES,
    PARITY_RECORD,
    PUBLIC_KEY,
    SIGNATURE,
    TOLERANCE,
    VOTE,
    candidate_record,
)
from parity_flwr.strategies.exchange import name_round

_MAX_BYTES = 512  # of a key or a signature


@dataclass(frozen=True, kw_only=True)
class Committee:
    """The validators of one round and what they are asked.

    Parameters
    ----------
    members : mapping of str to int
        Node id by identity.
    grid : Grid
        How to reach them.
    run_id, round
        What a signed ballot binds besides the candidate.
    config : CommitteeConfig
        The tolerance.
    timeout_s : float
        How long to wait for ballots; who has not answered then is absent.
    """

    members: Mapping[str, int]
    grid: Grid
    run_id: str
    round: int
    config: CommitteeConfig
    timeout_s: float

    def vote(
        self, base: ArrayRecord, candidate: ArrayRecord, *, hash: str, state: ReputationState
    ) -> tuple[BallotFacts, ...]:
        """Return one ballot per member on a candidate model, sorted by identity."""
        replies = self._ask(base, [candidate])
        return tuple(
            self._ballot(identity, node_id, replies.get(node_id), hash, state)
            for identity, node_id in sorted(self.members.items())
        )

    def review(
        self, base: ArrayRecord, candidates: Sequence[ArrayRecord]
    ) -> dict[str, NDArray[np.float64]]:
        """Return by how much each candidate raises each answering member's loss, (m,) each."""
        replies = self._ask(base, candidates)
        reviews = {
            identity: _rises(replies.get(node_id), len(candidates))
            for identity, node_id in sorted(self.members.items())
        }
        return {
            identity: np.array(rises, np.float64) / 1e6
            for identity, rises in reviews.items()
            if rises is not None
        }

    def _ask(self, base: ArrayRecord, candidates: Sequence[ArrayRecord]) -> dict[int, Message]:
        """Send the question and return the replies of members that answered exactly once."""
        config = name_round(ConfigRecord(), self.round, self.run_id)
        config[CANDIDATES] = len(candidates)
        config[TOLERANCE] = millionths(self.config.tolerance)
        records = {candidate_record(k): each for k, each in enumerate(candidates)}
        content = RecordDict({BASE_RECORD: base, **records, "config": config})
        questions = [
            Message(content=content, message_type=MessageType.EVALUATE, dst_node_id=node_id)
            for node_id in sorted(self.members.values())
        ]
        answers = list(self.grid.send_and_receive(questions, timeout=self.timeout_s))
        return _once(answers, set(self.members.values()))

    def _ballot(
        self,
        identity: str,
        node_id: int,
        reply: Message | None,
        hash: str,
        state: ReputationState,
    ) -> BallotFacts:
        absent = BallotFacts(identity=identity, node_id=node_id)
        if reply is None:
            return replace(absent, reason="no usable reply")
        vote, rise, key, signature = _read(reply)
        if vote is None or (rise is None) != (vote is Vote.ABSTAIN):
            return replace(absent, reason="no ballot in the reply")
        payload = ballot_payload(
            run_id=self.run_id,
            round=self.round,
            candidate_hash=hash,
            vote=vote.value,
            loss_rise=rise,
        )
        bound = standing_of(state, identity, ReputationConfig()).public_key
        reason = _forgery(bound, key, signature, payload)
        if reason:
            return replace(absent, reason=reason)
        return replace(
            absent,
            vote=vote.value,
            loss_rise=rise,
            public_key=key.hex() if signature else "",
            signature=signature.hex(),
        )


def _once(answers: Iterable[Message], asked: set[int]) -> dict[int, Message]:
    answers = list(answers)
    count = Counter(each.metadata.src_node_id for each in answers)
    return {
        each.metadata.src_node_id: each
        for each in answers
        if each.metadata.src_node_id in asked
        and count[each.metadata.src_node_id] == 1
        and not each.has_error()
    }


def _read(reply: Message) -> tuple[Vote | None, int | None, bytes, bytes]:
    record = reply.content.config_records.get(PARITY_RECORD, ConfigRecord())
    text = record.get(VOTE)
    votes = {vote.value: vote for vote in Vote}
    vote = votes.get(text) if isinstance(text, str) else None
    rises = _rises(reply, 1)
    return (
        vote,
        rises[0] if rises else None,
        _bytes(record, PUBLIC_KEY),
        _bytes(record, SIGNATURE),
    )


def _bytes(record: ConfigRecord, name: str) -> bytes:
    value = record.get(name, b"")
    return value[:_MAX_BYTES] if isinstance(value, bytes) else b""


def _rises(reply: Message | None, count: int) -> list[int] | None:
    """Return the reported rises, None unless they are ``count`` plausible integers."""
    if reply is None:
        return None
    record = reply.content.config_records.get(PARITY_RECORD, ConfigRecord())
    rises = record.get(LOSS_RISES)
    if not isinstance(rises, list) or len(rises) != count:
        return None
    if any(type(rise) is not int or abs(rise) > WORST_RISE for rise in rises):
        return None
    return [int(rise) for rise in rises]


def _forgery(bound: str, key: bytes, signature: bytes, payload: bytes) -> str:
    """Return why a ballot's signature does not do, empty if it does."""
    if not signature:
        return "not signed" if bound else ""
    if bound and key.hex() != bound:
        return "signed with another key than this identity's"
    return "" if verify(key, payload, signature) else "the signature does not verify"
