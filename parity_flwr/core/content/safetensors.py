"""A model as a safetensors file: what other tools read, with nothing in it that runs.

Layout: 8 bytes length of the header, little-endian; the header, JSON, padded with spaces to
a multiple of 8; the arrays, one after the other, C order, little-endian. Without metadata
one model has one file, the canonical one: arrays by alignment, then name, as the reference
writer orders them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_flwr.core.encoding import ModelLimits
from parity_flwr.errors import ConfigError, ContentError

_NAMES = {
    "<f8": "F64", "<f4": "F32", "<f2": "F16", "<i8": "I64", "<i4": "I32", "<i2": "I16",
    "|i1": "I8", "<u8": "U64", "<u4": "U32", "<u2": "U16", "|u1": "U8", "|b1": "BOOL",
}  # fmt: skip
_DTYPES = {name: np.dtype(kind) for kind, name in _NAMES.items()}
# The reference writer's order of types, so that its files and ours are the same bytes.
_ORDER = ("BOOL", "U8", "I8", "I16", "U16", "F16", "I32", "U32", "F32", "F64", "I64", "U64")
_MAX_HEADER = 100_000_000  # the reference reader's limit
_HEADER_PER_ARRAY = 1 << 10  # bytes at most of an entry and its name, on average
_METADATA = "__metadata__"
_MAX_DIMENSIONS = 32


def safetensors_chunks(
    arrays: Mapping[str, NDArray[Any]], *, metadata: Mapping[str, str] | None = None
) -> Iterator[bytes | memoryview]:
    """Yield the file piece by piece; no piece is valid after the arrays change.

    Parameters
    ----------
    arrays : mapping of str to ndarray
        Any shapes; numbers or truth values.
    metadata : mapping of str to str, optional
        What else the header says; a file that has some is not canonical.

    Raises
    ------
    ConfigError
        If an array's type (complex, object) or name has no place in the format.
    """
    ordered = sorted(arrays, key=lambda name: (-_ORDER.index(_kind(name, arrays[name])), name))
    header: dict[str, object] = {_METADATA: dict(metadata)} if metadata else {}
    at = 0
    for name in ordered:
        end = at + arrays[name].nbytes
        kind = _kind(name, arrays[name])
        shape = list(arrays[name].shape)
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [at, end]}
        at = end
    yield _framed(header)
    for name in ordered:
        array = arrays[name]
        little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
        yield little.reshape(-1).view(np.uint8).data


def encode_safetensors(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Return the whole file; see :func:`safetensors_chunks`.

    Examples
    --------
    >>> decode_safetensors(encode_safetensors({"w": np.arange(3)}))["w"].tolist()
    [0, 1, 2]
    """
    return b"".join(safetensors_chunks(arrays))


def decode_safetensors(
    data: bytes, *, limits: ModelLimits | None = None, canonical: bool = True
) -> dict[str, NDArray[Any]]:
    """Return the arrays of a file, by name; each owns its memory.

    Parameters
    ----------
    data : bytes
        Of anybody: no array is made that the file does not hold.
    limits : ModelLimits, optional
        Of the file; its header may have a kilobyte for each array.
    canonical : bool, keyword-only
        Refuse metadata, and arrays in another order than they are written here.

    Raises
    ------
    ContentError
        If it is over the limits, or not of the format or the form.
    """
    limits = limits or ModelLimits()
    if len(data) > limits.max_bytes:
        raise _refusal(f"at most {limits.max_bytes} bytes", f"{len(data)} bytes")
    try:
        start, header = _header(data, limits)
        places = {name: header[name] for name in sorted(header) if name != _METADATA}
        body = memoryview(data)[start:]
        arrays = {name: _array(body, place) for name, place in places.items()}
        _check_filled(places.values(), len(body))
        same = not canonical or encode_safetensors(arrays) == data
    except (ValueError, TypeError, KeyError, RecursionError, ConfigError) as error:
        raise _refusal("a header and arrays that fit it", ascii(str(error))[:80]) from None
    if not same:
        raise _refusal("the canonical form: by type and name, no metadata", "another")
    return arrays


def _header(data: bytes, limits: ModelLimits) -> tuple[int, dict[str, Any]]:
    length = int.from_bytes(data[:8], "little")
    most = min(_MAX_HEADER, _HEADER_PER_ARRAY * limits.max_arrays)
    if not 2 <= length <= min(most, len(data) - 8):
        raise ValueError(f"a header of {length} bytes")
    header = json.loads(data[8 : 8 + length].decode("utf-8"))
    if not isinstance(header, dict):
        raise ValueError("a header that is no table")
    if len(header) > limits.max_arrays + (_METADATA in header):
        raise ValueError(f"{len(header)} arrays")
    return 8 + length, header


def _array(data: memoryview, entry: Mapping[str, Any]) -> NDArray[Any]:
    dtype = _DTYPES[entry["dtype"]]
    shape, (start, end) = entry["shape"], entry["data_offsets"]
    sides = [*shape, start, end]
    if len(shape) > _MAX_DIMENSIONS or not all(type(n) is int and n >= 0 for n in sides):
        raise ValueError("a shape or an offset that is no number")
    if end > len(data) or end - start != math.prod(shape) * dtype.itemsize:
        raise ValueError("an array that does not fit its place")
    return np.frombuffer(bytearray(data[start:end]), dtype=dtype).reshape(shape)


def _check_filled(places: Iterable[Mapping[str, Any]], size: int) -> None:
    """Refuse arrays that share bytes, and bytes of no array."""
    at = 0
    for start, end in sorted(place["data_offsets"] for place in places):
        if start != at:
            raise ValueError("arrays that do not lie one after the other")
        at = end
    if at != size:
        raise ValueError("bytes that belong to no array")


def _framed(header: Mapping[str, object]) -> bytes:
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode("utf-8")
    padded = text + b" " * (-len(text) % 8)
    return len(padded).to_bytes(8, "little") + padded


def _kind(name: str, array: NDArray[Any]) -> str:
    try:
        if name == _METADATA:
            raise KeyError(name)  # the format's own, for text
        return _NAMES[array.dtype.newbyteorder("<").str]
    except (KeyError, AttributeError):
        raise ConfigError(
            "safetensors needs arrays of real numbers",
            came=f"{ascii(name)[:60]} of {getattr(array, 'dtype', type(array).__name__)}",
            action="convert the array first",
        ) from None


def _refusal(needed: str, came: str) -> ContentError:
    return ContentError(
        f"a safetensors file needs {needed}",
        came=came,
        action="fetch it again; it was not used",
    )
