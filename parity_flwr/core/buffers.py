"""Rows over an array, and over lists of arrays such as the replies' own memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_flwr.core.pieces import (
    Piece,
    as_float32,
    copy,
    cut,
    flat,
    frozen,
    is_plain,
    locate,
    malformed,
    require_real,
    segments,
)
from parity_flwr.core.reading import Tile

_FEW = 4  # pieces that are copied one by one


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
        require_real(matrix)
        if matrix.ndim != 2:
            raise malformed("an array of shape (n, d)", f"shape {matrix.shape}")
        self._matrix = frozen(matrix.view())

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
        return frozen(as_float32(columns))

    def tiles(self, height: int, width: int) -> Iterator[Tile]:
        """Yield all rows in tiles, views of float32 ones; see :func:`tiles`."""
        for start in range(0, self.d, width):
            for first in range(0, self.n, height):
                tile = self._matrix[first : first + height, start : start + width]
                yield Tile(first, start, tile if tile.dtype == np.float32 else as_float32(tile))


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
        self._pieces = [[flat(array) for array in row] for row in buffers]
        self._ends = [list(accumulate(array.size for array in row)) for row in buffers]
        lengths = {ends[-1] if ends else 0 for ends in self._ends}
        if len(lengths) > 1:
            raise malformed("rows of one length", f"lengths {sorted(lengths)}")
        self._length = lengths.pop() if lengths else 0
        self._plain = all(ends == self._ends[0] for ends in self._ends) and all(
            is_plain(piece) for row in self._pieces for piece in row
        )

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
        self.read(block, start=start)
        return frozen(block)

    def tiles(self, height: int, width: int) -> Iterator[Tile]:
        """Yield all rows in tiles that share their memory; see :func:`tiles`."""
        scratch = np.empty((min(height, self.n), min(width, self.d)), np.float32)
        for start in range(0, self.d, width):
            for first in range(0, self.n, height):
                tile = scratch[: self.n - first, : self.d - start]
                self.read(tile, first=first, start=start)
                yield Tile(first, start, frozen(tile.view()))

    def take(self, chosen: NDArray[np.intp]) -> BufferRows:
        """Return some of the rows, by index."""
        taken = BufferRows([])
        taken._pieces = [self._pieces[k] for k in chosen]
        taken._ends = [self._ends[k] for k in chosen]
        taken._length, taken._plain = self._length, self._plain
        return taken

    def read(
        self,
        out: NDArray[np.float32],
        *,
        first: int = 0,
        start: int = 0,
        minus: NDArray[np.float32] | None = None,
    ) -> None:
        """Write the rows from ``first`` and their columns from ``start`` on, as many as fit.

        Less ``minus``, shape (width,), if that is given, in the same reading of the memory.

        Raises
        ------
        FloatingPointError
            If a difference of finite numbers does not fit float32.
        """
        if not out.size:
            return
        stop, last = start + out.shape[1], first + len(out)
        pieces, ends = self._pieces[first:last], self._ends[first:last]
        with np.errstate(over="ignore" if minus is None else "raise", invalid="ignore"):
            if self._plain and len(cut(pieces[0], locate(ends[0], start, stop))) <= _FEW:
                for k, part, here in segments(ends[0], start, stop):
                    _read_part(out[:, here], [row[k][part] for row in pieces], minus, here)
                return
            for row, arrays, own in zip(out, pieces, ends, strict=True):
                copy(row, cut(arrays, locate(own, start, stop)))
            if minus is not None:
                np.subtract(out, minus, out=out)


def _read_part(
    out: NDArray[np.float32],
    arrays: list[Piece],
    minus: NDArray[np.float32] | None,
    here: slice,
) -> None:
    if minus is None:
        for row, array in zip(out, arrays, strict=True):
            row[...] = array
        return
    less = minus[here]
    for row, array in zip(out, arrays, strict=True):
        np.subtract(array, less, out=row)
