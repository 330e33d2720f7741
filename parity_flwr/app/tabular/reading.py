"""A CSV file as columns of numbers and of texts, or one line about what is wrong with it."""

from __future__ import annotations

import csv as plain_csv
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_flwr.errors import DataError, MissingExtraError

Numbers = NDArray[np.float64]
Texts = NDArray[np.object_]

MISSING = ["", "NA", "N/A", "n/a", "NaN", "nan", "null", "NULL", "None", "?", "#N/A", "-nan"]
"""What stands for a missing value."""
_DELIMITERS = ",;\t|"

LONGEST_LINE = 1 << 20
"""Bytes of a header at most; a line below it may be four times as long."""

COMPRESSED = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd", ".lz4": "lz4"}
"""What a compressed file's name ends with, and pyarrow's name of the compression."""

MOST_COLUMNS = 10_000
"""Columns at most."""


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
    return DataError(f"{path.name} needs {needed[:160]}", came=came[:160], action=action)


@dataclass(frozen=True)
class Header:
    """The first line of a file.

    Parameters
    ----------
    delimiter : str
        Comma, semicolon, tab or bar, whichever it has most of.
    written : tuple of str
        The names as they are in the file.
    """

    delimiter: str
    written: tuple[str, ...]

    @property
    def names(self) -> list[str]:
        """Return the names without blanks around them."""
        return [each.strip() for each in self.written]

    def types(self, texts: Sequence[str]) -> dict[str, Any]:
        """Return the columns that are texts whatever they hold, as pyarrow wants them."""
        import pyarrow as pa

        pairs = zip(self.written, self.names, strict=True)
        return {written: pa.string() for written, name in pairs if name in texts}


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


def options(header: Header, types: Mapping[str, Any]) -> dict[str, Any]:
    """Return how pyarrow is to read a file with this header."""
    from pyarrow import csv

    return {
        "read_options": csv.ReadOptions(block_size=4 * LONGEST_LINE),
        "parse_options": csv.ParseOptions(delimiter=header.delimiter, newlines_in_values=True),
        "convert_options": csv.ConvertOptions(
            null_values=MISSING, strings_can_be_null=True, column_types=dict(types)
        ),
    }


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn what pyarrow raises about a file into one line."""
    import pyarrow as pa

    try:
        yield
    except UnicodeDecodeError as error:
        raise not_text(path) from error
    except pa.ArrowInvalid as error:
        raise _unparsed(path, " ".join(str(error).split())) from error
    except OSError as error:
        raise bad(path, "to be readable", str(error), "check the file") from error


def _unparsed(path: Path, text: str) -> DataError:
    if "invalid UTF8" in text:
        return not_text(path)
    if "Empty CSV" in text:
        return no_rows(path)
    if "straddling" in text:
        most = 4 * LONGEST_LINE >> 20
        return bad(
            path,
            "the same fields in every line",
            f"a line of over {most} MB, or a quote that is never closed",
            "repair the line",
        )
    return bad(path, "the same fields in every line", text, "repair the line")


def not_text(path: Path) -> DataError:
    """Return the error about a file that is not text."""
    return bad(path, "to be UTF-8 text", "another encoding", "convert it: iconv -t UTF-8")


def no_rows(path: Path) -> DataError:
    """Return the error about a file of a header alone."""
    return bad(path, "rows below its header", "none", "give a file with data")


def read_header(path: Path) -> Header:
    """Return the first line that is not blank, of a compressed file too.

    Raises
    ------
    DataError
        If there is none, it is too long, or no text.
    MissingExtraError
        If pyarrow is not installed.
    """
    try:
        import pyarrow as pa
    except ImportError as error:
        raise MissingExtraError("reading a CSV file", extra="tabular") from error
    if not path.is_file():
        raise bad(path, "to be readable", "no ordinary file", "check the path")
    with translated(path), pa.input_stream(str(path)) as stream:
        head = stream.read(LONGEST_LINE + 1)
    if b"\0" in head:
        raise not_text(path)
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n")
    if not start.strip():
        raise bad(path, "a header and rows", "an empty file", "give a file with data")
    first = start.splitlines()[0]
    if len(first) == len(start) and len(head) > LONGEST_LINE:
        most = f"a first line of {LONGEST_LINE >> 20} MB at most"
        raise bad(path, most, "a longer one", "check that it is a CSV file")
    return _parsed(path, start, first)


def checked_header(path: Path) -> Header:
    """Return the first line, whose names are all there and each once.

    Raises
    ------
    DataError
        If they are not, or :func:`read_header` refuses the file.
    """
    header = read_header(path)
    _check_names(path, header.names)
    return header


def _parsed(path: Path, start: bytes, first: bytes) -> Header:
    try:
        line = first.decode("utf-8")
        # A name in quotes may have a line feed; what is cut at the end is not looked at.
        text = start.decode("utf-8", errors="ignore")
        delimiter = max(_DELIMITERS, key=line.count)
        lines = text.splitlines(keepends=True)
        names = next(plain_csv.reader(iter(lines), delimiter=delimiter))
    except UnicodeDecodeError as error:
        raise not_text(path) from error
    except plain_csv.Error as error:
        raise bad(path, "a header with names", str(error), "repair the first line") from error
    return Header(delimiter, tuple(names))


def _check_names(path: Path, names: list[str]) -> None:
    if len(names) > MOST_COLUMNS:
        most = f"at most {MOST_COLUMNS} columns"
        raise bad(path, most, str(len(names)), "leave some out")
    if not all(names):
        raise bad(path, "a name for every column", "an empty one", "name it in the first line")
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise bad(
            path,
            "each column name once",
            f"{twice[0]!r} twice",
            "rename or remove a column, or add the header",
        )


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

    if compute.any(compute.match_substring(column, "\0")).as_py():
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
