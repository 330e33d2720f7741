"""Flower messages, read and rebuilt: records are shared between messages, so never changed."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, TypeAlias

from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Message, MessageType, RecordDict
from flwr.app.message import make_message
from flwr.app.message.recorddict import RecordType
from numpy.typing import NDArray

from parity_flwr.core.wire import IDENTITY_ACTION, PARITY_RECORD, PARTITION_ID, ROUND
from parity_flwr.errors import ConfigError

Arrays: TypeAlias = dict[str, NDArray[Any]]

IDENTITY_QUERY = f"{MessageType.QUERY}.{IDENTITY_ACTION}"
NUM_EXAMPLES = "num-examples"


def category(message: Message) -> str:
    """Return "train", "evaluate" or "query", also for a subtype such as "train.slow"."""
    return message.metadata.message_type.partition(".")[0]


def with_content(message: Message, content: RecordDict, *, kind: str | None = None) -> Message:
    """Return a copy of the message with other content, and type ``kind`` if given."""
    metadata = copy.copy(message.metadata)
    if kind is not None:
        metadata.message_type = kind
    return make_message(metadata=metadata, content=content)


def with_record(message: Message, name: str, record: RecordType) -> Message:
    """Return a copy of the message with one record added or replaced."""
    records = dict(message.content.items())
    return with_content(message, RecordDict({**records, name: record}))


def with_parity(reply: Message, values: Mapping[str, int | bytes]) -> Message:
    """Return a copy of the reply whose "parity" record also holds these values."""
    present = reply.content.config_records.get(PARITY_RECORD) or ConfigRecord()
    return with_record(reply, PARITY_RECORD, ConfigRecord({**present, **values}))


def with_node_config(context: Context, values: Mapping[str, bool | float | str]) -> Context:
    """Return a context with more node configuration; its state is the same object."""
    changed = copy.copy(context)
    changed.node_config = {**context.node_config, **values}
    return changed


def config_of(message: Message) -> ConfigRecord:
    """Return the message's configuration: the record "config", else the first, else empty."""
    records = message.content.config_records
    if "config" in records:
        return records["config"]
    return next(iter(records.values()), ConfigRecord())


def round_of(message: Message) -> int:
    """Return the server's round, 0 if the message names none."""
    value = config_of(message).get(ROUND, 0)
    return value if isinstance(value, int) else 0


def array_record_of(message: Message) -> tuple[str, ArrayRecord]:
    """Return the one array record of a message, with its name.

    Raises
    ------
    ConfigError
        If there is none, or more than one.
    """
    records = list(message.content.array_records.items())
    if len(records) != 1:
        raise ConfigError(
            "a client needs exactly one ArrayRecord in a message",
            came=f"{len(records)}",
            action="send the model as one ArrayRecord",
        )
    return records[0]


def arrays_of(message: Message) -> Arrays:
    """Decode the one array record of a message (numpy's format, never pickle)."""
    return {name: array.numpy() for name, array in array_record_of(message)[1].items()}


def array_record(arrays: Mapping[str, NDArray[Any]]) -> ArrayRecord:
    """Encode named arrays."""
    return ArrayRecord({name: Array(array) for name, array in arrays.items()})


def partition_of(context: Context) -> int | None:
    """Return the partition id that the node's configuration holds, None without one."""
    value = context.node_config.get(PARTITION_ID)
    return int(value) if isinstance(value, (int, str)) and str(value).isdecimal() else None
