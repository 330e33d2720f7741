"""Copies of messages, so that two parties in one process never share an object.

Flower's engines send bytes; in one process a message would travel by reference, and a
client that writes into what it got would change the server's model. The arrays' bytes
are immutable, so they are shared; every container around them is made anew.
"""

from __future__ import annotations

import copy

from flwr.app import Array, ArrayRecord, ConfigRecord, Message, MetricRecord, RecordDict
from flwr.app.message import make_message

_Record = ArrayRecord | ConfigRecord | MetricRecord


def copy_content(content: RecordDict) -> RecordDict:
    """Return the same records in new containers.

    Raises
    ------
    TypeError
        The content holds what could not be sent over a network.
    """
    copied = RecordDict()
    for name, record in content.items():
        copied[name] = _copy_record(record)
    return copied


def copy_instruction(message: Message) -> Message:
    """Return the message as its receiver gets it, metadata included."""
    return make_message(
        metadata=copy.copy(message.metadata), content=copy_content(message.content)
    )


def _copy_record(record: _Record) -> _Record:
    # Filling an empty record costs half of what Flower's constructors cost.
    if isinstance(record, ArrayRecord):
        arrays = ArrayRecord()
        for name, array in record.items():
            arrays[name] = Array(array.dtype, array.shape, array.stype, array.data)
        return arrays
    if isinstance(record, ConfigRecord):
        config = ConfigRecord()
        for key, value in record.items():
            config[key] = value.copy() if isinstance(value, list) else value
        return config
    metrics = MetricRecord()
    for key, figure in record.items():
        metrics[key] = figure.copy() if isinstance(figure, list) else figure
    return metrics
