"""How rules read rows: in blocks of all rows, or in tiles that a core's own cache holds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

_BLOCK_BYTES = 8 << 20  # of one block; a handful of them stay far under 64 MiB
_MAX_WIDTH = 1 << 15
_HEIGHT = 16  # rows of a tile


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


class Tile(NamedTuple):
    """Some columns of some rows."""

    first: int  # row
    start: int  # column
    block: NDArray[np.float32]


@runtime_checkable
class Tiled(Protocol):
    """Rows that can be read a few at a time."""

    def tiles(self, height: int, width: int) -> Iterator[Tile]:
        """Yield all rows in tiles of at most that size, each good until the next one."""
        ...


def blocks(rows: Rows, *, max_bytes: int = _BLOCK_BYTES) -> Iterator[NDArray[np.float32]]:
    """Yield all columns of the rows in order, in blocks of at most `max_bytes` where possible.

    Examples
    --------
    >>> from parity_flwr.core.rows import MatrixRows
    >>> [block.shape for block in blocks(MatrixRows(np.zeros((2, 300))), max_bytes=1024)]
    [(2, 128), (2, 128), (2, 44)]
    """
    width = min(max(max_bytes // (4 * max(rows.n, 1)), 64), _MAX_WIDTH)
    for start in range(0, rows.d, width):
        yield rows.block(start, min(start + width, rows.d))


def tiles(rows: Rows) -> Iterator[Tile]:
    """Yield all rows in tiles, the rows of some columns before the next columns.

    A tile is good until the next one is asked for, which may lie in the same memory. What
    works row by row reads tiles twice as fast as blocks. Of rows that are :class:`Tiled` the
    cut depends on n and d alone, so that the same numbers give the same bits.

    Examples
    --------
    >>> from parity_flwr.core.rows import MatrixRows
    >>> [(tile.first, tile.start) for tile in tiles(MatrixRows(np.zeros((20, 40000))))]
    [(0, 0), (16, 0), (0, 32768), (16, 32768)]
    """
    if isinstance(rows, Tiled):
        yield from rows.tiles(_HEIGHT, _MAX_WIDTH)
        return
    start = 0
    for block in blocks(rows):
        for first in range(0, rows.n, _HEIGHT):
            yield Tile(first, start, block[first : first + _HEIGHT])
        start += block.shape[1]
