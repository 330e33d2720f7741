"""Opening an encrypted sum for the server, once a round and never a small one."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from flwr.app import Context, Message, MetricRecord, RecordDict
from numpy.typing import NDArray

from parity_flwr.clients.encryption_policy import EncryptionPolicy
from parity_flwr.clients.key_holding import keep, kept
from parity_flwr.clients.messages import (
    NUM_EXAMPLES,
    array_record,
    array_record_of,
    arrays_of,
    round_of,
)
from parity_flwr.core.encryption.bfv import BfvCipher
from parity_flwr.core.encryption.group_secret import GroupSecret
from parity_flwr.core.encryption.sealed_model import next_model, open_model, seal_model
from parity_flwr.core.encryption.terms import (
    CIPHERTEXT,
    HE_RECORD,
    RUN_ID,
    SIZE,
    SUMS,
    TOTAL,
    Layout,
    Reveal,
    Terms,
    sums_dtype,
    typed,
)
from parity_flwr.errors import DataError

_OPENED = "opened"
_MAX_SIZE = 1 << 32


def open_sum(
    message: Message,
    context: Context,
    *,
    secret: GroupSecret,
    terms: Terms,
    policy: EncryptionPolicy,
) -> Message:
    """Return the decrypted sum, or the next model sealed, whichever the terms say.

    Raises
    ------
    DataError
        If it is a sum of too few updates, the round's second sum, or none under this key.
    """
    values = dict(message.content.config_records[HE_RECORD])
    name, _ = array_record_of(message)
    arrays = arrays_of(message)
    encrypted = np.asarray(arrays.pop(CIPHERTEXT), np.uint8).tobytes()
    run_id, plan = typed(values, RUN_ID, str), terms.plan
    _once(context, run_id, round_of(message), encrypted)
    base = open_model(arrays, secret, run_id=run_id) if arrays else {}
    layout = Layout.of(base)
    size = layout.size if base else typed(values, SIZE, int)
    if not 0 < size <= _MAX_SIZE:
        raise DataError("a sum needs a size", came=str(size), action="check")
    sums, addends = BfvCipher(plan, secret).decrypt_sum(encrypted, size=size)
    least = max(terms.minimum, policy.minimum)
    if addends < least:
        raise DataError(
            f"a sum of {least} updates at least is needed",
            came=str(addends),
            action="wait for more clients: a smaller sum says too much about each",
        )
    opened: Mapping[str, NDArray[Any]] = {SUMS: sums.astype(sums_dtype(plan))}
    if terms.reveal is Reveal.NOTHING:
        total = typed(values, TOTAL, float)
        model = next_model(base, layout, plan=plan, sums=sums, addends=addends, total=total)
        opened = seal_model(model, secret, run_id=run_id)
    metrics = MetricRecord({NUM_EXAMPLES: addends})
    content = RecordDict({name: array_record(opened), "metrics": metrics})
    return Message(content, reply_to=message)


def _once(context: Context, run_id: str, round: int, encrypted: bytes) -> None:
    """Open one sum a round: two that differ in one client give that client away."""
    digest = hashlib.sha256(encrypted).digest()
    opened = kept(context, run_id).get(_OPENED, b"")
    this = round.to_bytes(8, "big") + digest
    if isinstance(opened, bytes) and opened[:8] == this[:8] and opened != this:
        raise DataError(
            "a round needs to have one sum", came="a second one", action="refuse the server"
        )
    keep(context, run_id, {_OPENED: this})
