"""The ways in which one reply can be wrong: what the gate must catch, one function each."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from flwr.app import Array, ArrayRecord, Message, MetricRecord, RecordDict
from flwr.app.error import Error
from numpy.typing import NDArray

Spoil = Callable[[Message], Sequence[Message]]
"""Turns an honest training reply into what the server receives instead."""


def _replace(reply: Message, **records: ArrayRecord | MetricRecord | None) -> list[Message]:
    """Return a twin of the reply with records replaced, or removed where None."""
    kept = {**reply.content, **records}
    twin = copy.copy(reply)
    twin.content = RecordDict({name: each for name, each in kept.items() if each is not None})
    return [twin]


def _on_arrays(change: Callable[[dict[str, Array]], None]) -> Spoil:
    def spoil(reply: Message) -> list[Message]:
        arrays = dict(next(iter(reply.content.array_records.values())))
        change(arrays)
        return _replace(reply, arrays=ArrayRecord(arrays))

    return spoil


def _on_first(change: Callable[[NDArray[Any]], NDArray[Any]]) -> Spoil:
    """Change the first array's numbers: of floating point, where there is one."""

    def edit(arrays: dict[str, Array]) -> None:
        floats = (name for name, array in arrays.items() if array.dtype.startswith("float"))
        name = next(floats, next(iter(arrays)))
        arrays[name] = Array(np.ascontiguousarray(change(arrays[name].numpy().copy())))

    return _on_arrays(edit)


def _on_metrics(**changes: Any) -> Spoil:
    def spoil(reply: Message) -> list[Message]:
        metrics = {**reply.content.metric_records["metrics"], **changes}
        kept = {name: value for name, value in metrics.items() if value is not None}
        return _replace(reply, metrics=MetricRecord(kept))

    return spoil


def _filled(value: float) -> Spoil:
    def fill(array: NDArray[Any]) -> NDArray[Any]:
        array.reshape(-1)[0] = value
        return array

    return _on_first(fill)


def _lying_header(claimed: Callable[[Array], Mapping[str, Any]]) -> Spoil:
    """Change what Flower's header says about the first array, not the bytes."""

    def edit(arrays: dict[str, Array]) -> None:
        name, array = next(iter(arrays.items()))
        truth = {key: getattr(array, key) for key in ("dtype", "shape", "stype", "data")}
        arrays[name] = Array(**{**truth, **claimed(array)})

    return _on_arrays(edit)


def _bomb(array: Array) -> Mapping[str, Any]:
    """Return an image whose own header promises terabytes."""
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000, 1000000), }"
    size = len(header).to_bytes(2, "little")
    return {"data": b"\x93NUMPY\x01\x00" + size + header}


def _object_image(array: Array) -> Mapping[str, Any]:
    """Return an image of Python objects, which only a pickle could hold."""
    header = b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }"
    size = len(header).to_bytes(2, "little")
    return {"data": b"\x93NUMPY\x01\x00" + size + header + b"cos\nsystem\n(S'x'\ntR."}


def _error(reply: Message) -> list[Message]:
    twin = copy.copy(reply)
    twin.__dict__.pop("_content", None)
    twin.__dict__["_content"] = None
    twin.__dict__["_error"] = Error(code=2, reason="boom\nfrom /home/somebody/train.py")
    return [twin]


def _drop_last(arrays: dict[str, Array]) -> None:
    arrays.pop(next(reversed(arrays)))


def _add_one(arrays: dict[str, Array]) -> None:
    arrays["extra"] = Array(np.zeros(3, np.float32))


def _second(kind: str) -> Spoil:
    def spoil(reply: Message) -> list[Message]:
        record = reply.content["arrays" if kind == "arrays" else "metrics"]
        return _replace(reply, **{f"second-{kind}": record})  # type: ignore[arg-type]

    return spoil


MISBEHAVIOURS: Mapping[str, Spoil] = {
    "not a number": _filled(np.nan),
    "infinity": _filled(np.inf),
    "minus infinity": _filled(-np.inf),
    "1e30": _filled(1e30),
    "another shape": _on_first(lambda array: array.reshape(-1)[:-1]),
    "a shape that broadcasts": _on_first(lambda array: array.reshape(-1)[:1]),
    "a scalar": _on_first(lambda array: array.reshape(-1)[0].reshape(())),
    "empty": _on_first(lambda array: array.reshape(-1)[:0]),
    "another float": _on_first(lambda array: array.astype(np.float16)),
    "integers": _on_first(lambda array: array.astype(np.int32)),
    "big-endian": _on_first(lambda array: array.astype(array.dtype.newbyteorder(">"))),
    "complex": _on_first(lambda array: array.astype(np.complex64)),
    "an array missing": _on_arrays(_drop_last),
    "an array too many": _on_arrays(_add_one),
    "object array": _lying_header(_object_image),
    "header promises terabytes": _lying_header(_bomb),
    "header lies about the shape": _lying_header(lambda a: {"shape": (10**6, 10**6)}),
    "header lies about the dtype": _lying_header(lambda a: {"dtype": "float128"}),
    "unknown serialisation": _lying_header(lambda a: {"stype": "pickle"}),
    "truncated bytes": _lying_header(lambda a: {"data": a.data[:-1]}),
    "trailing bytes": _lying_header(lambda a: {"data": a.data + b"x" * 64}),
    "no bytes": _lying_header(lambda a: {"data": b""}),
    "an oversized array": _on_first(lambda array: np.tile(array.reshape(-1), 100_000)),
    "no arrays": lambda reply: _replace(reply, arrays=None),
    "no metrics": lambda reply: _replace(reply, metrics=None),
    "two array records": _second("arrays"),
    "two metric records": _second("metrics"),
    "no num-examples": _on_metrics(**{"num-examples": None}),
    "negative num-examples": _on_metrics(**{"num-examples": -1}),
    "fractional num-examples": _on_metrics(**{"num-examples": 10.5}),
    "num-examples not a number": _on_metrics(**{"num-examples": float("nan")}),
    "num-examples 2^63 - 1": _on_metrics(**{"num-examples": 2**63 - 1}),
    "num-examples 1e12": _on_metrics(**{"num-examples": 10**12}),
    "num-examples a list": _on_metrics(**{"num-examples": [10, 10]}),
    "two replies": lambda reply: [reply, reply],
    "an error": _error,
    "no reply": lambda reply: [],
}
"""Every misbehaviour by name. The offender must be quarantined (or missing), with a reason."""
