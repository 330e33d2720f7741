"""The check of the model in a bundle."""

from __future__ import annotations

import hashlib

from parity_flwr.app.bundle.sealed import Bundle
from parity_flwr.app.journal.chain import Entry, Record
from parity_flwr.app.verification.checks import Findings, Line
from parity_flwr.core.records import RoundRecord
from parity_flwr.errors import (
    ContentError,
)


class ModelCheck:
    """The model in the bundle is the one that the last round left.

    Parameters
    ----------
    bundle : Bundle
        The bundle.
    """

    def __init__(self, bundle: Bundle) -> None:
        self._findings = Findings("model")
        self._bundle = bundle
        self._last: RoundRecord | None = None

    def see(self, entry: Entry, record: Record) -> None:
        """Look at the next entry."""
        if isinstance(record, RoundRecord):
            self._last = record

    def line(self) -> Line:
        """Return the outcome."""
        if self._last is None:
            extra = "model" in self._bundle.names
            self._findings.require(not extra, "there is a model and no round that left it")
            return self._findings.line("model", otherwise="no round yet")
        try:
            digest = hashlib.sha256()  # of the canonical form, which is the section itself
            for piece in self._bundle.pieces("model"):
                digest.update(piece)
            found = digest.hexdigest()
        except ContentError as error:
            found = error.came
        self._findings.require(
            found == self._last.model_hash,
            f"the model is {found[:60]}, round {self._last.round} left "
            f"{self._last.model_hash[:16]}",
        )
        line = self._findings.line("model")
        detail = f"is what round {self._last.round} left" if line.ok else line.detail
        return Line(line.name, line.ok, detail)
