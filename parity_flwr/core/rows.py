"""Updates as rows: n read-only float32 vectors of length d over memory that others own.

A rule never sees a matrix: it asks for the columns ``[start, stop)`` of all rows, so that
the replies' own buffers serve without a second full copy. Rows are finite: whoever makes
them has refused NaN and infinity. A finite number beyond float32 saturates instead of
becoming infinite, so that a hostile one stays what it is: very far away.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from parity_flwr.errors import ConfigError

_FLOAT32_MAX = float(np.finfo(np.float32).max)
_BLOCK_BYTES = 8 << 20  # of one block; a handful of them stay far under 64 MiB
_MAX_WIDTH = 1 << 15


class Rows(Protocol):
    """n read-only float32 rows of length d."""

    @property
    def n(self) -> int:
        """Number of rows (clients)."""
        ...

    @property
    def d(self) -> int:
        """Length of a row (parameters)."""
        ...

    def block(self, start: int, stop: int) -> NDArray[np.float32]:
        """Return the columns [start, stop) of all rows, shape (n, stop - start), read-only."""
        ...


class MatrixRows:
    """The rows of an array; float32 blocks are views, other types are cast block by block.

    Parameters
    ----------
    matrix : ndarray, shape (n, d), of real numbers
        Kept by reference and never written to.

    Raises
    ------
    ConfigError
        If the array does not have two axes or does not hold real numbers.

    Examples
    --------
    >>> MatrixRows(np.eye(3)).block(0, 2).tolist()
    [[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]
    """

    def __init__(self, matrix: NDArray[Any]) -> None:
        _require_real(matrix)
        if matrix.ndim != 2:
            raise _malformed("an array of shape (n, d)", f"shape {matrix.shape}")
        self._matrix = _frozen(matrix.view())

    @property
    def n(self) -> int:
        """Number of rows (clients)."""
        return int(self._matrix.shape[0])

    @property
    def d(self) -> int:
        """Length of a row (parameters)."""
        return int(self._matrix.shape[1])

    def block(self, start: int, stop: int) -> NDArray[np.float32]:
        """Return the columns [start, stop) of all rows, shape (n, stop - start), read-only."""
        columns = self._matrix[:, start:stop]
        if columns.dtype == np.float32:
            return columns
        return _frozen(_as_float32(columns))


class BufferRows:
    """Rows that are lists of arrays; a row is the concatenation of its ravelled arrays.

    Parameters
    ----------
    buffers : sequence of n sequences of arrays of real numbers
        Kept by reference and never written to; only blocks of them are ever copied.

    Raises
    ------
    ConfigError
        If the rows differ in length or do not hold real numbers.

    Examples
    --------
    >>> rows = BufferRows([[np.eye(2), np.array([5])]])
    >>> rows.d, rows.block(2, 5).tolist()
    (5, [[0.0, 1.0, 5.0]])
    """

    def __init__(self, buffers: Sequence[Sequence[NDArray[Any]]]) -> None:
        self._pieces = [[_flat(array) for array in row] for row in buffers]
        self._ends = [list(accumulate(array.size for array in row)) for row in buffers]
        lengths = {ends[-1] if ends else 0 for ends in self._ends}
        if len(lengths) > 1:
            raise _malformed("rows of one length", f"lengths {sorted(lengths)}")
        self._length = lengths.pop() if lengths else 0
        self._alike = all(ends == self._ends[0] for ends in self._ends)

    @property
    def n(self) -> int:
        """Number of rows (clients)."""
        return len(self._pieces)

    @property
    def d(self) -> int:
        """Length of a row (parameters)."""
        return self._length

    def block(self, start: int, stop: int) -> NDArray[np.float32]:
        """Return the columns [start, stop) of all rows, shape (n, stop - start), read-only."""
        start, stop, _ = slice(start, stop).indices(self._length)
        block = np.empty((self.n, max(stop - start, 0)), np.float32)
        if block.size:
            self._read(block, start, stop, _fill)
        return _frozen(block)

    def block_minus(
        self, start: int, stop: int, origin: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Return the block less the same columns of one row, in one reading of the memory.

        Raises
        ------
        FloatingPointError
            If a difference of finite numbers does not fit float32.
        """
        block = np.empty((self.n, origin.shape[0]), np.float32)

        def subtract(row: NDArray[np.float32], pieces: list[_Piece]) -> None:
            if len(pieces) == 1 and _is_float32(pieces[0]):
                np.subtract(pieces[0], origin, out=row)
            else:
                _fill(row, pieces)
                np.subtract(row, origin, out=row)

        if block.size:
            with np.errstate(over="raise", invalid="ignore"):
                self._read(block, start, stop, subtract)
        return _frozen(block)

    def _read(self, block: NDArray[np.float32], start: int, stop: int, fill: _Fill) -> None:
        """Let ``fill`` write each row of the block from the pieces that make it up."""
        place = _locate(self._ends[0], start, stop)
        for row, pieces, ends in zip(block, self._pieces, self._ends, strict=True):
            fill(row, _cut(pieces, place if self._alike else _locate(ends, start, stop)))


class DifferenceRows:
    """Rows minus one origin: the updates delta_k = w_k - w from the models w_k.

    Parameters
    ----------
    rows : Rows
        The n models.
    origin : Rows
        One row of the same length: the model that was sent out.

    Raises
    ------
    ConfigError
        If the origin is not one row of the same length.

    Examples
    --------
    >>> rows = DifferenceRows(MatrixRows(np.array([[3.0, 4.0]])), MatrixRows(np.ones((1, 2))))
    >>> rows.block(0, 2).tolist()
    [[2.0, 3.0]]
    """

    def __init__(self, rows: Rows, origin: Rows) -> None:
        if origin.n != 1 or origin.d != rows.d:
            raise _malformed(f"an origin of shape (1, {rows.d})", f"({origin.n}, {origin.d})")
        self._rows = rows
        self._origin = origin

    @property
    def n(self) -> int:
        """Number of rows (clients)."""
        return self._rows.n

    @property
    def d(self) -> int:
        """Length of a row (parameters)."""
        return self._rows.d

    def block(self, start: int, stop: int) -> NDArray[np.float32]:
        """Return the columns [start, stop) of all rows, shape (n, stop - start), read-only."""
        origin = self._origin.block(start, stop)
        try:
            if isinstance(self._rows, BufferRows):
                return self._rows.block_minus(start, stop, origin[0])
            with np.errstate(over="raise", invalid="ignore"):
                return _frozen(np.subtract(self._rows.block(start, stop), origin))
        except FloatingPointError:
            wide = self._rows.block(start, stop).astype(np.float64)
            return _frozen(_as_float32(wide - origin))


def blocks(rows: Rows, *, max_bytes: int = _BLOCK_BYTES) -> Iterator[NDArray[np.float32]]:
    """Yield all columns of the rows in order, in blocks of at most `max_bytes` where possible.

    Examples
    --------
    >>> [block.shape for block in blocks(MatrixRows(np.zeros((2, 300))), max_bytes=1024)]
    [(2, 128), (2, 128), (2, 44)]
    """
    width = min(max(max_bytes // (4 * max(rows.n, 1)), 64), _MAX_WIDTH)
    for start in range(0, rows.d, width):
        yield rows.block(start, min(start + width, rows.d))


_Piece: TypeAlias = "NDArray[Any] | np.flatiter[NDArray[Any]]"
_Fill: TypeAlias = Callable[[NDArray[np.float32], list[_Piece]], None]
_Place: TypeAlias = tuple[int, int, int, int]


def _flat(array: NDArray[Any]) -> _Piece:
    """Return the array's numbers in C order without a copy: a view, or else an iterator."""
    _require_real(array)
    return array.reshape(-1) if array.flags.c_contiguous else array.flat


def _locate(ends: list[int], start: int, stop: int) -> _Place:
    """Return the first and the last piece of [start, stop), and where it begins and ends."""
    first, last = bisect_right(ends, start), bisect_left(ends, stop)
    begin = start - (ends[first - 1] if first else 0)
    end = stop - (ends[last - 1] if last else 0)
    return first, last, begin, end


def _cut(pieces: list[_Piece], place: _Place) -> list[_Piece]:
    """Return the pieces at a place, the first and the last one trimmed."""
    first, last, begin, end = place
    if first == last:
        return [pieces[first][begin:end]]
    return [pieces[first][begin:], *pieces[first + 1 : last], pieces[last][:end]]


def _fill(row: NDArray[np.float32], pieces: list[_Piece]) -> None:
    if len(pieces) == 1 and _is_float32(pieces[0]):
        row[...] = pieces[0]
        return
    # One call for all pieces: a loop over thousands of biases would cost more than the copy.
    try:
        with np.errstate(over="raise", invalid="ignore"):
            np.concatenate([piece[:] for piece in pieces], out=row, casting="unsafe")
    except FloatingPointError:
        np.concatenate([_as_float32(piece[:]) for piece in pieces], out=row)


def _is_float32(piece: _Piece) -> bool:
    return isinstance(piece, np.ndarray) and piece.dtype == np.float32


def _as_float32(values: NDArray[Any]) -> NDArray[np.float32]:
    try:
        with np.errstate(over="raise", invalid="ignore"):
            return values.astype(np.float32)
    except FloatingPointError:
        return np.asarray(np.clip(values, -_FLOAT32_MAX, _FLOAT32_MAX), np.float32)


def _frozen(array: NDArray[Any]) -> NDArray[Any]:
    array.flags.writeable = False
    return array


def _require_real(array: NDArray[Any]) -> None:
    if array.dtype.kind not in "biuf":
        raise _malformed("real numbers", f"dtype {array.dtype}")


def _malformed(needed: str, came: str) -> ConfigError:
    return ConfigError(f"rows need {needed}", came=came, action="refuse such a reply earlier")
