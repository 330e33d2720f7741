"""Evaluation replies behind a gate of their own: no liar ends the run or owns the mean."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from flwr.app import Message

from parity_flwr.core.config import TrustConfig
from parity_flwr.core.weights import cap_examples, cap_shares
from parity_flwr.strategies.forwarding import forward_metrics
from parity_flwr.strategies.gate import Metrics, finite_metrics


@dataclass(frozen=True)
class Evaluation:
    """One usable evaluation reply."""

    message: Message
    num_examples: int
    metrics: Metrics


def usable_evaluations(
    replies: Iterable[Message], *, asked: Sequence[int], weight_key: str, config: TrustConfig
) -> list[Evaluation]:
    """Return the replies that hold one MetricRecord with a sane n_k, sorted by node id.

    A node that was not asked, or that answers twice, is left out.
    """
    received = list(replies)
    count = Counter(reply.metadata.src_node_id for reply in received)
    once = {node_id for node_id in asked if count[node_id] == 1}
    usable = [
        evaluation
        for reply in received
        if reply.metadata.src_node_id in once
        and (evaluation := _read(reply, weight_key, config.gate.max_examples))
    ]
    return sorted(usable, key=lambda each: each.message.metadata.src_node_id)


def _read(reply: Message, weight_key: str, most: int) -> Evaluation | None:
    if reply.has_error() or len(reply.content.metric_records) != 1:
        return None
    record = next(iter(reply.content.metric_records.values()))
    examples = record.get(weight_key)
    if type(examples) is not int or not 0 < examples <= most:
        return None
    return Evaluation(reply, examples, finite_metrics(record))


def forward_evaluations(
    evaluations: Sequence[Evaluation], *, weight_key: str, config: TrustConfig
) -> list[Message]:
    """Return copies whose n_k is capped as in training, with uniform metrics."""
    claimed = np.array([each.num_examples for each in evaluations], dtype=np.float64)
    capped = cap_examples(claimed, factor=config.weights.examples_factor)
    shares = cap_shares(capped / capped.sum(), max_share=config.weights.max_share)
    return forward_metrics(
        [each.message for each in evaluations],
        [each.metrics for each in evaluations],
        [float(share * claimed.sum()) for share in shares],
        weight_key=weight_key,
    )
