"""A run that its user stops: what is committed stays, and the run can go on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from parity_flwr.app.journal import open_journal
from parity_flwr.app.runs.folder import RunFolder
from parity_flwr.app.runs.outcome import has_journal
from parity_flwr.errors import StoppedError


@contextmanager
def stoppable(folder: RunFolder) -> Iterator[None]:
    """Say of an interrupted run how it is continued.

    Raises
    ------
    StoppedError
        It was interrupted, and its journal is there to continue it with.
    """
    try:
        yield
    except KeyboardInterrupt:
        if not has_journal(folder):
            raise
        raise StoppedError(
            f"run {folder.id} needs to run to its end",
            came="an interrupt",
            action=_how_to_go_on(folder),
        ) from None


def _how_to_go_on(folder: RunFolder) -> str:
    """Return what to do: all rounds may be there, and what comes after them missing."""
    ending = open_journal(folder).ending()
    if ending is not None and ending.status == "completed":
        return f"its rounds are complete: see 'parity report {folder.id}'"
    return f"continue it with the same options and --resume {folder.id}"
