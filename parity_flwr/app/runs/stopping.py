"""A run that its user stops: what is committed stays, and the run can go on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

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
            action=f"continue it with the same options and --resume {folder.id}",
        ) from None
