"""Files that are no table to learn from, each with what its one-line error has to name."""

from __future__ import annotations

import gzip
import os
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

ROWS = "".join(f"{k},{'red' if k % 3 else 'blue'},{k % 2}\n" for k in range(60))
GOOD = f"age,colour,ill\n{ROWS}"

Make = Callable[[Path], object]


@dataclass(frozen=True, kw_only=True)
class Malformed:
    """A file, how it is asked for, and what the error says.

    Parameters
    ----------
    make : str, bytes or callable
        The file's content, or what makes it at a path.
    expected : str
        Part of the error.
    options : tuple of str
        Instead of asking for a logistic model of "ill".
    name : str
        The file's.
    """

    make: str | bytes | Make
    expected: str
    options: tuple[str, ...] = ("--target", "ill", "--model", "logistic")
    name: str = "table.csv"

    def write(self, folder: Path) -> Path:
        """Make the file and return its path."""
        path = folder / self.name
        if callable(self.make):
            self.make(path)
        else:
            path.write_bytes(self.make.encode() if isinstance(self.make, str) else self.make)
        return path

    def arguments(self, path: Path) -> list[str]:
        """Return the command line after `parity`."""
        return ["run", str(path), "--clients", "4", *self.options]


def _ask(target: str, model: str, *more: str) -> tuple[str, ...]:
    return ("--target", target, "--model", model, *more)


def _rows(header: str, row: str, count: int = 60) -> str:
    return header + "\n" + "".join(row.format(k=k, c=k % 2) + "\n" for k in range(count))


def _bomb(path: Path) -> None:
    """Write 200 MB of one line as 200 kB of gzip."""
    with gzip.open(path, "wb") as file:
        for _ in range(200):
            file.write(b"7" * (1 << 20))


def _locked(path: Path) -> None:
    path.write_text(GOOD, encoding="utf-8")
    path.chmod(0)


_NOISE = random.Random(0).randbytes(5000)
_GZIPPED = gzip.compress(GOOD.encode())
_UNREADABLE = "to be readable"

