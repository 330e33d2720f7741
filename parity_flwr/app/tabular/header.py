"""The first line of a CSV file."""

from __future__ import annotations

import csv as plain_csv
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from parity_flwr.app.tabular.file_errors import LONGEST_LINE, bad, not_text, translated
from parity_flwr.errors import MissingExtraError

_DELIMITERS = ",;\t|"

MOST_COLUMNS = 10_000
"""Columns at most."""


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
