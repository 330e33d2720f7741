"""Whether a run that ended really gave a model, by its journal."""

from __future__ import annotations

import numpy as np

from parity_flwr.app.journal import open_journal
from parity_flwr.app.runs.checkpoint import CheckpointStore
from parity_flwr.app.runs.folder import RunFolder
from parity_flwr.core.records import RoundRecord, RoundStatus
from parity_flwr.errors import CheckpointError, JournalError


def has_journal(folder: RunFolder) -> bool:
    """Return whether a strategy wrote a journal in that folder."""
    return folder.database.exists() or folder.pointer.exists()


def check_outcome(folder: RunFolder) -> str:
    """Return why the run failed, on one line; empty if it gave a model.

    A run fails that says so itself, that never ended, in which no round was accepted, or
    whose model is empty or not finite. Without a journal nothing is known against it.
    """
    if not has_journal(folder):
        return ""
    try:
        journal = open_journal(folder)
        status, rounds, header = journal.status(), journal.rounds(), journal.header()
    except JournalError as error:
        return str(error)
    if status.status == "failed":
        return status.reason or "the strategy reported a failure"
    if status.status != "completed":
        return f"the run stopped after round {rounds[-1].round if rounds else 0}"
    if header is not None and header.environment.get("baseline"):
        return ""  # the inner strategy alone: there are no rounds to look at
    accepted = [one for one in rounds if one.decision.status is RoundStatus.ACCEPTED]
    if not accepted:
        return f"no round was accepted{_last_reason(rounds)}"
    return _model_problem(folder, rounds[-1])


def _last_reason(rounds: list[RoundRecord]) -> str:
    reasons = [one.decision.reason for one in rounds if one.decision.reason]
    return f": {reasons[-1]}" if reasons else ""


def _model_problem(folder: RunFolder, last: RoundRecord) -> str:
    try:
        found = CheckpointStore(folder=folder.checkpoints).read(
            last.round, expected_hash=last.model_hash
        )
    except CheckpointError as error:
        return str(error)
    if not any(array.size for array in found.model.values()):
        return "the model is empty"
    for name, array in found.model.items():
        if not np.isfinite(array).all():
            return f"the model is not finite in {name[:80]!r}"
    return ""