MALFORMED: Mapping[str, Malformed] = {
    "empty": Malformed(make="", expected="an empty file"),
    "blank lines only": Malformed(make="\n\n \n", expected="an empty file"),
    "only a byte order mark": Malformed(make=b"\xef\xbb\xbf", expected="an empty file"),
    "only a header": Malformed(make="age,ill\n", expected="rows below its header"),
    "one line without end": Malformed(make="age,ill", expected="rows below its header"),
    "no such target": Malformed(
        make=GOOD, expected="the target column 'sick'", options=_ask("sick", "logistic")
    ),
    "target of other case": Malformed(
        make=GOOD, expected="the target column 'Ill'", options=_ask("Ill", "logistic")
    ),
    "one class": Malformed(make=_rows("age,ill", "{k},yes"), expected="only 'yes'"),
    "target without values": Malformed(make=_rows("age,ill", "{k},"), expected="none in 'ill'"),
    "fewer rows than clients": Malformed(make="age,ill\n1,a\n2,b\n3,a\n", expected="4 clients"),
    "column without values": Malformed(
        make=_rows("age,empty,ill", "{k},NA,{c}"), expected="none in 'empty'"
    ),
    "duplicate header": Malformed(
        make=_rows("age,age,ill", "{k},{k},{c}"), expected="'age' twice"
    ),
    "target twice": Malformed(make=_rows("age,ill,ill", "{k},{c},{c}"), expected="'ill' twice"),
    "blank name": Malformed(make=_rows("age,,ill", "{k},1,{c}"), expected="an empty one"),
    "name of blanks": Malformed(make=_rows("age,  ,ill", "{k},1,{c}"), expected="an empty one"),
    "names that differ in blanks": Malformed(
        make=_rows("age,age ,ill", "{k},1,{c}"), expected="'age' twice"
    ),
    "no header": Malformed(make=ROWS, expected="'0' twice"),
    "nothing but the target": Malformed(
        make=_rows("ill", "{c}"), expected="besides the target"
    ),
    "line too long": Malformed(make=GOOD + "1,red,0,9\n", expected="in every line"),
    "line too short": Malformed(make=GOOD + "1,red\n", expected="in every line"),
    "quote never closed": Malformed(make=GOOD + '1,"red,0\n' + ROWS, expected="in every line"),
    "quote never closed, long": Malformed(
        make=GOOD + '1,"red,0\n' + ROWS * 4000, expected="in every line"
    ),
    "quote opened in the header": Malformed(make='age,"colour,ill\n' + ROWS, expected="needs"),
    "latin-1 values": Malformed(
        make=GOOD.replace("red", "männlich").encode("latin-1"), expected="UTF-8"
    ),
    "latin-1 value far down": Malformed(
        make=GOOD.encode() * 1 + ROWS.encode() * 9000 + "1,m\xe4nn,0\n".encode("latin-1"),
        expected="UTF-8",
    ),
    "latin-1 header": Malformed(
        make=GOOD.replace("age", "größe").encode("latin-1"), expected="UTF-8"
    ),
    "latin-1 target": Malformed(
        make=b"age,ill\n" + "1,m\xe4nn\n2,frau\n".encode("latin-1") * 30,
        expected="UTF-8",
    ),
    "UTF-16": Malformed(make=GOOD.encode("utf-16"), expected="UTF-8"),
    "UTF-16 without mark": Malformed(make=GOOD.encode("utf-16-be"), expected="UTF-8"),
    "UTF-32": Malformed(make=GOOD.encode("utf-32"), expected="UTF-8"),
    "binary junk": Malformed(make=_NOISE, expected="UTF-8"),
    "NUL bytes in a text": Malformed(make=GOOD.replace("blue", "bl\0ue"), expected="UTF-8"),
    "NUL bytes far down": Malformed(make=GOOD + ROWS * 9000 + "1,bl\0ue,0\n", expected="UTF-8"),
    "a spreadsheet": Malformed(
        make=b"PK\x03\x04\x14\x00\x06\x00" + _NOISE, expected="UTF-8", name="table.xlsx"
    ),
    "a picture": Malformed(
        make=b"\x89PNG\r\n\x1a\n" + _NOISE, expected="UTF-8", name="table.png"
    ),
    "a parquet file": Malformed(
        make=b"PAR1" + _NOISE + b"PAR1", expected="UTF-8", name="table.parquet"
    ),
    "JSON": Malformed(make='[{"age": 1,\n "ill": 0}]\n', expected="needs"),
    "HTML": Malformed(
        make="<!DOCTYPE html>\n<html><body>Not, found</body></html>\n", expected="needs"
    ),
    "gzip cut short": Malformed(
        make=_GZIPPED[: len(_GZIPPED) // 2], expected=_UNREADABLE, name="table.csv.gz"
    ),
    "gzip by name only": Malformed(make=GOOD, expected=_UNREADABLE, name="table.csv.gz"),
    "gzip with a wrong sum": Malformed(
        make=_GZIPPED[:-8] + b"\0" * 8, expected=_UNREADABLE, name="table.csv.gz"
    ),
    "gzip of nothing": Malformed(
        make=gzip.compress(b""), expected="an empty file", name="table.csv.gz"
    ),
    "gzip without its name": Malformed(make=_GZIPPED, expected="UTF-8"),
    "a bomb": Malformed(make=_bomb, expected="a first line of", name="table.csv.gz"),
    "a hundred thousand columns": Malformed(
        make=",".join(f"c{k}" for k in range(100_000)) + "\n", expected="columns"
    ),
    "a first line of a megabyte": Malformed(
        make="age," + "i" * 2_000_000 + "\n1,2\n", expected="a first line of"
    ),
    "a quote far into the header": Malformed(
        make='age,colour,"ill\n' + ROWS * 3000, expected="a header with names"
    ),
    "a text of digits and a NUL": Malformed(
        make=_rows("age,ill", "{k},\0{c}"), expected="UTF-8"
    ),
    "a pipe": Malformed(make=os.mkfifo, expected="no ordinary file"),
    "unreadable": Malformed(make=_locked, expected=_UNREADABLE),
    "a directory": Malformed(make=Path.mkdir, expected="CSV"),
    "no file": Malformed(make=lambda path: None, expected="does not exist"),
    "infinite numbers": Malformed(
        make=_rows("age,z,ill", "inf,{k},{c}"), expected="none in 'age'"
    ),
    "an infinite target": Malformed(
        make=_rows("age,ill", "{k},inf"),
        expected="none in 'ill'",
        options=_ask("ill", "linear"),
    ),
    "only constant columns": Malformed(
        make=_rows("age,z,ill", "7,7,{c}"), expected="a column that varies"
    ),
    "only names": Malformed(make=_rows("id,ill", "n{k},{c}"), expected="a column that varies"),
    "numbers asked of texts": Malformed(
        make=GOOD,
        expected="numbers in the target 'colour'",
        options=_ask("colour", "linear", "--task", "regression"),
    ),
    "a linear model of classes": Malformed(
        make=GOOD, expected="linear model predicts numbers", options=_ask("colour", "linear")
    ),
    "a logistic model of numbers": Malformed(
        make=GOOD, expected="predicts classes", options=_ask("age", "logistic")
    ),
    "too many classes": Malformed(
        make=_rows("age,ill", "{k},c{k}", 200), expected="at most 100 classes"
    ),
    "mixed types in the target": Malformed(
        make=_rows("age,ill", "{k},{k}.5", 120) + "3,high\n",
        expected="texts such as 'high'",
        options=_ask("ill", "linear"),
    ),
    "clients by no column": Malformed(
        make=GOOD,
        expected="a column 'clinic'",
        options=_ask("ill", "logistic", "--partition", "by:clinic"),
    ),
    "clients by the target": Malformed(
        make=GOOD,
        expected="another column than the target",
        options=_ask("ill", "logistic", "--partition", "by:ill"),
    ),
    "clients by another number": Malformed(
        make=GOOD,
        expected="makes 2 clients",
        options=_ask("ill", "logistic", "--partition", "by:colour"),
    ),
    "clients by the only column": Malformed(
        make="colour,ill\n" + "red,0\nblue,1\n" * 30,
        expected="besides",
        options=_ask("ill", "logistic", "--partition", "by:colour", "--clients", "2"),
    ),
    "more classes for a client than there are": Malformed(
        make=GOOD,
        expected="classes each",
        options=_ask("ill", "logistic", "--partition", "label-skew:9"),
    ),
    "an unknown partition": Malformed(
        make=GOOD,
        expected="a partition is iid",
        options=_ask("ill", "logistic", "--partition", "label:2"),
    ),
    "a column name with an escape": Malformed(
        make=_rows("age,\x1b[2J,ill", "{k},,{c}"), expected="none in"
    ),
    "a column name with a line feed": Malformed(
        make=_rows('age,"a\nb",ill', "{k},,{c}"), expected="none in"
    ),
}
