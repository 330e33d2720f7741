"""A CSV file that is too large for memory, as columns in a scratch file."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_flwr.app.tabular.file_errors import bad, no_rows, translated
from parity_flwr.app.tabular.header import Header, checked_header
from parity_flwr.app.tabular.reading import Source, Texts, column_values, options, text_column
from parity_flwr.app.tabular.scratch import Piece, Scratch

MOST_LEVELS = 1 << 14
"""Different texts of a column that are told apart; later ones are like missing."""

_MOST_BYTES = 4 << 20  # of a column's different texts together
_BATCHES = 8  # of pyarrow's blocks make one of ours
_MISFIT = re.compile(r"column #(\d+).*conversion error to .*: invalid value '(.*)'", re.DOTALL)

Watch = Callable[[str, int, int], None]
"""Gets what is being done ("reading", ...), and how much of how much is."""


def unwatched(what: str, done: int, of: int) -> None:
    """Say nothing."""


@dataclass
class Levels:
    """The different texts of a column, in the order in which they came.

    Parameters
    ----------
    places : dict
        Text to place.
    full : bool
        Whether there were more than are told apart.
    """

    places: dict[str, int] = field(default_factory=dict)
    full: bool = False
    _bytes: int = 0

    def codes(self, column: Any) -> NDArray[np.int32]:
        """Return the place of each text of pyarrow's column; -1 where there is none."""
        encoded = column.combine_chunks().dictionary_encode()
        local = [self._place(each) for each in encoded.dictionary.to_pylist()]
        table = np.array([*local, -1], np.int32)
        places = encoded.indices.fill_null(len(local)).to_numpy(zero_copy_only=False)
        found: NDArray[np.int32] = table[places]
        return found

    def _place(self, text: str | None) -> int:
        if text is None:
            return -1
        found = self.places.get(text)
        if found is not None:
            return found
        self._bytes += len(text)
        if len(self.places) >= MOST_LEVELS or self._bytes > _MOST_BYTES:
            self.full = True
            return -1
        self.places[text] = len(self.places)
        return self.places[text]

    def texts(self, codes: NDArray[np.int32]) -> Texts:
        """Return the texts of these places."""
        return np.array([*self.places, None], object)[codes]


@dataclass
class Spilled:
    """A table whose columns lie in a scratch file, batch by batch.

    Parameters
    ----------
    scratch : Scratch
    rows : list of int
        Of each batch.
    pieces : dict of str to list of Piece
        Each column's part of each batch: float64, or int32 for places of texts.
    levels : dict of str to Levels
        Of the columns of texts.
    """

    scratch: Scratch
    rows: list[int] = field(default_factory=list)
    pieces: dict[str, list[Piece]] = field(default_factory=dict)
    levels: dict[str, Levels] = field(default_factory=dict)

    def batches(self, name: str) -> Iterator[NDArray[Any]]:
        """Yield a column batch by batch: numbers, or places of texts."""
        for piece in self.pieces[name]:
            yield self.scratch.read(piece)

    def known(self, name: str) -> Iterator[NDArray[np.bool_]]:
        """Yield which values of a column are there, batch by batch."""
        for values in self.batches(name):
            yield values >= 0 if name in self.levels else ~np.isnan(values)


def spill(path: Path, *, texts: Sequence[str] = (), watch: Watch = unwatched) -> Spilled:
    """Read a CSV file once, from one end to the other, into a scratch file.

    What a column holds is first taken from the first megabytes; a value further down that
    does not fit widens the column, and the file is read again. The rules are those of
    :func:`parity_flwr.app.tabular.reading.read_csv`, except for more than 16384 different
    texts in one column: those that come later are like missing ones.

    Raises
    ------
    DataError
        As in ``read_csv``.
    RunError
        If the disk is full.
    """
    header = checked_header(path)
    table = None
    kinds: dict[str, Any] = header.types(texts)
    with translated(path):
        while table is None:
            try:
                with _Opened(path, header, kinds) as opened:
                    kinds = {each.name: each.type for each in opened.reader.schema}
                    table = _read(path, header, opened, watch)
            except ValueError as error:
                kinds = _widened(header, kinds, error)
    _check_filled(path, table)
    return table


class _Opened:
    """A reader of batches, and how far it is."""

    def __init__(self, path: Path, header: Header, types: dict[str, Any]) -> None:
        from pyarrow import csv

        self._source = Source(path)
        self.reader = csv.open_csv(self._source.stream, **options(header, types))

    def __enter__(self) -> _Opened:
        return self

    def __exit__(self, *unused: object) -> None:
        self.reader.close()

    def batches(self, watch: Watch) -> Iterator[Any]:
        """Yield some of pyarrow's batches together as one table of its own."""
        import pyarrow as pa

        held: list[Any] = []
        for batch in self.reader:
            held.append(batch)
            watch("reading", self._source.done, self._source.size)
            if len(held) == _BATCHES:
                yield pa.Table.from_batches(held)
                held = []
        if held:
            yield pa.Table.from_batches(held)


def _read(path: Path, header: Header, opened: _Opened, watch: Watch) -> Spilled:
    table = Spilled(Scratch(), pieces={name: [] for name in header.names})
    for batch in opened.batches(watch):
        _keep(path, header, table, batch)
    if not table.rows:
        raise no_rows(path)
    return table


def _keep(path: Path, header: Header, table: Spilled, batch: Any) -> None:
    import pyarrow as pa

    if not batch.num_rows:
        return
    table.rows.append(batch.num_rows)
    for name, column in zip(header.names, batch.columns, strict=True):
        values: NDArray[Any]
        if pa.types.is_string(column.type):
            levels = table.levels.setdefault(name, Levels())
            values = levels.codes(text_column(path, column))
        else:
            values = column_values(path, column)
        table.pieces[name].append(table.scratch.append(values))


def _widened(header: Header, kinds: dict[str, Any], error: ValueError) -> dict[str, Any]:
    """Return types in which the column of the value that did not fit is wider.

    Raises
    ------
    ValueError
        If the error is about something else.
    """
    found = _MISFIT.search(str(error))
    if found is None:
        raise error
    name = header.written[int(found[1])]
    if str(kinds[name]) == "string":
        raise error
    return {**kinds, name: _wider(kinds[name], found[2])}


def _wider(kind: Any, text: str) -> Any:
    """Return a type for what was of one and now has a value that is not."""
    import pyarrow as pa

    other = _kind_of(text)
    pair = {kind, other}
    if pa.types.is_null(kind):
        return other
    if pair <= {pa.int64(), pa.float64()}:
        return pa.float64()
    if pair == {pa.int64(), pa.bool_()} and pa.types.is_integer(kind):
        return pa.bool_()
    if pair <= {pa.date32(), pa.timestamp("s"), pa.timestamp("ns")}:
        wider = {pa.date32(): pa.timestamp("s"), pa.timestamp("s"): pa.timestamp("ns")}
        return wider.get(kind, pa.string())
    return pa.string()


def _kind_of(text: str) -> Any:
    import pyarrow as pa
    from pyarrow import csv

    quoted = text.replace('"', '""')
    sample = csv.read_csv(pa.py_buffer(f'x\n"{quoted}"\n'.encode()))
    kind = sample.column(0).type
    return pa.string() if pa.types.is_null(kind) or pa.types.is_binary(kind) else kind


def _check_filled(path: Path, table: Spilled) -> None:
    for name in table.pieces:
        if not any(known.any() for known in table.known(name)) and not (
            name in table.levels and table.levels[name].full
        ):
            raise bad(
                path,
                "values in every column",
                f"none in {name!r}",
                "remove the column or fill it",
            )
