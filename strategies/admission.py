"""Which replies a strategy without identities admits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from logging import WARNING

import numpy as np
from flwr.app import Message
from flwr.common import log
from numpy.typing import NDArray

from parity_flwr.strategies.arrays import read_arrays
from parity_flwr.strategies.gate import Gate, Passed, Refused, finite_metrics
from parity_flwr.strategies.intake import Asked, attribute

Admitted = tuple[Message, Passed]


def inspected_replies(
    gate: Gate, questions: Sequence[Message], replies: Iterable[Message]
) -> list[Admitted]:
    """Return each node's one good reply with n_k > 0, sorted by node; log why others fail."""
    asked = [
        Asked(
            node_id=message.metadata.dst_node_id,
            identity="",
            message_id=message.metadata.message_id,
        )
        for message in questions
    ]
    received = attribute(asked, replies)
    admitted = []
    for each in sorted(asked, key=lambda one: one.node_id):
        found = _single(gate, received.get(each.node_id, []))
        if isinstance(found, str):
            log(WARNING, "\t> node %d refused: %s", each.node_id, found)
        elif found[1].num_examples > 0:
            admitted.append(found)
    return admitted


def _single(gate: Gate, replies: Sequence[Message]) -> Admitted | str:
    """Return a node's one good reply, or why there is none."""
    if len(replies) != 1:
        return f"{len(replies)} replies instead of one" if replies else "no reply"
    checked = gate.inspect(replies[0])
    return checked.reason if isinstance(checked, Refused) else (replies[0], checked)


def trusted_replies(
    replies: Iterable[Message], weight_key: str
) -> tuple[list[Admitted], NDArray[np.float64]]:
    """Return what an outer guard let through, with the shares it gave."""
    admitted, amounts = [], []
    for reply in replies:
        (arrays,) = reply.content.array_records.values()
        (metrics,) = reply.content.metric_records.values()
        share = metrics[weight_key]
        amounts.append(float(share) if not isinstance(share, list) else 0.0)
        passed = Passed(read_arrays(arrays), 1, finite_metrics(metrics))
        admitted.append((reply, passed))
    return admitted, np.array(amounts, np.float64)
