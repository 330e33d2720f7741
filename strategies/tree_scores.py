"""The extra exchange in which clients score the round's candidate trees on their own data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from flwr.app import ConfigRecord, Message, MessageType, RecordDict
from flwr.serverapp import Grid
from numpy.typing import NDArray

from parity_flwr.core.forest import WORST_LOSS, Forest, encode_forest
from parity_flwr.core.wire import TREE_LOSSES, TREE_SCORES
from parity_flwr.strategies.arrays import write_arrays
from parity_flwr.strategies.exchange import name_round

Values = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class TreeJury:
    """The clients that score trees in one round.

    Parameters
    ----------
    members : mapping of str to int
        Node id by identity.
    grid : Grid
        How to reach them.
    run_id, round
        What the question names, as every message of the round.
    timeout_s : float
        How long to wait; who has not answered then has no say.
    """

    members: Mapping[str, int]
    grid: Grid
    run_id: str
    round: int
    timeout_s: float

    def hear(self, candidates: Forest) -> dict[str, Values]:
        """Return each answering member's losses, shape (T,), by identity.

        An answer that is not T finite numbers >= 0 is none; a number above 10 counts as 10.
        """
        if not len(candidates) or not self.members:
            return {}
        config = name_round(
            ConfigRecord({TREE_SCORES: len(candidates)}), self.round, self.run_id
        )
        content = RecordDict(
            {"arrays": write_arrays(encode_forest(candidates)), "config": config}
        )
        questions = [
            Message(content=content, message_type=MessageType.EVALUATE, dst_node_id=node_id)
            for node_id in sorted(self.members.values())
        ]
        replies = _once(self.grid.send_and_receive(questions, timeout=self.timeout_s))
        heard = {
            identity: _losses(replies.get(node_id), len(candidates))
            for identity, node_id in sorted(self.members.items())
        }
        return {name: losses for name, losses in heard.items() if losses is not None}


def _once(answers: Iterable[Message]) -> dict[int, Message]:
    received = list(answers)
    count = Counter(each.metadata.src_node_id for each in received)
    return {
        each.metadata.src_node_id: each
        for each in received
        if count[each.metadata.src_node_id] == 1 and not each.has_error()
    }


def _losses(reply: Message | None, count: int) -> Values | None:
    if reply is None:
        return None
    for record in reply.content.config_records.values():
        told = record.get(TREE_LOSSES)
        if isinstance(told, bytes) and len(told) == 4 * count:
            losses = np.frombuffer(told, "<f4").astype(np.float64)
            if np.isfinite(losses).all() and (losses >= 0).all():
                return np.minimum(losses, WORST_LOSS)
    return None
