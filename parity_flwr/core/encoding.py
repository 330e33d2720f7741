r"""The canonical bytes of a model, and its SHA-256 hash.

Layout, all integers little-endian::

    "parity-model-v1\n"  u32 number of arrays
    per array, sorted by name:
        u32 length, name (UTF-8)   u8 length, dtype ("<f4")   u8 dimensions, u64 each   data

The data is in C order and little-endian whatever the machine, so two machines that hold the
same arrays get the same hash; and each encoding has one reading only, so two different
models never share their bytes.
"""

from __future__ import annotations

import hashlib
import math
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_flwr.errors import CheckpointError, ConfigError

MAGIC = b"parity-model-v1\n"
MAX_NAME_BYTES = 4096
MAX_DIMENSIONS = 32  # numpy 1 has no more
_INTEGERS = ("|i1", "|u1", "<i2", "<u2", "<i4", "<u4", "<i8", "<u8")
_FLOATS = ("<f2", "<f4", "<f8", "<c8", "<c16")
DTYPES = frozenset({"|b1", *_INTEGERS, *_FLOATS})
"""What an array may hold: fixed-size numbers whose bytes mean the same everywhere."""


@dataclass(frozen=True, kw_only=True)
class ModelLimits:
    """What :func:`decode_model` accepts at most."""

    max_bytes: int = 2 << 30  # of the whole encoding
    max_arrays: int = 100_000


def model_chunks(arrays: Mapping[str, NDArray[Any]]) -> Iterator[bytes | memoryview]:
    """Yield the canonical encoding piece by piece.

    A contiguous little-endian array is yielded as a view on its own memory; any other is
    converted, one at a time. No piece is valid after the arrays change.

    Parameters
    ----------
    arrays : mapping of str to ndarray
        Any shapes; dtypes from :data:`DTYPES` in either byte order.

    Raises
    ------
    ConfigError
        If a name or an array (object, structured, text, long double) has no encoding.
    """
    for name in arrays:
        if not isinstance(name, str):
            raise _refusal("a text as the name of an array", ascii(name)[:80])
    yield MAGIC + struct.pack("<I", len(arrays))
    for name in sorted(arrays):
        array = arrays[name]
        yield _header(name, array)
        little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
        yield little.reshape(-1).view(np.uint8).data


