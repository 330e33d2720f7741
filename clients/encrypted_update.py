"""From a trained model to an encrypted update."""

from __future__ import annotations

from typing import Any

import numpy as np
from flwr.app import Message, MetricRecord, RecordDict
from numpy.typing import NDArray

from parity_flwr.clients.encryption_policy import EncryptionPolicy, OutOfRange
from parity_flwr.clients.key_holding import Encryptor
from parity_flwr.clients.messages import (
    NUM_EXAMPLES,
    Arrays,
    array_record,
    array_record_of,
    arrays_of,
)
from parity_flwr.core.encryption.terms import CIPHERTEXT, Layout, Terms
from parity_flwr.errors import DataError

CLIPPED = "he-clipped"
"""Metric: how many numbers of the update were cut to the range."""


def encrypt_update(
    message: Message,
    reply: Message,
    *,
    encryptor: Encryptor,
    terms: Terms,
    policy: EncryptionPolicy,
) -> Message:
    """Return the reply with its update clipped or refused, weighted, rounded and encrypted.

    Raises
    ------
    DataError
        If the reply is not the message's model trained, finite and in range.
    """
    name, _ = array_record_of(message)
    base, model = arrays_of(message), arrays_of(reply)
    layout = Layout.of(base, terms.clear)
    _require_same(model, base)
    examples = min(_num_examples(reply), terms.examples_cap)
    update = layout.difference(model, base)
    clipped = _clip(update, terms.clip, policy)
    plan = terms.plan
    points = plan.grid.quantise(update, scale=terms.weight(examples))
    encrypted = encryptor.encrypt(points)
    arrays = {CIPHERTEXT: np.frombuffer(encrypted, np.uint8)}
    arrays |= {each: model[each] for each in layout.clear}
    metrics: dict[str, Any] = {**_shared(reply, policy), **clipped, NUM_EXAMPLES: examples}
    content = RecordDict({name: array_record(arrays), "metrics": MetricRecord(metrics)})
    return Message(content, reply_to=message)


def _clip(update: NDArray[np.float64], clip: float, policy: EncryptionPolicy) -> dict[str, int]:
    """Cut the update in place if the policy says so, and return how often."""
    if policy.out_of_range is OutOfRange.REFUSE or not np.isfinite(update).all():
        return {}
    outside = int(np.count_nonzero(np.abs(update) > clip))
    np.clip(update, -clip, clip, out=update)
    return {CLIPPED: outside}


def _shared(reply: Message, policy: EncryptionPolicy) -> dict[str, Any]:
    if not policy.share_metrics:
        return {}
    return {k: v for each in reply.content.metric_records.values() for k, v in each.items()}


def _require_same(model: Arrays, base: Arrays) -> None:
    same = list(model) == list(base) and all(
        model[name].shape == array.shape and model[name].dtype == array.dtype
        for name, array in base.items()
    )
    if not same:
        raise DataError(
            "an encrypted update needs the model's own arrays",
            came="other names, shapes or dtypes",
            action="return what was sent, trained",
        )


def _num_examples(reply: Message) -> int:
    for record in reply.content.metric_records.values():
        value = record.get(NUM_EXAMPLES)
        if type(value) is int and value >= 0:
            return value
    raise DataError(
        f"an update needs the integer '{NUM_EXAMPLES}'", came="none", action="return it"
    )
