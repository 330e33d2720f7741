"""Relaying the clients' secret: the server carries boxes that it cannot open."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from logging import INFO, WARNING

from flwr.app import ConfigRecord, ConfigRecordValues, Message, MessageType, RecordDict
from flwr.common import log
from flwr.serverapp import Grid

from parity_flwr.core.encryption.group_secret import KEY_ID_BYTES
from parity_flwr.core.encryption.key_wrapping import BOX_BYTES, OFFER_BYTES
from parity_flwr.core.encryption.terms import (
    BOX,
    BOXES,
    HE_RECORD,
    KEY_ID,
    OFFER,
    OFFERS,
    PHASE,
    RUN_ID,
    Phase,
)

Values = Mapping[str, ConfigRecordValues]


@dataclass
class KeyRelay:
    """Knows which nodes hold the run's secret, and gets it to those that do not.

    The first node (by identity) that answers with an offer makes the secret, unless somebody
    holds one already. A node that fails to wrap it is passed over.

    Parameters
    ----------
    run_id : str
        Names the run; offers and boxes bind it.
    timeout_s : float
        How long to wait for each of the three answers.
    """

    run_id: str
    timeout_s: float
    key_id: bytes = b""
    holders: set[int] = field(default_factory=set)
    _asked: set[int] = field(default_factory=set)

    @property
    def decryptor(self) -> int:
        """Return 0: no node decrypts alone."""
        return 0

    def update(self, grid: Grid, connected: Mapping[str, int]) -> None:
        """Ask every node not seen before, and bring the secret to those without it."""
        new = [node for node in connected.values() if node not in self._asked]
        if not new:
            return
        answers = self._ask(grid, {node: {PHASE: Phase.OFFER.value} for node in new})
        held = {n: told_bytes(a, KEY_ID, KEY_ID_BYTES) for n, a in answers.items()}
        offers = {n: told_bytes(a, OFFER, OFFER_BYTES) for n, a in answers.items()}
        self._asked |= set(answers)  # who did not answer is asked again
        self._admit({n: key for n, key in held.items() if key})
        pending = {n: offer for n, offer in offers.items() if offer and n not in self.holders}
        if pending:
            self._admit(self._deliver(grid, pending))
        log(INFO, "Encryption: %d nodes hold the secret", len(self.holders))

    def _admit(self, held: Mapping[int, bytes]) -> None:
        """Count nodes as holders of the run's key: the one that most of the first have."""
        if held and not self.key_id:
            self.key_id = Counter(sorted(held.values())).most_common(1)[0][0]
        for node, key in held.items():
            if key == self.key_id:
                self.holders.add(node)
            else:
                log(WARNING, "\t> node %d holds another secret: it is left out", node)

    def _deliver(self, grid: Grid, offers: Mapping[int, bytes]) -> dict[int, bytes]:
        """Let a holder, or the first newcomer, wrap the secret; hand out the boxes."""
        recipients = list(offers)
        for maker in [*sorted(self.holders), *recipients]:
            request: Values = {PHASE: Phase.WRAP.value, OFFERS: [offers[n] for n in recipients]}
            answer = self._ask(grid, {maker: request}).get(maker, {})
            boxes = answer.get(BOXES)
            if isinstance(boxes, list) and len(boxes) == len(recipients):
                known = {maker: told_bytes(answer, KEY_ID, KEY_ID_BYTES)}
                boxed = dict(zip(recipients, boxes, strict=True))
                return {**known, **self._hand_out(grid, boxed, maker)}
            log(WARNING, "\t> node %d did not wrap the secret", maker)
        return {}

    def _hand_out(
        self, grid: Grid, boxes: Mapping[int, object], maker: int
    ) -> dict[int, bytes]:
        requests: dict[int, Values] = {
            node: {PHASE: Phase.UNWRAP.value, BOX: box}
            for node, box in boxes.items()
            if node != maker and isinstance(box, bytes) and len(box) == BOX_BYTES
        }
        answers = self._ask(grid, requests)
        held = {n: told_bytes(answer, KEY_ID, KEY_ID_BYTES) for n, answer in answers.items()}
        return {node: key for node, key in held.items() if key}

    def _ask(self, grid: Grid, requests: Mapping[int, Values]) -> dict[int, Values]:
        return ask_about_keys(grid, requests, run_id=self.run_id, timeout_s=self.timeout_s)


def ask_about_keys(
    grid: Grid, requests: Mapping[int, Values], *, run_id: str, timeout_s: float
) -> dict[int, Values]:
    """Return the answer of each node that gave exactly one."""
    messages = [
        Message(
            RecordDict({HE_RECORD: ConfigRecord({RUN_ID: run_id, **values})}),
            dst_node_id=node,
            message_type=MessageType.TRAIN,
        )
        for node, values in requests.items()
    ]
    if not messages:
        return {}
    found: dict[int, Values] = {}
    for reply in grid.send_and_receive(messages, timeout=timeout_s):
        node = reply.metadata.src_node_id
        if reply.has_error():
            log(WARNING, "\t> node %d: %s", node, str(reply.error.reason)[:100])
        elif node in requests:
            found[node] = dict(reply.content.config_records.get(HE_RECORD) or {})
    return found


def told_bytes(values: Values, name: str, length: int) -> bytes:
    """Return the bytes of a node's answer, empty unless they have that length."""
    value = values.get(name)
    return value if isinstance(value, bytes) and len(value) == length else b""
