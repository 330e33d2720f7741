"""What other clients would answer: their training, run by someone who has their data."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Iterable

from flwr.app import Context, Message, RecordDict
from flwr.clientapp.typing import ClientAppCallable

from parity_flwr.clients.attacks.base import Update, difference
from parity_flwr.clients.messages import (
    array_record_of,
    arrays_of,
    config_of,
    with_content,
    with_node_config,
)
from parity_flwr.core.wire import PARTITION_ID
from parity_flwr.errors import EngineError


class Rehearsal:
    """Honest updates by partition, kept for as long as the message stays the same.

    Every run is in a scratch context with an empty state, also for the attacker's own
    partition: so all attackers see the same updates, in whatever process they run.
    """

    def __init__(self) -> None:
        self._key = ""
        self._updates: dict[int, Update] = {}

    def updates(
        self,
        partitions: Iterable[int],
        message: Message,
        context: Context,
        call_next: ClientAppCallable,
    ) -> list[Update]:
        """Return the honest updates of these partitions, in the order given."""
        key = _fingerprint(message, context)
        if key != self._key:
            self._key, self._updates = key, {}
        for partition in (wanted := list(partitions)):
            if partition not in self._updates:
                update = _rehearse(partition, message, context, call_next)
                self._updates[partition] = update
        return [self._updates[partition] for partition in wanted]


def _rehearse(
    partition: int, message: Message, context: Context, call_next: ClientAppCallable
) -> Update:
    scratch = with_node_config(context, {PARTITION_ID: partition})
    scratch.state = RecordDict()
    scratch.run_config = dict(context.run_config)
    script = with_content(message, copy.deepcopy(message.content))
    reply = call_next(script, scratch)
    if reply.has_error():
        raise EngineError(
            f"an attack needs the honest update of partition {partition}",
            came="an error",
            action="read the client's log",
        )
    return difference(arrays_of(reply), arrays_of(message))


def _fingerprint(message: Message, context: Context) -> str:
    """Identify all that a stateless client's answer depends on."""
    digest = hashlib.sha256()
    configs = (config_of(message), context.run_config, context.node_config)
    for config in configs:
        shown = sorted((key, repr(value)) for key, value in config.items())
        digest.update(repr([item for item in shown if item[0] != PARTITION_ID]).encode())
    digest.update(repr((context.run_id, message.metadata.message_type)).encode())
    for name, array in array_record_of(message)[1].items():
        digest.update(repr((name, len(array.data))).encode())
        digest.update(array.data)
    return digest.hexdigest()
