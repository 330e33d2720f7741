"""A CSV file as columns of numbers and of texts, or one line about what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_flwr.app.tabular.file_errors import (
    LONGEST_LINE,
    bad,
    named,
    no_rows,
    not_text,
    translated,
)
from parity_flwr.app.tabular.header import Header, checked_header

Numbers = NDArray[np.float64]
Texts = NDArray[np.object_]

MISSING = ["", "NA", "N/A", "n/a", "NaN", "nan", "null", "NULL", "None", "?", "#N/A", "-nan"]
"""What stands for a missing value."""

COMPRESSED = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd", ".lz4": "lz4"}
"""What a compressed file's name ends with, and pyarrow's name of the compression."""

BLOCK = 4 * LONGEST_LINE
"""Bytes that are parsed at once; also the longest row."""


@dataclass(frozen=True, eq=False)
class RawTable:
    """Columns by name, in the file's order.

    A column of float64 is numeric with NaN for missing; one of objects holds texts, and None
    for missing.
    """

    columns: Mapping[str, Numbers | Texts]

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(next(iter(self.columns.values())))

    def column(self, path: Path, name: str) -> Numbers | Texts:
        """Return one column of what was read from ``path``.

        Raises
        ------
        DataError
            If there is none of that name.
        """
        if name not in self.columns:
            shown = named(self.columns)
            raise bad(path, f"a column {name!r}", shown, "check --partition")
        return self.columns[name]

    def without(self, name: str) -> RawTable:
        """Return the table without one column."""
        return RawTable({key: each for key, each in self.columns.items() if key != name})

    def rows(self, chosen: NDArray[Any]) -> RawTable:
        """Return some of the rows, by indices or marks."""
        return RawTable({name: each[chosen] for name, each in self.columns.items()})


def read_csv(path: Path, *, texts: Sequence[str] = ()) -> RawTable:
    """Return the columns of a CSV file, plain or compressed (.gz, .bz2, .zst).

    The delimiter is the one of comma, semicolon, tab and bar that the first line has most
    of. Numbers, booleans, dates and times become numbers (dates: days, times: seconds),
    the rest texts, and so do the columns in ``texts`` whatever they hold. Empty fields and the
    usual signs for "missing" are missing. Blanks around a column's name do not belong to it.

    Raises
    ------
    DataError
        If there is no header or no row, a name is missing or there twice, a column is empty
        from top to bottom, a line has another number of fields, the file is not UTF-8, or
        it has more columns or a longer line than the limits say.
    MissingExtraError
        If pyarrow is not installed.
    """
    header = checked_header(path)
    from pyarrow import csv

    with translated(path):
        table = csv.read_csv(str(path), **options(header, header.types(texts)))
    if not table.num_rows:
        raise no_rows(path)
    pairs = zip(header.names, table.columns, strict=True)
    return RawTable({name: _filled(path, name, column) for name, column in pairs})


class Source:
    """A file, plain or compressed, that says how far it is read.

    Attributes
    ----------
    stream
        What the file holds, for pyarrow.
    size : int
        Bytes of the file.
    """

    def __init__(self, path: Path) -> None:
        import pyarrow as pa

        self._file = pa.OSFile(str(path), "rb")
        self.size = path.stat().st_size
        codec = COMPRESSED.get(path.suffix)
        self.stream = pa.CompressedInputStream(self._file, codec) if codec else self._file

    @property
    def done(self) -> int:
        """Return how many bytes of the file were read."""
        return self.size if self._file.closed else min(int(self._file.tell()), self.size)


def options(
    header: Header, types: Mapping[str, Any], *, columns: Sequence[str] | None = None
) -> dict[str, Any]:
    """Return how pyarrow is to read a file with this header: all columns, or only some."""
    from pyarrow import csv

    return {
        "read_options": csv.ReadOptions(block_size=BLOCK),
        "parse_options": csv.ParseOptions(delimiter=header.delimiter, newlines_in_values=True),
        "convert_options": csv.ConvertOptions(
            null_values=MISSING,
            strings_can_be_null=True,
            column_types=dict(types),
            include_columns=columns,
        ),
    }


def _filled(path: Path, name: str, column: Any) -> Numbers | Texts:
    """Return a column that has a value."""
    values = column_values(path, column)
    known = is_known(values)
    if not known.any():
        raise bad(
            path, "values in every column", f"none in {name!r}", "remove the column or fill it"
        )
    return values


def is_known(column: Numbers | Texts) -> NDArray[np.bool_]:
    """Return which values are there."""
    if column.dtype == object:
        return np.array([each is not None for each in column], bool)
    return ~np.isnan(column.astype(np.float64))


def column_values(path: Path, column: Any) -> Numbers | Texts:
    """Return a column of pyarrow's as numbers or texts.

    Raises
    ------
    DataError
        If it is not text.
    """
    import pyarrow as pa

    if pa.types.is_null(column.type):
        return np.full(len(column), np.nan)
    if pa.types.is_string(column.type):
        return np.array(text_column(path, column).to_pylist(), object)
    return _numbers(path, column)


def text_column(path: Path, column: Any) -> Any:
    """Return a column of texts, if it is one: a NUL byte is not text.

    Raises
    ------
    DataError
        If it is not.
    """
    from pyarrow import compute

    matches = compute.call_function(
        "match_substring", [column], compute.MatchSubstringOptions("\0")
    )
    if compute.call_function("any", [matches]).as_py():
        raise not_text(path)
    return column


def _numbers(path: Path, column: Any) -> Numbers:
    import pyarrow as pa
    from pyarrow import compute

    kind = column.type
    if pa.types.is_binary(kind):
        raise not_text(path)
    if pa.types.is_date(kind):
        column = compute.cast(column, pa.int32())
    elif pa.types.is_time(kind) or pa.types.is_timestamp(kind):
        unit = pa.timestamp("s") if pa.types.is_timestamp(kind) else pa.time32("s")
        whole = compute.cast(column, unit, safe=False)
        width = pa.int64() if pa.types.is_timestamp(kind) else pa.int32()
        column = compute.cast(whole, width)
    column = compute.cast(column, pa.float64(), safe=False)
    values = np.array(column.to_numpy(zero_copy_only=False), np.float64)
    values[np.isinf(values)] = np.nan  # an infinite measurement is none
    return values
