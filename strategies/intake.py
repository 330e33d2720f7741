"""From a round's replies to what became of each selected node."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from flwr.app import ConfigRecord, Message, RecordDict

from parity_flwr.core.encoding import model_hash
from parity_flwr.core.records import Standing, Verdict
from parity_flwr.core.signatures import update_payload, verify
from parity_flwr.core.wire import PARITY_RECORD, PUBLIC_KEY, SIGNATURE
from parity_flwr.strategies.attestation import Binding, attested
from parity_flwr.strategies.gate import Gate, Passed, Refused
from parity_flwr.strategies.identity import CLAIMED, reported_partition

_MAX_SIGNATURE = 512  # bytes; an Ed25519 signature has 64
_MAX_TIME_S = 1e9


@dataclass(frozen=True)
class Asked:
    """One selected node: who it is, and why its reply must be refused whatever it says."""

    node_id: int
    identity: str
    conflict: str = ""
    standing: Standing | None = None
    message_id: str = ""
    sent_at: float = 0.0


@dataclass(frozen=True)
class Answer:
    """What became of one selected node."""

    asked: Asked
    verdict: Verdict
    reason: str = ""
    fault: bool = False
    passed: Passed | None = None
    message: Message | None = None
    update_hash: str = ""
    public_key: bytes = b""
    signature: bytes = b""
    attested_examples: int | None = None  # n_k that the sender of a refused reply signed
    time_s: float = 0.0  # response time by the clock in force


@dataclass(frozen=True)
class Intake:
    """Collects the replies of one round behind the gate.

    Parameters
    ----------
    gate : Gate
        The checks on one reply.
    run_id, round, base_hash
        What a client's signature binds besides the update and n_k.
    trust_partitions : bool
        Whether the reported partition must agree with the identity.
    """

    gate: Gate
    run_id: str
    round: int
    base_hash: str
    trust_partitions: bool = False

    def collect(self, asked: Sequence[Asked], replies: Iterable[Message]) -> list[Answer]:
        """Return one answer for each selected node, sorted by identity.

        A reply is attributed to its sender; an error that the SuperLink sends on a node's
        behalf, to the node whose message it answers. Replies of nodes that were not asked
        are dropped.
        """
        by_node = attribute(asked, replies)
        answers = [self._answer(each, by_node.get(each.node_id, [])) for each in asked]
        return sorted(answers, key=lambda answer: answer.asked.identity)

    def _answer(self, asked: Asked, replies: Sequence[Message]) -> Answer:
        if not replies:
            return Answer(asked, Verdict.MISSING, "no reply before the deadline", fault=True)
        if len(replies) > 1:
            return _refuse(asked, Refused(f"{len(replies)} replies instead of one"))
        if asked.conflict:
            return _refuse(asked, Refused(f"claims {asked.conflict}, which another node holds"))
        checked = self.gate.inspect(replies[0])
        if isinstance(checked, Refused):
            return self._blame(asked, replies[0], _refuse(asked, checked))
        return self._admit(asked, replies[0], checked)

    def _blame(self, asked: Asked, message: Message, answer: Answer) -> Answer:
        """Keep what the sender of a refused reply signed, which is evidence against it."""
        if answer.fault:
            return answer
        key, signature = _signature(message.content)
        binding = Binding(
            run_id=self.run_id,
            round=self.round,
            base_hash=self.base_hash,
            public_key=key,
            signature=signature,
            bound_key=asked.standing.public_key if asked.standing is not None else "",
        )
        signed = attested(message, binding, gate=self.gate)
        if signed is None:
            return answer
        return replace(
            answer,
            update_hash=signed.update_hash,
            public_key=key,
            signature=signature,
            attested_examples=signed.num_examples,
        )

    def _admit(self, asked: Asked, message: Message, passed: Passed) -> Answer:
        update_hash = model_hash(passed.arrays)
        key, signature = _signature(message.content)
        complaint = self._claims(asked, message.content) or self._forgery(
            asked, passed, update_hash, key, signature
        )
        if complaint:
            return _refuse(asked, Refused(complaint))
        abstained = passed.num_examples == 0
        return Answer(
            asked,
            Verdict.ABSTAINED if abstained else Verdict.ACCEPTED,
            "no examples" if abstained else "",
            passed=passed,
            message=message,
            update_hash=update_hash,
            public_key=key,
            signature=signature,
            time_s=_response_time(asked, message),
        )

    def _claims(self, asked: Asked, content: RecordDict) -> str:
        partition = reported_partition(content)
        if not self.trust_partitions or partition is None:
            return ""
        if not asked.identity.startswith(CLAIMED):  # it gave no name when it was asked
            return ""
        claimed = f"{CLAIMED}{partition}"
        return "" if claimed == asked.identity else f"now claims {claimed}"

    def _forgery(
        self, asked: Asked, passed: Passed, update_hash: str, key: bytes, signature: bytes
    ) -> str:
        """Return why the signature does not do, empty if it does."""
        bound = asked.standing.public_key if asked.standing is not None else ""
        if not signature:
            needed = self.gate.config.require_signature or bool(bound)
            return "not signed" if needed else ""
        if bound and key.hex() != bound:
            return "signed with another key than this identity's"
        payload = update_payload(
            run_id=self.run_id,
            round=self.round,
            base_hash=self.base_hash,
            update_hash=update_hash,
            num_examples=passed.num_examples,
        )
        return "" if verify(key, payload, signature) else "the signature does not verify"


def _refuse(asked: Asked, refused: Refused) -> Answer:
    return Answer(asked, Verdict.QUARANTINED, refused.reason, refused.fault)


def attribute(
    asked: Sequence[Asked], replies: Iterable[Message]
) -> Mapping[int, Sequence[Message]]:
    """Return the replies of each node that was asked, errors by the message they answer."""
    nodes = {each.node_id for each in asked}
    by_message = {each.message_id: each.node_id for each in asked if each.message_id}
    found: dict[int, list[Message]] = defaultdict(list)
    for reply in replies:
        sender = reply.metadata.src_node_id
        if sender not in nodes and reply.has_error():
            sender = by_message.get(reply.metadata.reply_to_message_id, sender)
        if sender in nodes:
            found[sender].append(reply)
    return found


def _signature(content: RecordDict) -> tuple[bytes, bytes]:
    record = content.config_records.get(PARITY_RECORD, ConfigRecord())
    key, signature = record.get(PUBLIC_KEY, b""), record.get(SIGNATURE, b"")
    if not isinstance(key, bytes) or not isinstance(signature, bytes):
        return b"", b"malformed"
    if not signature:
        return b"", b""  # a key that signed nothing must not be bound
    return key[:_MAX_SIGNATURE], signature[:_MAX_SIGNATURE]


def _response_time(asked: Asked, message: Message) -> float:
    """Return the seconds between both messages' stamps; the reply's is the client's word."""
    elapsed = message.metadata.created_at - asked.sent_at
    return min(max(0.0, elapsed), _MAX_TIME_S) if math.isfinite(elapsed) else _MAX_TIME_S
