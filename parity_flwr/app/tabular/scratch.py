"""Arrays on disk for as long as somebody holds them: one file without a name."""

from __future__ import annotations

import os
import tempfile
import weakref
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_flwr.errors import RunError


@dataclass(frozen=True)
class Piece:
    """Where an array lies: first byte, number of values, and their dtype."""

    offset: int
    count: int
    dtype: str

    def part(self, start: int, stop: int) -> Piece:
        """Return some of it, by the places of its values."""
        width = np.dtype(self.dtype).itemsize
        return Piece(self.offset + start * width, stop - start, self.dtype)


class Scratch:
    """A file in the folder for temporary files (``TMPDIR``) that has no name there.

    It is read and written, never mapped: mapped pages would count as this process's memory.
    Nothing is left of it when the process ends, however that happens.

    Examples
    --------
    >>> scratch = Scratch()
    >>> piece = scratch.append(np.arange(5))
    >>> scratch.read(piece.part(1, 3)).tolist()
    [1, 2]
    """

    def __init__(self) -> None:
        with tempfile.TemporaryFile() as file:
            self._file = os.dup(file.fileno())
        self._end = 0
        weakref.finalize(self, os.close, self._file)

    @property
    def size(self) -> int:
        """Return how many bytes are taken."""
        return self._end

    def reserve(self, count: int, dtype: str) -> Piece:
        """Return room for so many values."""
        piece = Piece(self._end, count, dtype)
        self._end += count * np.dtype(dtype).itemsize
        return piece

    def append(self, values: NDArray[Any]) -> Piece:
        """Write values at the end."""
        piece = self.reserve(values.size, values.dtype.str)
        self.write(piece, values)
        return piece

    def write(self, piece: Piece, values: NDArray[Any]) -> None:
        """Write values where a piece says.

        Raises
        ------
        RunError
            If the disk is full.
        """
        rest = _bytes(np.ascontiguousarray(values, piece.dtype))
        offset = piece.offset
        try:
            while rest:
                done = os.pwrite(self._file, rest, offset)
                rest, offset = rest[done:], offset + done
        except OSError as error:
            raise RunError(
                "a table that is not held in memory needs room for temporary files",
                came=f"{error.strerror} in {tempfile.gettempdir()}",
                action="make room there, or set TMPDIR to another folder",
            ) from error

    def read(self, piece: Piece) -> NDArray[Any]:
        """Return the values of a piece, in an array of their own."""
        values = np.empty(piece.count, piece.dtype)
        rest = _bytes(values)
        offset = piece.offset
        while rest:
            done = os.preadv(self._file, [rest], offset)
            rest, offset = rest[done:], offset + done
        return values


def _bytes(values: NDArray[Any]) -> memoryview:
    """Return an array's bytes, not copied; a memoryview of nothing cannot be cast."""
    return values.data.cast("B") if values.size else memoryview(b"")
