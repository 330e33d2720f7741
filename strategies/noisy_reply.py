"""The noisy average as the one reply that an inner strategy sees."""

from __future__ import annotations

from flwr.app import Message, MessageType, MetricRecord, RecordDict
from flwr.serverapp.strategy import Strategy

from parity_flwr.strategies.arrays import write_arrays
from parity_flwr.strategies.exchange import Exchange
from parity_flwr.strategies.gate import Arrays
from parity_flwr.strategies.inner import setting

_NODE = 0  # the server itself: no client's id


def noisy_reply(inner: Strategy, exchange: Exchange, model: Arrays) -> Message:
    """Return a message that says what one client with this model would."""
    arrays_key = str(setting(inner, "arrayrecord_key", "arrays"))
    weight_key = str(setting(inner, "weighted_by_key", "num-examples"))
    content = RecordDict(
        {
            arrays_key: write_arrays(model),
            "metrics": MetricRecord({weight_key: 1}),
        }
    )
    return Message(content, _NODE, MessageType.TRAIN, group_id=str(exchange.round))
