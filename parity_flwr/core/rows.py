"""Updates as rows: n read-only float32 vectors of length d over memory that others own.

A rule never sees a matrix: it asks for the columns ``[start, stop)`` of all rows, so that
the replies' own buffers serve without a second full copy. Rows are finite: whoever makes
them has refused NaN and infinity. A finite number beyond float32 saturates instead of
becoming infinite, so that a hostile one stays what it is: very far away.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from parity_flwr.core.buffers import BufferRows, MatrixRows
from parity_flwr.core.pieces import as_float32, frozen, malformed
from parity_flwr.core.reading import Rows, Tile, blocks

__all__ = [
    "BufferRows",
    "DifferenceRows",
    "MatrixRows",
    "Rows",
    "SelectedRows",
    "blocks",
    "take_rows",
]


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
            raise malformed(f"an origin of shape (1, {rows.d})", f"({origin.n}, {origin.d})")
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
        origin = self._origin.block(start, stop)[0]
        block = np.empty((self.n, origin.shape[0]), np.float32)
        self._subtract(block, 0, start, origin)
        return frozen(block)

    def tiles(self, height: int, width: int) -> Iterator[Tile]:
        """Yield all rows in tiles that share their memory; see :func:`tiles`."""
        scratch = np.empty((min(height, self.n), min(width, self.d)), np.float32)
        for start in range(0, self.d, width):
            origin = self._origin.block(start, start + width)[0]
            for first in range(0, self.n, height):
                tile = scratch[: self.n - first, : origin.size]
                self._subtract(tile, first, start, origin)
                yield Tile(first, start, frozen(tile.view()))

    def take(self, chosen: NDArray[np.intp]) -> DifferenceRows:
        """Return some of the rows, by index."""
        return DifferenceRows(take_rows(self._rows, chosen), self._origin)

    def _subtract(
        self, out: NDArray[np.float32], first: int, start: int, origin: NDArray[np.float32]
    ) -> None:
        try:
            if isinstance(self._rows, BufferRows):
                self._rows.read(out, first=first, start=start, minus=origin)
                return
            with np.errstate(over="raise", invalid="ignore"):
                np.subtract(self._models(out, first, start), origin, out=out)
        except FloatingPointError:
            wide = self._models(out, first, start).astype(np.float64)
            out[...] = as_float32(wide - origin)

    def _models(self, out: NDArray[np.float32], first: int, start: int) -> NDArray[np.float32]:
        block = self._rows.block(start, start + out.shape[1])
        return block[first : first + len(out)]


class SelectedRows:
    """Some of other rows, by index; only blocks are ever copied.

    Examples
    --------
    >>> from parity_flwr.core.rows import MatrixRows
    >>> SelectedRows(MatrixRows(np.eye(3)), np.array([2, 0])).block(0, 3).tolist()
    [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]
    """

    def __init__(self, rows: Rows, chosen: NDArray[np.intp]) -> None:
        self._rows = rows
        self._chosen = chosen

    @property
    def n(self) -> int:
        """Number of rows."""
        return len(self._chosen)

    @property
    def d(self) -> int:
        """Length of a row."""
        return self._rows.d

    def block(self, start: int, stop: int) -> NDArray[np.float32]:
        """Return the columns [start, stop) of all rows, shape (n, stop - start), read-only."""
        block = self._rows.block(start, stop)[self._chosen]
        return frozen(block)


def take_rows(rows: Rows, chosen: NDArray[np.intp]) -> Rows:
    """Return some of the rows, by index; of rows in buffers the others are not even read.

    Examples
    --------
    >>> take_rows(BufferRows([[np.zeros(2)], [np.ones(2)]]), np.array([1])).block(0, 2).tolist()
    [[1.0, 1.0]]
    """
    if isinstance(rows, BufferRows | DifferenceRows):
        return rows.take(chosen)
    return SelectedRows(rows, chosen)
