"""What a refused reply shows about its sender: evidence that no server can make up (P-31)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flwr.app import Message
from numpy.typing import NDArray

from parity_flwr.core.encoding import model_hash
from parity_flwr.core.signatures import update_payload, verify
from parity_flwr.errors import ParityError
from parity_flwr.strategies.arrays import ArrayRefusedError, read_array
from parity_flwr.strategies.gate import Gate

MAX_ARRAYS = 10_000
_COUNTABLE = range(1 << 63)


@dataclass(frozen=True)
class Attested:
    """What the sender of a refused reply signed."""

    update_hash: str
    num_examples: int


@dataclass(frozen=True, kw_only=True)
class Binding:
    """What a signature binds besides the update and n_k, and the key that counts."""

    run_id: str
    round: int
    base_hash: str
    public_key: bytes
    signature: bytes
    bound_key: str  # of the identity, hex; empty if it has none yet


def attested(message: Message, binding: Binding, *, gate: Gate) -> Attested | None:
    """Return what a refused reply's sender signed, None if its signature binds nothing here.

    The arrays may be of any shape and hold anything, but no more bytes than the gate lets
    through. Without a valid signature, by the identity's key if it has one, nobody can be
    blamed: the reply may be anybody's.
    """
    known = not binding.bound_key or binding.public_key.hex() == binding.bound_key
    if not binding.signature or not known:
        return None
    arrays = _read(message, gate)
    examples = _examples(message, gate)
    if arrays is None or examples is None:
        return None
    try:
        update_hash = model_hash(arrays)
    except ParityError:
        return None
    payload = update_payload(
        run_id=binding.run_id,
        round=binding.round,
        base_hash=binding.base_hash,
        update_hash=update_hash,
        num_examples=examples,
    )
    held = verify(binding.public_key, payload, binding.signature)
    return Attested(update_hash, examples) if held else None


def _read(message: Message, gate: Gate) -> Mapping[str, NDArray[Any]] | None:
    records = list(message.content.array_records.values())
    if len(records) != 1 or len(records[0]) > MAX_ARRAYS:
        return None
    if sum(len(array.data) for array in records[0].values()) > gate.config.max_bytes:
        return None
    try:
        return {name: read_array(array) for name, array in records[0].items()}
    except ArrayRefusedError:
        return None


def _examples(message: Message, gate: Gate) -> int | None:
    records = list(message.content.metric_records.values())
    value = records[0].get(gate.weight_key) if len(records) == 1 else None
    return value if type(value) is int and value in _COUNTABLE else None
