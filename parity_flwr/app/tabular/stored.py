"""A table too large for memory as a federation's data: the rows stay in a scratch file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_flwr.app.tabular.data import Rows
from parity_flwr.app.tabular.features import Encoder
from parity_flwr.app.tabular.plan import TabularPlan
from parity_flwr.app.tabular.reading import RawTable
from parity_flwr.app.tabular.scratch import Piece, Scratch
from parity_flwr.app.tabular.slices import Slice, StoredTables, slices_of
from parity_flwr.app.tabular.spilling import Levels, Watch, unwatched
from parity_flwr.app.tabular.target import Target
from parity_flwr.clients.tables import Table

_MOST_VALUES = 1 << 21  # that are encoded at once


@dataclass(frozen=True)
class _Columns(Mapping[str, NDArray[Any]]):
    """Some neighbouring rows of all columns, each read when it is asked for."""

    store: Store
    start: int
    stop: int

    def __getitem__(self, name: str) -> NDArray[Any]:
        values = self.store.scratch.read(self.store.pieces[name].part(self.start, self.stop))
        levels = self.store.levels.get(name)
        return values if levels is None else levels.texts(values)

    def __iter__(self) -> Iterator[str]:
        return iter(self.store.names)

    def __len__(self) -> int:
        return len(self.store.names)


@dataclass(frozen=True, eq=False)
class Store:
    """Columns in which each client's rows are neighbours.

    Parameters
    ----------
    levels : mapping of str to Levels
        Of the columns of texts.
    scratch : Scratch
    names : tuple of str
        The columns of the inputs, in the file's order.
    pieces : mapping of str to Piece
        Of each column, and of "" the target.
    starts : tuple of int
        The first row of each client, of the test set, and the end.
    """

    levels: Mapping[str, Levels]
    scratch: Scratch
    names: tuple[str, ...]
    pieces: Mapping[str, Piece]
    starts: tuple[int, ...]

    def rows(self, start: int, stop: int) -> RawTable:
        """Return some of the rows, whose columns are read one by one."""
        return RawTable(_Columns(self, start, stop))

    def targets(self, start: int, stop: int) -> NDArray[Any]:
        """Return the targets of some of the rows."""
        return self.scratch.read(self.pieces[""].part(start, stop))


@dataclass(frozen=True, kw_only=True, eq=False)
class StoredRows(Rows):
    """A table in a scratch file.

    Parameters
    ----------
    store : Store
    features : RawTable
        The first client's rows.
    target, plan, skipped, names
        As in :class:`Rows`.
    watch : callable
        Gets how many clients' rows are encoded.
    """

    store: Store
    features: RawTable
    target: Target
    plan: TabularPlan
    skipped: int = 0
    names: tuple[str, ...] = ()
    watch: Watch = unwatched

    @property
    def examples(self) -> list[int]:
        """Return each client's number of rows."""
        return [stop - start for start, stop in self._spans()]

    @property
    def test_examples(self) -> int:
        """Return the number of rows that no client has."""
        start, stop = self.store.starts[-2:]
        return int(stop - start)

    def _spans(self) -> list[tuple[int, int]]:
        starts = self.store.starts[:-1]
        return list(pairwise(starts))

    def clients(self) -> list[RawTable]:
        """Return each client's rows, whose columns are read one by one."""
        return [self.store.rows(*span) for span in self._spans()]

    def clients_targets(self) -> list[NDArray[Any]]:
        """Return each client's targets."""
        return [self.store.targets(*span) for span in self._spans()]

    def tables(self, encoder: Encoder) -> tuple[Sequence[Table], Table]:
        """Return each client's rows, in a scratch file of its own, and the test set's."""
        scratch = Scratch()
        slices: list[tuple[Slice, ...]] = []
        for span in self._spans():
            self.watch("encoding", len(slices), len(self._spans()))
            slices.append(_encoded(self.store, span, encoder, scratch))
        held = self.store.starts[-2:]
        test = np.concatenate([x for _, x in _blocks(self.store, held, encoder)])
        clients = StoredTables(scratch, len(encoder.names), tuple(slices))
        return clients, Table(test, self.store.targets(*held))


def _blocks(
    store: Store, span: tuple[int, ...], encoder: Encoder
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Yield first row and inputs of each block of a span."""
    start, stop = span
    size = max(1, _MOST_VALUES // max(len(encoder.names), len(store.names)))
    for first in range(start, stop, size):
        yield first - start, encoder.encode(store.rows(first, min(first + size, stop)))


def _encoded(
    store: Store, span: tuple[int, int], encoder: Encoder, scratch: Scratch
) -> tuple[Slice, ...]:
    """Write a client's rows in turn into its slices."""
    inputs = len(encoder.names)
    count = slices_of(span[1] - span[0], inputs=inputs)
    y = store.targets(*span)
    pieces = []
    for turn in range(count):
        mine = scratch.append(y[turn::count])
        pieces.append(Slice(scratch.reserve(mine.count * inputs, "<f4"), mine))
    for first, x in _blocks(store, span, encoder):
        for turn, piece in enumerate(pieces):
            skip = (turn - first) % count
            rows = x[skip::count]
            place = (first + skip) // count
            part = piece.x.part(place * inputs, (place + len(rows)) * inputs)
            scratch.write(part, rows)
    return tuple(pieces)
