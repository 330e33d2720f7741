"""New rows for a trained model: read block by block, by the encoding's columns.

What a column holds is decided by the model, not by the new file: a column of texts is texts
even where all new values look like numbers, and a column of numbers must be numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_flwr.app.tabular.encoding_file import Encoding
from parity_flwr.app.tabular.features import NumberRule
from parity_flwr.app.tabular.file_errors import bad, no_rows, not_text
from parity_flwr.app.tabular.header import read_header
from parity_flwr.app.tabular.reading import RawTable, Source, column_values, options
from parity_flwr.errors import DataError, MissingExtraError


@dataclass(frozen=True, kw_only=True, eq=False)
class Block:
    """Some of the rows.

    Parameters
    ----------
    table : RawTable
        The columns of the encoding.
    y : ndarray of shape (n,), optional
        Indices of the classes (int64, -1 unknown), or numbers (float64, NaN unknown), if
        the file has the target's column.
    """

    table: RawTable
    y: NDArray[Any] | None = None


class NewRows:
    """A CSV file with the columns that a model needs.

    Parameters
    ----------
    path : Path
        Plain or compressed.
    encoding : Encoding

    Raises
    ------
    DataError
        If a column is missing or there twice, or holds texts where the model needs numbers.
    MissingExtraError
        If pyarrow is not installed.
    """

    def __init__(self, path: Path, encoding: Encoding) -> None:
        self._path, self._encoding = path, encoding
        self._header = read_header(path)
        kinds = self._kinds()
        rules = encoding.encoder.rules
        known = {*rules, *encoding.encoder.dropped, encoding.target}
        self._check_names([name for name, _ in kinds])
        self.ignored = tuple(name for name, _ in kinds if name not in known)
        self.has_target = encoding.target in dict(kinds)
        wanted = [*rules, *([encoding.target] if self.has_target else [])]
        self._types = {name: self._type(name, dict(kinds)[name]) for name in wanted}

    @property
    def read_bytes(self) -> tuple[int, int]:
        """Return how many bytes of the file were read by now, and how many it has."""
        return self._source.done, self._source.size

    def __iter__(self) -> Iterator[Block]:
        """Yield the rows block by block, in the file's order.

        Raises
        ------
        DataError
            If a line has another number of fields, or a value does not fit its column.
        """
        seen = False
        for batch in self._batches(self._types, list(self._types)):
            if not batch.num_rows:
                continue
            seen = True
            columns = {
                name: column_values(self._path, batch.column(place))
                for place, name in enumerate(self._types)
            }
            target = columns.pop(self._encoding.target) if self.has_target else None
            y = None if target is None else self._answers(target)
            yield Block(table=RawTable(columns), y=y)
        if not seen:
            raise no_rows(self._path)

    def _answers(self, column: NDArray[Any]) -> NDArray[Any]:
        classes = self._encoding.classes
        if not classes:
            return column
        places = {each: k for k, each in enumerate(classes)}
        return np.array([places.get(each, -1) for each in column.tolist()], np.int64)

    def _kinds(self) -> list[tuple[str, Any]]:
        """Return name and type of each column, as the first block looks."""
        import pyarrow as pa

        texts = {name: pa.string() for name in self._texts()}
        with self._reader(texts, None) as reader:
            return [(each.name.strip(), each.type) for each in reader.schema]

    def _texts(self) -> set[str]:
        rules = self._encoding.encoder.rules
        found = {name for name, rule in rules.items() if not isinstance(rule, NumberRule)}
        named = any(isinstance(each, str) for each in self._encoding.classes)
        return found | ({self._encoding.target} if named else set())

    def _check_names(self, names: list[str]) -> None:
        needed = self._encoding.encoder.rules
        gone = [name for name in needed if name not in names]
        if gone:
            raise bad(
                self._path,
                "the columns that the model was trained on",
                f"no {', '.join(map(repr, gone[:5]))}",
                "add what is missing; a field may be empty",
            )
        twice = [name for name in (*needed, self._encoding.target) if names.count(name) > 1]
        if twice:
            raise bad(self._path, "each column once", f"{twice[0]!r} twice", "remove one")

    def _type(self, name: str, kind: Any) -> Any:
        import pyarrow as pa

        if name in self._texts():
            return pa.string()
        if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_null(kind):
            return pa.float64()
        if pa.types.is_boolean(kind) or pa.types.is_temporal(kind):
            return kind
        raise bad(
            self._path,
            f"numbers in {name!r}, as the model was trained on",
            "texts",
            "write numbers, or leave the field empty",
        )

    def _batches(self, types: dict[str, Any], columns: list[str]) -> Iterator[Any]:
        import pyarrow as pa

        try:
            with self._reader(types, columns) as reader:
                yield from reader
        except pa.ArrowInvalid as error:
            raise _unread(self._path, error) from error

    def _reader(self, types: dict[str, Any], columns: list[str] | None) -> Any:
        try:
            import pyarrow as pa
            from pyarrow import csv
        except ImportError as error:
            raise MissingExtraError("reading a CSV file", extra="tabular") from error
        written = dict(zip(self._header.names, self._header.written, strict=True))
        asked = options(
            self._header,
            {written[name]: kind for name, kind in types.items() if name in written},
            columns=columns and [written[name] for name in columns],
        )
        try:
            self._source = Source(self._path)
            return csv.open_csv(self._source.stream, **asked)
        except pa.ArrowInvalid as error:
            raise _unread(self._path, error) from error
        except OSError as error:
            raise bad(self._path, "to be readable", str(error), "check the file") from error


def _unread(path: Path, error: Exception) -> DataError:
    text = " ".join(str(error).split())
    if "UTF8" in text:
        return not_text(path)
    return bad(path, "fields that fit their columns in every line", text, "repair the line")
