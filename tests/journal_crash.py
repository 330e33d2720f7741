"""A run that kills itself with SIGKILL: ``journal_crash.py FOLDER STEP CALL``.

The steps are real ones: a method of the journal, before or after it has done its work, or
the middle of writing a file.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from journal_records import journal_in, play
from parity_flwr.app.journal import SqlJournal

STEPS = (
    "before:_save",
    "after:_save",
    "before:_append",
    "after:_insert",
    "before:_settle",
    "after:_append",
    "after:_write",
    "before:commit",
    "after:commit",
    "before:fsync",
)


def die() -> NoReturn:
    """End this process as the kernel's out-of-memory killer does."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("still alive")


def arm(journal: SqlJournal, step: str, calls: int) -> None:
    """Make the journal die at the step's n-th call."""
    when, _, name = step.partition(":")
    target: Any = os if name == "fsync" else journal
    original: Callable[..., Any] = getattr(target, name)
    left = iter(range(calls - 1))

    def dying(*args: Any, **kwargs: Any) -> Any:
        last = next(left, None) is None
        if last and when == "before":
            die()
        result = original(*args, **kwargs)
        if last:
            die()
        return result

    setattr(target, name, dying)


if __name__ == "__main__":
    run = journal_in(Path(sys.argv[1]))
    arm(run, sys.argv[2], int(sys.argv[3]))
    play(run, 4)
