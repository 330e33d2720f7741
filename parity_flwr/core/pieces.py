"""One row in pieces: the arrays of a reply, cut and read as float32 where they lie."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from parity_flwr.errors import ConfigError

Piece: TypeAlias = "NDArray[Any] | np.flatiter[NDArray[Any]]"
Place: TypeAlias = tuple[int, int, int, int]

_FLOAT32_MAX = float(np.finfo(np.float32).max)


def flat(array: NDArray[Any]) -> Piece:
    """Return the array's numbers in C order without a copy: a view, or else an iterator."""
    require_real(array)
    return array.reshape(-1) if array.flags.c_contiguous else array.flat


def locate(ends: list[int], start: int, stop: int) -> Place:
    """Return the first and the last piece of [start, stop), and where it begins and ends."""
    first, last = bisect_right(ends, start), bisect_left(ends, stop)
    begin = start - (ends[first - 1] if first else 0)
    end = stop - (ends[last - 1] if last else 0)
    return first, last, begin, end


def cut(pieces: list[Piece], place: Place) -> list[Piece]:
    """Return the pieces at a place, the first and the last one trimmed."""
    first, last, begin, end = place
    if first == last:
        return [pieces[first][begin:end]]
    return [pieces[first][begin:], *pieces[first + 1 : last], pieces[last][:end]]


def segments(ends: list[int], start: int, stop: int) -> Iterator[tuple[int, slice, slice]]:
    """Yield which pieces make up [start, stop), which part of them, and where it goes."""
    first, last, begin, _ = locate(ends, start, stop)
    done = 0
    for k in range(first, last + 1):
        size = min(ends[k], stop) - start - done
        yield k, slice(begin, begin + size), slice(done, done + size)
        begin, done = 0, done + size


def copy(row: NDArray[np.float32], pieces: list[Piece]) -> None:
    """Write the pieces' numbers to the row; what float32 cannot hold saturates."""
    # One call for all pieces: a loop over thousands of biases would cost more than the copy.
    try:
        with np.errstate(over="raise", invalid="ignore"):
            np.concatenate([piece[:] for piece in pieces], out=row, casting="unsafe")
    except FloatingPointError:
        np.concatenate([as_float32(piece[:]) for piece in pieces], out=row)


def is_plain(piece: Piece) -> bool:
    """Return whether the piece is a float32 array, to be read as it is."""
    return isinstance(piece, np.ndarray) and piece.dtype == np.float32


def as_float32(values: NDArray[Any]) -> NDArray[np.float32]:
    """Return the numbers as float32, saturated."""
    try:
        with np.errstate(over="raise", invalid="ignore"):
            return values.astype(np.float32)
    except FloatingPointError:
        return np.asarray(np.clip(values, -_FLOAT32_MAX, _FLOAT32_MAX), np.float32)


def frozen(array: NDArray[Any]) -> NDArray[Any]:
    """Return the array, read-only from now on."""
    array.flags.writeable = False
    return array


def require_real(array: NDArray[Any]) -> None:
    """Refuse what does not hold real numbers."""
    if array.dtype.kind not in "biuf":
        raise malformed("real numbers", f"dtype {array.dtype}")


def malformed(needed: str, came: str) -> ConfigError:
    """Return the error for rows that are none."""
    return ConfigError(f"rows need {needed}", came=came, action="refuse such a reply earlier")
