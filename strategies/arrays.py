"""Flower arrays read in place: hostile bytes in, checked numpy views out."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

import numpy as np
from flwr.app import Array, ArrayRecord
from flwr.common.constant import SType
from numpy.typing import NDArray

from parity_flwr.errors import ConfigError

_MAGIC = b"\x93NUMPY"
_MAX_HEADER = 4096  # bytes; numpy writes under 200 for what models hold

# What literal_eval and dtype raise at hostile text; warnings too, where they are errors.
_UNREADABLE = (ValueError, SyntaxError, TypeError, MemoryError, RecursionError, Warning)


class ArrayRefusedError(ValueError):
    """An array that does not look like the one it should replace."""


def read_arrays(record: ArrayRecord) -> dict[str, NDArray[Any]]:
    """Return a model's arrays by name as read-only views of the record's bytes.

    Raises
    ------
    ConfigError
        If one of them is not a plain numeric array: the model is ours, not a client's.
    """
    arrays: dict[str, NDArray[Any]] = {}
    for name, array in record.items():
        try:
            arrays[name] = read_array(array)
        except ArrayRefusedError as error:
            raise ConfigError(
                "a model needs plain numeric numpy arrays",
                came=f"{str(error)[:100]} in {name[:60]!r}",
                action="make its ArrayRecord from numpy arrays or a torch state dict",
            ) from error
    return arrays


def read_array(array: Array) -> NDArray[Any]:
    """Return the array as a read-only view of its own bytes, without a copy.

    Parameters
    ----------
    array : Array
        A Flower array holding one ``.npy`` image.

    Returns
    -------
    NDArray
        Shape and dtype as the image's header says.

    Raises
    ------
    ArrayRefusedError
        If the bytes are not one plain numeric ``.npy`` image of exactly the stated size,
        or if Flower's own header states something else.
    """
    if array.stype != SType.NUMPY:
        raise ArrayRefusedError(f"serialised as {str(array.stype)[:40]!r}, not numpy")
    dtype, fortran, shape, offset = _read_header(array.data)
    if array.dtype != str(dtype) or tuple(array.shape) != shape:
        raise ArrayRefusedError("header and bytes state different dtypes or shapes")
    size = dtype.itemsize * _count(shape)
    if len(array.data) - offset != size:
        raise ArrayRefusedError(f"{size} bytes stated, {len(array.data) - offset} came")
    flat = np.frombuffer(array.data, dtype=dtype, offset=offset)
    return flat.reshape(shape, order="F" if fortran else "C")


def _count(shape: tuple[int, ...]) -> int:
    total = 1
    for length in shape:
        total *= length
    return total


def _read_header(data: bytes) -> tuple[np.dtype[Any], bool, tuple[int, ...], int]:
    """Parse the ``.npy`` header (NEP 1, versions 1 to 3) without evaluating anything."""
    if len(data) < 12 or data[:6] != _MAGIC or data[6] not in (1, 2, 3):
        raise ArrayRefusedError("not a numpy image")
    width = 2 if data[6] == 1 else 4
    length = int.from_bytes(data[8 : 8 + width], "little")
    offset = 8 + width + length
    if length > _MAX_HEADER or offset > len(data):
        raise ArrayRefusedError("header too long")
    try:
        fields = ast.literal_eval(data[8 + width : offset].decode("latin1").strip())
        return _check_header(fields, offset)
    except _UNREADABLE as error:
        raise ArrayRefusedError("header not readable") from error


def _check_header(
    fields: Mapping[str, Any], offset: int
) -> tuple[np.dtype[Any], bool, tuple[int, ...], int]:
    if not isinstance(fields, dict) or set(fields) != {"descr", "fortran_order", "shape"}:
        raise ValueError("fields")
    descr, fortran, shape = fields["descr"], fields["fortran_order"], fields["shape"]
    if not isinstance(descr, str) or not isinstance(fortran, bool):
        raise ValueError("types")
    if not isinstance(shape, tuple) or len(shape) > 32:
        raise ValueError("shape")
    if any(type(length) is not int or not 0 <= length < 2**48 for length in shape):
        raise ValueError("shape")
    dtype = np.dtype(descr)
    if dtype.kind not in "fiub" or dtype.hasobject:
        raise ValueError("dtype")
    return dtype, fortran, shape, offset


def write_arrays(arrays: Mapping[str, NDArray[Any]]) -> ArrayRecord:
    """Return the arrays as a Flower record, in their order."""
    return ArrayRecord({name: Array(np.asarray(value)) for name, value in arrays.items()})


def moved(
    base: Mapping[str, NDArray[Any]],
    update: NDArray[np.float32],
    counters: Mapping[str, NDArray[Any]],
) -> dict[str, NDArray[Any]]:
    """Return the base plus a flat update, cut into its arrays, in its dtypes.

    Parameters
    ----------
    update : ndarray of float32, shape (d,)
        The step of every array that is not among the counters, one after the other.
    counters : mapping of str to ndarray
        New values of the other arrays.

    Examples
    --------
    >>> base = {"w": np.zeros(2), "n": np.array(3)}
    >>> moved(base, np.ones(2, np.float32), {"n": np.array(4)})
    {'w': array([1., 1.]), 'n': array(4)}
    """
    model: dict[str, NDArray[Any]] = {}
    start = 0
    for name, array in base.items():
        if name in counters:
            model[name] = counters[name]
            continue
        step = update[start : start + array.size].reshape(array.shape)
        model[name] = np.asarray(array + step, array.dtype)
        start += array.size
    return model
