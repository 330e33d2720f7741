"""The check that the files beside the journal hold the models that it names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from numpy.typing import NDArray

from parity_flwr.app.journal.chain import Ending, Entry, Record
from parity_flwr.app.runs.checkpoint import CheckpointStore, read_model
from parity_flwr.app.runs.folder import RunFolder
from parity_flwr.app.verification.checks import Findings, Line
from parity_flwr.core.records import RoundRecord, RunHeader
from parity_flwr.errors import CheckpointError
from parity_flwr.files import is_present


class FilesCheck:
    """Every checkpoint of a committed round, and the final model, has its hash.

    Parameters
    ----------
    folder : RunFolder
        The run.
    """

    def __init__(self, folder: RunFolder) -> None:
        self._findings = Findings("model files")
        self._folder = folder
        self._store = CheckpointStore(folder=folder.checkpoints)
        self._present = frozenset(self._store.rounds())
        self._last: RoundRecord | None = None
        self._completed = False

    def see(self, entry: Entry, record: Record) -> None:
        """Look at the next entry."""
        if isinstance(record, RoundRecord):
            self._last = record
            if record.round in self._present:
                self._require(
                    lambda: (
                        self._store.read(record.round, expected_hash=record.model_hash).model
                    )
                )
        elif isinstance(record, Ending | RunHeader):
            self._completed = isinstance(record, Ending) and record.status == "completed"

    def line(self) -> Line:
        """Return the outcome."""
        if self._last is not None:
            last = self._last
            self._findings.require(
                last.round in self._present,
                f"{self._store.path(last.round)} is missing, the last round's checkpoint",
            )
            if self._completed or is_present(self._folder.model):
                self._require(
                    lambda: read_model(self._folder.model, expected_hash=last.model_hash)
                )
        return self._findings.line("files have their hash", otherwise="no round yet")

    def _require(self, read: Callable[[], Mapping[str, NDArray[Any]]]) -> None:
        try:
            read()
            problem = ""
        except CheckpointError as error:
            problem = str(error)
        self._findings.require(not problem, problem)
