"""Who is at work in a run's folder: a lock that ends with the process that took it."""

from __future__ import annotations

import os
import shutil
import sys
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from parity_flwr.app.runs.asked import REQUEST
from parity_flwr.errors import ParityError, RunError

_NAME = "lock"


class Hold:
    """A shared lock on a run's folder, for as long as its holder lives or wants it.

    The server, the command that started it and a publisher hold a run together; whoever
    wants to remove it needs it alone. The kernel lets go when a process dies in any way.

    Parameters
    ----------
    folder : Path
        The run's folder, which exists. Where it cannot hold a lock the hold is none, and
        what comes next says what is wrong with the folder.

    Raises
    ------
    RunError
        The run is being removed.
    """

    def __init__(self, folder: Path) -> None:
        descriptor = _opened(folder)
        if descriptor is None:
            return
        self._close = weakref.finalize(self, _closed, descriptor)
        if not _locked(descriptor, exclusive=False):
            self.release()
            raise RunError(
                f"a run needs its folder {folder}",
                came="another process that is removing it",
                action="start a new run",
            )

    def release(self) -> None:
        """Let go; a second time does nothing."""
        if hasattr(self, "_close"):
            self._close()


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold a run for a while.

    Raises
    ------
    RunError
        The run is being removed.
    """
    hold = Hold(folder)
    try:
        yield
    finally:
        hold.release()


@contextmanager
def alone(folder: Path) -> Iterator[bool]:
    """Take a run's folder for oneself; yields whether nobody else is at work in it."""
    descriptor = _opened(folder)
    try:
        yield descriptor is None or _locked(descriptor, exclusive=True)
    finally:
        if descriptor is not None:
            _closed(descriptor)


def is_in_use(folder: Path) -> bool:
    """Say whether a process is at work in a run's folder at this moment."""
    if not (folder / _NAME).is_file():
        return False
    with alone(folder) as free:
        return not free


def _opened(folder: Path) -> int | None:
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
    try:
        return os.open(folder / _NAME, flags, 0o600)
    except OSError:
        return None


def _closed(descriptor: int) -> None:
    with suppress(OSError):
        os.close(descriptor)


def _locked(descriptor: int, *, exclusive: bool) -> bool:
    """Lock a file without waiting; False if another open file holds it.

    On Windows there is nothing to lock: no folder with an open file in it can be removed. A
    file system without locks counts as one where nobody is at work.
    """
    if sys.platform == "win32":
        return True
    import fcntl

    kind = fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


@contextmanager
def nothing_left(folder: Path) -> Iterator[None]:
    """Remove the folder of a run that was refused before it began.

    Once there is a log, a journal or a chain in it, it stays: errors point there.
    """
    try:
        yield
    except ParityError:
        if {each.name for each in folder.iterdir()} <= {_NAME, REQUEST}:
            shutil.rmtree(folder, ignore_errors=True)
        raise
