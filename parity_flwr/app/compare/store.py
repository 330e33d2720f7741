"""The folder of a comparison: its constants, and one line for each finished cell."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from parity_flwr import __version__
from parity_flwr.app.compare.data import fingerprint
from parity_flwr.app.compare.plan import Cell, Plan, cell_of
from parity_flwr.app.compare.task import describe
from parity_flwr.errors import ConfigError, DataError
from parity_flwr.files import atomic_file

MAX_BYTES = 1 << 30
Record = Mapping[str, Any]


@dataclass(frozen=True)
class ResultFolder:
    """Where a comparison writes, and where it finds what is done already.

    Parameters
    ----------
    path : Path
        The folder; made by :meth:`open`.
    """

    path: Path

    @property
    def results(self) -> Path:
        """One JSON object on each line, in the order in which cells were finished."""
        return self.path / "results.jsonl"

    @property
    def constants(self) -> Path:
        """What all lines have in common."""
        return self.path / "experiment.json"

    def open(self, plan: Plan, *, resume: bool) -> list[Record]:
        """Make the folder, or take it up again; return the records that it holds.

        Raises
        ------
        ConfigError
            If it holds results that are not to be resumed, or that are of other data,
            another federation or another version.
        DataError
            If a line is not a result.
        """
        constants = _constants(plan)
        self.path.mkdir(parents=True, exist_ok=True)
        if not self.constants.exists():
            _write(self.constants, json.dumps(constants, indent=2) + "\n")
            return []
        if not resume:
            raise ConfigError(
                "a comparison needs a folder of its own",
                came=f"{self.path}, which holds one",
                action="add --resume to carry it on, or choose another --output",
            )
        self._require_same(constants)
        return self._read()

    def append(self, records: Iterable[Record]) -> None:
        """Add whole lines, in one write, so that a reader never sees half a line."""
        lines = "".join(json.dumps(record, allow_nan=False) + "\n" for record in records)
        with self.results.open("ab", buffering=0) as file:
            file.write(lines.encode("ascii"))

    def write(self, name: str, text: str) -> Path:
        """Write a file of the folder, whole or not at all; return its path."""
        _write(self.path / name, text)
        return self.path / name

    def _require_same(self, constants: Record) -> None:
        try:
            found = json.loads(self.constants.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise DataError(
                f"{self.constants} needs to say what is compared",
                came=str(error),
                action="choose another --output",
            ) from error
        if found != json.loads(json.dumps(constants)):
            raise ConfigError(
                "a comparison goes on with the data, federation and version it began with",
                came=f"others than in {self.constants}",
                action="choose another --output",
            )

    def _read(self) -> list[Record]:
        """Return the records; a last line that a killed process left half-written is cut."""
        if not self.results.exists():
            return []
        if self.results.stat().st_size > MAX_BYTES:
            raise _malformed(self.results, 0, f"more than {MAX_BYTES} bytes")
        text = self.results.read_bytes()
        whole = text[: text.rfind(b"\n") + 1]
        if whole != text:
            with self.results.open("r+b") as file:
                file.truncate(len(whole))
        lines = whole.splitlines()
        return [_record(self.results, k + 1, line) for k, line in enumerate(lines)]


def finished(records: Iterable[Record]) -> dict[Cell, Record]:
    """Return the records by cell."""
    return {cell_of(record): record for record in records}


def _constants(plan: Plan) -> dict[str, Any]:
    dataset = plan.federation.dataset
    return {
        "version": __version__,
        "data": fingerprint(dataset, plan.data),
        "federation": describe(plan.federation),
    }


def _record(path: Path, number: int, line: bytes) -> Record:
    try:
        record = json.loads(line)
        cell_of(record)
        if not 0 <= float(record["accuracy"]) <= 1:
            raise _malformed(path, number, "an accuracy outside [0, 1]")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        if isinstance(error, DataError):
            raise
        raise _malformed(path, number, f"{type(error).__name__}: {error}"[:200]) from error
    return dict(record)


def _malformed(path: Path, line: int, came: str) -> DataError:
    return DataError(
        f"line {line} of {path.name} needs to be a result",
        came=came,
        action="remove that line, or choose another --output",
    )


def _write(path: Path, text: str) -> None:
    with atomic_file(path) as file:
        file.write(text.encode("utf-8"))
