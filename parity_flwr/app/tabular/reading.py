"""A CSV file as columns of numbers and of texts, or one line about what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_flwr.errors import DataError, MissingExtraError

Numbers = NDArray[np.float64]
Texts = NDArray[np.object_]

_MISSING = ["", "NA", "N/A", "n/a", "NaN", "nan", "null", "NULL", "None", "?", "#N/A", "-nan"]
_DELIMITERS = ",;\t|"
_HEAD = 1 << 16  # bytes looked at before anything is parsed


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
            shown = ", ".join(list(self.columns)[:8])
            raise bad(path, f"a column {name!r}", f"{shown}, ...", "check --partition")
        return self.columns[name]

    def without(self, name: str) -> RawTable:
        """Return the table without one column."""
        return RawTable({key: each for key, each in self.columns.items() if key != name})

    def rows(self, chosen: NDArray[Any]) -> RawTable:
        """Return some of the rows, by indices or marks."""
        return RawTable({name: each[chosen] for name, each in self.columns.items()})


def bad(path: Path, needed: str, came: str, action: str) -> DataError:
    """Return an error about a file, on one line."""
    return DataError(f"{path.name} needs {needed}", came=came[:160], action=action)


def read_csv(path: Path, *, texts: Sequence[str] = ()) -> RawTable:
    """Return the columns of a CSV file, plain or compressed (.gz, .bz2, .zst).

    The delimiter is the one of comma, semicolon, tab and bar that the first line has most
    of. Numbers, booleans, dates and times become numbers (dates: days, times: seconds),
    the rest texts, and so do the columns in ``texts`` whatever they hold. Empty fields and the
    usual signs for "missing" are missing.

    Raises
    ------
    DataError
        If there is no header or no row, a name is missing or there twice, a column is empty
        from top to bottom, a line has another number of fields, or the file is not UTF-8.
    MissingExtraError
        If pyarrow is not installed.
    """
    try:
        import pyarrow as pa
        from pyarrow import csv
    except ImportError as error:
        raise MissingExtraError("reading a CSV file", extra="tabular") from error
    header = _first_line(path)
    delimiter = max(_DELIMITERS, key=header.count)
    try:
        table = csv.read_csv(
            str(path),
            parse_options=csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
            convert_options=csv.ConvertOptions(
                null_values=_MISSING,
                strings_can_be_null=True,
                column_types={name: pa.string() for name in texts},
            ),
        )
    except UnicodeDecodeError as error:
        raise _encoding(path) from error
    except pa.ArrowInvalid as error:
        text = " ".join(str(error).split())
        raise bad(path, "the same fields in every line", text, "repair the line") from error
    except OSError as error:
        raise bad(path, "to be readable", str(error), "check the file") from error
    _check_names(path, table.column_names)
    if not table.num_rows:
        raise bad(path, "rows below its header", "none", "give a file with data")
    pairs = zip(table.column_names, table.columns, strict=True)
    return RawTable({name: _column(path, name, column) for name, column in pairs})


def _encoding(path: Path) -> DataError:
    return bad(path, "to be UTF-8 text", "another encoding", "convert it: iconv -t UTF-8")


def _first_line(path: Path) -> str:
    """Return the header as text, of a compressed file too."""
    import pyarrow as pa

    try:
        with pa.input_stream(str(path)) as stream:
            head = stream.read(_HEAD)
    except OSError as error:
        raise bad(path, "to be readable", str(error), "check the file") from error
    if not head.strip():
        raise bad(path, "a header and rows", "an empty file", "give a file with data")
    if b"\0" in head:
        raise _encoding(path)
    try:
        return str(head.splitlines()[0].decode("utf-8"))
    except UnicodeDecodeError as error:
        raise _encoding(path) from error


def _check_names(path: Path, names: list[str]) -> None:
    if any(not name.strip() for name in names):
        raise bad(path, "a name for every column", "an empty one", "name it in the first line")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise bad(
            path, "each column name once", f"{twice[0]!r} twice", "rename or remove a column"
        )


def _column(path: Path, name: str, column: Any) -> Numbers | Texts:
    import pyarrow as pa
    from pyarrow import compute

    kind = column.type
    if column.null_count == len(column):
        raise bad(
            path, "values in every column", f"none in {name!r}", "remove the column or fill it"
        )
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        raise _encoding(path)
    if pa.types.is_date(kind):
        column = compute.cast(compute.cast(column, pa.int32()), pa.float64())
    elif pa.types.is_time(kind) or pa.types.is_timestamp(kind):
        unit = pa.timestamp("s") if pa.types.is_timestamp(kind) else pa.time32("s")
        whole = compute.cast(column, unit, safe=False)
        width = pa.int64() if pa.types.is_timestamp(kind) else pa.int32()
        column = compute.cast(compute.cast(whole, width), pa.float64())
    elif pa.types.is_boolean(kind) or pa.types.is_integer(kind) or pa.types.is_floating(kind):
        column = compute.cast(column, pa.float64(), safe=False)
    else:
        column = compute.cast(column, pa.string())
        return np.array(column.to_pylist(), object)
    values = np.array(column.to_numpy(zero_copy_only=False), np.float64)
    values[np.isinf(values)] = np.nan  # an infinite measurement is none
    return values
