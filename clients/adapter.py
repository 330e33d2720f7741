"""NumPyClients behind Message-API strategies: one mod that translates both ways.

Flower ships no bridge. A message of the new API holds one ArrayRecord and one ConfigRecord;
Flower's handler of a ``client_fn`` wants ``fitins.parameters`` and ``fitins.config`` and
answers with ``fitres.*`` records that no strategy of the new API reads.
"""

from __future__ import annotations

from collections.abc import Iterable

from flwr.app import (
    Array,
    ArrayRecord,
    ConfigRecord,
    ConfigRecordValues,
    Context,
    Message,
    MessageType,
    MetricRecord,
    RecordDict,
)
from flwr.clientapp.typing import ClientAppCallable

from parity_flwr.clients.guard import guard_mod, refusal
from parity_flwr.clients.messages import (
    NUM_EXAMPLES,
    array_record_of,
    category,
    config_of,
    with_content,
)

INFO_RECORD = "info"
_KINDS = {MessageType.TRAIN: "fit", MessageType.EVALUATE: "evaluate"}
_EMPTY_KEY = "_empty"  # how Flower's compatibility layer writes a list of no arrays


def numpy_client_mod(
    message: Message, context: Context, call_next: ClientAppCallable
) -> Message:
    """Let a NumPyClient talk to any strategy of the Message API.

    Train and evaluate messages, subtypes such as "train.slow" included, are translated;
    others pass. The names of the received arrays are given back to the returned ones; a
    client that returns another number of arrays (a forest) has them named "0", "1", ....
    Numbers among the client's metrics become the reply's MetricRecord beside
    "num-examples" (and "loss"); its strings, bytes and booleans a ConfigRecord "info".
    The configuration arrives as sent, "server-round" included; lists in it are refused,
    since a NumPyClient's configuration holds scalars only.

    An exception becomes an error reply with its class name (see
    :func:`parity_flwr.clients.guard.guard_mod`), a method that the client does not
    implement one with "NotImplementedError". Put this mod last.

    Examples
    --------
    >>> from flwr.client import NumPyClient
    >>> from flwr.clientapp import ClientApp
    >>> app = ClientApp(lambda context: NumPyClient().to_client(), mods=[numpy_client_mod])
    """

    def translated(message: Message, context: Context) -> Message:
        kind = category(message)
        if kind not in _KINDS:
            return call_next(message, context)
        reply = call_next(_instruction(message, kind), context)
        return reply if reply.has_error() else _reply(message, reply.content, kind)

    return guard_mod(message, context, translated)


def _instruction(message: Message, kind: str) -> Message:
    name = f"{_KINDS[kind]}ins"
    content = RecordDict(
        {
            f"{name}.parameters": array_record_of(message)[1],
            f"{name}.config": ConfigRecord(dict(config_of(message))),
        }
    )
    return with_content(message, content, kind=kind)


def _reply(message: Message, result: RecordDict, kind: str) -> Message:
    name = f"{_KINDS[kind]}res"
    if result.config_records[f"{name}.status"]["code"] != 0:
        return refusal(message, NotImplementedError.__name__)
    content = RecordDict({"metrics": _metrics(result, name)})
    info = _info(result.config_records[f"{name}.metrics"])
    if info:
        content[INFO_RECORD] = info
    if kind == MessageType.TRAIN:
        record_name, received = array_record_of(message)
        returned = result.array_records[f"{name}.parameters"]
        content[record_name] = _renamed(returned, received.keys())
    return Message(content, reply_to=message)


def _metrics(result: RecordDict, name: str) -> MetricRecord:
    """Collect numbers; what Flower itself counted wins over a metric of the same name."""
    own = result.config_records[f"{name}.metrics"]
    metrics = MetricRecord()
    for key, value in own.items():
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            metrics[key] = value
    metrics[NUM_EXAMPLES] = result.metric_records[f"{name}.num_examples"]["num_examples"]
    if f"{name}.loss" in result.metric_records:
        metrics["loss"] = result.metric_records[f"{name}.loss"]["loss"]
    return metrics


def _info(own: ConfigRecord) -> ConfigRecord:
    def is_text(value: ConfigRecordValues) -> bool:
        return isinstance(value, (str, bytes, bool))

    return ConfigRecord({key: value for key, value in own.items() if is_text(value)})


def _renamed(returned: ArrayRecord, names: Iterable[str]) -> ArrayRecord:
    arrays = [_typed(array) for key, array in returned.items() if key != _EMPTY_KEY]
    wanted = list(names)
    if len(wanted) != len(arrays):
        wanted = [str(index) for index in range(len(arrays))]
    return ArrayRecord(dict(zip(wanted, arrays, strict=True)))


def _typed(array: Array) -> Array:
    """Fill in the dtype and shape that the legacy format leaves out; the bytes stay."""
    decoded = array.numpy()
    return Array(str(decoded.dtype), decoded.shape, array.stype, array.data)
