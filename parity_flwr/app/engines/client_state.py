"""The state of in-process clients as bytes, and back: Flower's protobuf, never pickle."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from flwr.app import ConfigRecord, RecordDict
from flwr.common.serde import recorddict_from_proto, recorddict_to_proto
from flwr.proto.recorddict_pb2 import RecordDict as ProtoRecordDict
from google.protobuf.message import DecodeError, EncodeError

from parity_flwr.errors import CheckpointError

FORMAT = "parity-client-state-1"
MAX_BYTES = 1 << 30
"""The most that the state of all clients may take, in bytes."""


def pack(states: Mapping[int, RecordDict]) -> bytes:
    """Return the states, by node id, as bytes; the same states give the same bytes.

    Raises
    ------
    CheckpointError
        The states are larger than :data:`MAX_BYTES`.
    """
    try:
        record = ConfigRecord({str(node): _encode(states[node]) for node in sorted(states)})
        data = _encode(RecordDict({FORMAT: record}))
    except (EncodeError, ValueError, TypeError) as error:
        raise _refused("client state that protobuf can hold", type(error).__name__) from error
    if len(data) > MAX_BYTES:
        raise _refused(f"client state of at most {MAX_BYTES} bytes", f"{len(data)} bytes")
    return data


def unpack(data: bytes, *, nodes: Iterable[int]) -> dict[int, RecordDict]:
    """Return what :func:`pack` was given.

    Raises
    ------
    CheckpointError
        The bytes are not such a state, or not one of exactly these nodes.
    """
    if len(data) > MAX_BYTES:
        raise _refused(f"client state of at most {MAX_BYTES} bytes", f"{len(data)} bytes")
    try:
        record = _decode(data)[FORMAT]
        states = {int(node): _decode(_bytes(state)) for node, state in record.items()}
    except (DecodeError, KeyError, ValueError, TypeError, AttributeError) as error:
        raise _refused(f"client state in the form {FORMAT}", type(error).__name__) from error
    expected = set(nodes)
    if set(states) != expected:
        raise _refused(f"the state of {len(expected)} clients", f"that of {len(states)} others")
    return states


def _encode(records: RecordDict) -> bytes:
    return bytes(recorddict_to_proto(records).SerializeToString(deterministic=True))


def _decode(data: bytes) -> RecordDict:
    return recorddict_from_proto(ProtoRecordDict.FromString(data))


def _bytes(value: object) -> bytes:
    if not isinstance(value, bytes):
        raise TypeError(type(value).__name__)
    return value


def _refused(needed: str, came: str) -> CheckpointError:
    return CheckpointError(
        needed, came=came, action="resume with the same app, or start a new run"
    )
