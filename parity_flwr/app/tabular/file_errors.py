"""What can be wrong with a table's file, each in one line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from parity_flwr.errors import DataError

LONGEST_LINE = 1 << 20
"""Bytes of a header at most; a line below it may be four times as long."""


def bad(path: Path, needed: str, came: str, action: str) -> DataError:
    """Return an error about a file, on one line."""
    return DataError(f"{path.name} needs {needed[:160]}", came=came[:160], action=action)


def named(columns: Iterable[str]) -> str:
    """Return the first eight names, and dots if there are more."""
    names = list(columns)
    return ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")


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
