"""The exchanges of one round beside Flower's own: ask nodes, and take one record of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flwr.app import ConfigRecord, Message, MessageType, RecordDict
from flwr.serverapp import Grid

from parity_flwr.core.wire import SECAGG_RECORD
from parity_flwr.strategies.secure_sum import Records, SecureSum

_MOST_VALUES = 16
_MOST_BYTES = 8 << 20  # of one record: what 65 536 participants reveal of each other is half


@dataclass(frozen=True)
class Conversation:
    """Asks the nodes of all sums of a round at once.

    Parameters
    ----------
    grid : Grid
        How to reach them.
    timeout_s : float
        How long each stage waits; who has not answered then has dropped out.
    """

    grid: Grid
    timeout_s: float

    def begin(self, sums: Sequence[SecureSum]) -> None:
        """Run the stages before training: keys, then shares."""
        replies = self._ask([each.ask_keys() for each in sums])
        for each in sums:
            each.take_keys(_of(each, replies))
        replies = self._ask([each.ask_shares() for each in sums])
        for each in sums:
            each.take_shares(_of(each, replies))

    def finish(self, sums: Sequence[SecureSum]) -> None:
        """Run the stages after training: confirmations, then the shares that unmask."""
        replies = self._ask([each.ask_confirmations() for each in sums])
        for each in sums:
            each.take_confirmations(_of(each, replies))
        replies = self._ask([each.ask_releases() for each in sums])
        for each in sums:
            each.take_releases(_of(each, replies))

    def _ask(self, asked: Sequence[Mapping[int, Mapping[str, Any]]]) -> Records:
        """Send one record to each node; return those of nodes that answered exactly once."""
        records = {node: record for each in asked for node, record in each.items()}
        questions = [
            Message(
                content=RecordDict({SECAGG_RECORD: ConfigRecord(dict(record))}),
                message_type=MessageType.TRAIN,
                dst_node_id=node,
            )
            for node, record in sorted(records.items())
        ]
        if not questions:
            return {}
        answers = list(self.grid.send_and_receive(questions, timeout=self.timeout_s))
        count = Counter(each.metadata.src_node_id for each in answers)
        return {
            each.metadata.src_node_id: secagg_record(each)
            for each in answers
            if each.metadata.src_node_id in records
            and count[each.metadata.src_node_id] == 1
            and not each.has_error()
        }


def secagg_record(message: Message) -> dict[str, Any]:
    """Return a reply's record of secure aggregation, empty if it is none of a sane size."""
    record = message.content.config_records.get(SECAGG_RECORD)
    if record is None or len(record) > _MOST_VALUES:
        return {}
    values = dict(record)
    sizes = (len(each) for each in values.values() if isinstance(each, bytes))
    return values if sum(sizes) <= _MOST_BYTES else {}


def _of(one: SecureSum, replies: Records) -> Records:
    return {node: replies[node] for node in one.nodes if node in replies}
