"""Named arrays in the safetensors format: a length, a JSON header, and plain numbers.

The format is small and public, so that numpy alone reads and writes it. Files are from
anybody: nothing is allocated that the file does not hold.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from parity_flwr.errors import DataError
from parity_flwr.files import atomic_file

_KINDS: Final[Mapping[str, str]] = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2",
    "I8": "i1", "U8": "u1", "U16": "<u2", "U32": "<u4", "U64": "<u8", "BOOL": "?",
}  # fmt: skip
_NAMES = {np.dtype(kind): name for name, kind in _KINDS.items()}
_MAX_HEADER = 1 << 20
_MAX_ARRAYS = 1000
_METADATA = "__metadata__"

_Entry = tuple[np.dtype[Any], tuple[int, ...], int, int]  # dtype, shape, start, stop


def write_tensors(
    path: Path, arrays: Mapping[str, NDArray[Any]], *, metadata: Mapping[str, str] | None = None
) -> None:
    """Write the arrays, whole or not at all.

    Raises
    ------
    DataError
        If an array has another dtype than the format knows.
    """
    header: dict[str, Any] = {_METADATA: dict(metadata)} if metadata else {}
    pieces, offset = [], 0
    for name, array in arrays.items():
        kind = _NAMES.get(array.dtype)
        if kind is None:
            raise _bad(path, "numbers that the format knows", str(array.dtype))
        raw = np.ascontiguousarray(array, _KINDS[kind]).tobytes()
        span = [offset, offset + len(raw)]
        header[name] = {"dtype": kind, "shape": list(array.shape), "data_offsets": span}
        pieces.append(raw)
        offset += len(raw)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with atomic_file(path) as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for piece in pieces:
            file.write(piece)


def read_tensors(path: Path, *, limit: int = 4 << 30) -> dict[str, NDArray[Any]]:
    """Return the arrays of a file from anybody, in the file's order, all numbers finite.

    Parameters
    ----------
    path : Path
    limit : int
        The most bytes of the file.

    Raises
    ------
    DataError
        If it is no such file, is larger, or holds a number that is not finite.
    """
    data = _bytes_of(path, limit)
    length = int.from_bytes(data[:8], "little")
    if len(data) < 8 or not 0 < length <= min(_MAX_HEADER, len(data) - 8):
        raise _bad(path, "a safetensors header", "another file")
    entries = _entries(path, data[8 : 8 + length])
    body = memoryview(data)[8 + length :]
    arrays, end = {}, 0
    for name, (kind, shape, start, stop) in entries.items():
        # Arrays lie one after the other, so that none shares another's bytes.
        if start != end or stop > len(body) or _size(kind, shape) != stop - start:
            raise _bad(path, "arrays that fill the file", f"{name!r:.40}")
        arrays[name] = np.frombuffer(body[start:stop], kind).reshape(shape).copy()
        if arrays[name].dtype.kind == "f" and not np.isfinite(arrays[name]).all():
            raise _bad(path, "finite numbers", f"others in {name!r:.40}")
        end = stop
    if end != len(body):
        raise _bad(path, "arrays that fill the file", "bytes after them")
    return arrays


def _bytes_of(path: Path, limit: int) -> bytes:
    try:
        size = path.stat().st_size
        if size > limit:
            raise _bad(path, f"at most {limit} bytes", str(size))
        return path.read_bytes()
    except OSError as error:
        raise _bad(path, "to be readable", error.strerror or str(error)) from error


def _entries(path: Path, text: bytes) -> dict[str, _Entry]:
    try:
        header = json.loads(text)
        found = {name: _entry(each) for name, each in header.items() if name != _METADATA}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _bad(path, "a safetensors header", type(error).__name__) from error
    if len(found) > _MAX_ARRAYS:
        raise _bad(path, f"at most {_MAX_ARRAYS} arrays", str(len(found)))
    return found


def _entry(fields: Any) -> _Entry:
    kind, shape = np.dtype(_KINDS[fields["dtype"]]), tuple(fields["shape"])
    start, stop = fields["data_offsets"]
    numbers = (*shape, start, stop)
    if len(shape) > 8 or not all(type(each) is int and 0 <= each < 1 << 48 for each in numbers):
        raise ValueError("shape")
    return kind, shape, start, stop


def _size(kind: np.dtype[Any], shape: tuple[int, ...]) -> int:
    count = kind.itemsize
    for each in shape:
        count *= each
    return count


def _bad(path: Path, needed: str, came: str) -> DataError:
    return DataError(
        f"{path.name} needs {needed}", came=came, action="fetch the file again from its source"
    )