def encode_model(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Return the canonical bytes of a model; see :func:`model_chunks`.

    Examples
    --------
    >>> decode_model(encode_model({"w": np.arange(3)}))["w"].tolist()
    [0, 1, 2]
    """
    return b"".join(model_chunks(arrays))


def model_hash(arrays: Mapping[str, NDArray[Any]]) -> str:
    """Return the SHA-256 of the canonical bytes, as hex, without building them."""
    digest = hashlib.sha256()
    for chunk in model_chunks(arrays):
        digest.update(chunk)
    return digest.hexdigest()


def decode_model(
    data: bytes | memoryview, *, limits: ModelLimits | None = None
) -> dict[str, NDArray[Any]]:
    """Return the arrays of :func:`encode_model`, in the order of their names.

    The arrays own their memory, are writable and little-endian.

    Raises
    ------
    CheckpointError
        If the bytes are over the limits or anything but exactly one canonical encoding.
    """
    limits = limits or ModelLimits()
    size = memoryview(data).nbytes
    if size > limits.max_bytes:
        raise _corrupt(f"at most {limits.max_bytes} bytes", f"{size} bytes")
    reader = _Reader(memoryview(data))
    if reader.take(len(MAGIC)) != MAGIC:
        raise _corrupt("the bytes 'parity-model-v1' first", "others")
    count = reader.integer(4)
    if count > limits.max_arrays:
        raise _corrupt(f"at most {limits.max_arrays} arrays", str(count))
    arrays: dict[str, NDArray[Any]] = {}
    last: str | None = None
    for _ in range(count):
        name = _read_name(reader, after=last)
        arrays[name] = _read_array(reader)
        last = name
    if reader.left:
        raise _corrupt("nothing after the last array", f"{reader.left} more bytes")
    return arrays


def _refusal(needed: str, came: str) -> ConfigError:
    return ConfigError(f"encoding a model needs {needed}", came=came, action="convert it first")


def _corrupt(needed: str, came: str) -> CheckpointError:
    return CheckpointError(
        f"an encoded model needs {needed}", came=came, action="fetch it again from its source"
    )


def _header(name: str, array: NDArray[Any]) -> bytes:
    if not isinstance(array, np.ndarray):
        raise _refusal(f"numpy arrays ({ascii(name)[:80]})", type(array).__name__)
    dtype = array.dtype.newbyteorder("<").str
    if dtype not in DTYPES:
        raise _refusal(f"numbers of a fixed size in {ascii(name)[:80]}", str(array.dtype)[:80])
    if array.ndim > MAX_DIMENSIONS:
        raise _refusal(f"at most {MAX_DIMENSIONS} dimensions", str(array.ndim))
    try:
        label = name.encode("utf-8")
    except UnicodeEncodeError:
        raise _refusal("a name that UTF-8 can hold", ascii(name)[:80]) from None
    if len(label) > MAX_NAME_BYTES:
        raise _refusal(f"names of at most {MAX_NAME_BYTES} bytes", f"{len(label)} bytes")
    kind = dtype.encode("ascii")
    shape = struct.pack(f"<B{array.ndim}Q", array.ndim, *array.shape)
    return struct.pack("<I", len(label)) + label + bytes([len(kind)]) + kind + shape


class _Reader:
    """Takes bytes from the front, never beyond the end."""

    def __init__(self, data: memoryview) -> None:
        self._data = data.cast("B") if data.nbytes else data
        self._at = 0

    @property
    def left(self) -> int:
        return len(self._data) - self._at

    def take(self, size: int) -> memoryview:
        if size > self.left:
            raise _corrupt(f"{size} more bytes", f"{self.left}")
        self._at += size
        return self._data[self._at - size : self._at]

    def integer(self, size: int) -> int:
        return int.from_bytes(self.take(size), "little")


def _read_name(reader: _Reader, *, after: str | None) -> str:
    length = reader.integer(4)
    if length > MAX_NAME_BYTES:
        raise _corrupt(f"names of at most {MAX_NAME_BYTES} bytes", str(length))
    try:
        name = str(reader.take(length), "utf-8")
    except UnicodeDecodeError:
        raise _corrupt("names in UTF-8", "other bytes") from None
    if after is not None and name <= after:
        raise _corrupt("names that ascend", f"{ascii(name)[:40]} after {ascii(after)[:40]}")
    return name


def _read_array(reader: _Reader) -> NDArray[Any]:
    kind = bytes(reader.take(reader.integer(1))).decode("ascii", "replace")
    if kind not in DTYPES:
        raise _corrupt("a dtype of fixed-size numbers", ascii(kind)[:80])
    dtype = np.dtype(kind)
    dimensions = reader.integer(1)
    if dimensions > MAX_DIMENSIONS:
        raise _corrupt(f"at most {MAX_DIMENSIONS} dimensions", str(dimensions))
    shape = tuple(reader.integer(8) for _ in range(dimensions))
    # numpy refuses a shape whose other dimensions overflow, even when one of them is 0.
    if math.prod(max(size, 1) for size in shape) * dtype.itemsize >= 1 << 63:
        raise _corrupt("a shape that fits memory", str(shape)[:80])
    raw = np.frombuffer(reader.take(math.prod(shape) * dtype.itemsize), dtype=np.uint8)
    if kind == "|b1" and raw.size and raw.max() > 1:
        raise _corrupt("0 or 1 as a bool", "another byte")
    return raw.copy().view(dtype).reshape(shape)
