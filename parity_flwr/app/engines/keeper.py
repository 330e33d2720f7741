"""Run one command, and end it with everything it started as soon as nobody needs it.

A script of its own, started by :func:`parity_flwr.app.engines.processes.kept` as
``python -P keeper.py LOG SCRATCH COMMAND...``; the folder SCRATCH, unless that is empty, is
removed at the end. Standard input is a pipe whose other end only the
parent holds: it closes when the parent is done, is interrupted, or is killed in any way.

Flower's SuperLink starts processes in sessions of their own, and Ray's workers lose their
parents; so on Linux the keeper adopts orphans and finds what to end by walking the tree.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

GRACE_S = 5.0  # for the command itself
ORPHAN_GRACE_S = 1.0  # for what it leaves behind
_PR_SET_CHILD_SUBREAPER = 36
_PROC = Path("/proc")


def main(arguments: list[str]) -> int:
    """Run the command until it ends or the pipe closes; return its exit status."""
    log_path, scratch, *command = arguments
    _adopt_orphans()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, _leave)
    with Path(log_path).open("ab") as log:
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
        )
    try:
        _wait(child)
    finally:
        _end(child)
        if scratch:
            shutil.rmtree(scratch, ignore_errors=True)
    return child.wait()


def _leave(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def _adopt_orphans() -> None:
    """Become the parent of orphaned descendants, where the system can do that (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _wait(child: subprocess.Popen[bytes]) -> None:
    while child.poll() is None:
        ready, _, _ = select.select([0], [], [], 0.2)
        if ready and not os.read(0, 4096):
            return


def _end(child: subprocess.Popen[bytes]) -> None:
    """Ask the command to stop; after a while, kill all that is left of it."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    if child.poll() is None:
        child.terminate()
    _wait_for(lambda: child.poll() is not None, GRACE_S)
    _wait_for(lambda: not descendants(os.getpid()), ORPHAN_GRACE_S)
    while left := descendants(os.getpid()):
        for pid in left:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        child.poll()
        time.sleep(0.05)
    child.wait()
    with contextlib.suppress(ChildProcessError):  # raised when no adopted one is left
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _wait_for(condition: Callable[[], bool], timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)


def descendants(root: int) -> list[int]:
    """Return the ids of all running processes below ``root``."""
    children: dict[int, list[int]] = {}
    for pid, parent in _processes():
        children.setdefault(parent, []).append(pid)
    found: list[int] = []
    unseen = children.get(root, [])
    while unseen:
        pid = unseen.pop()
        found.append(pid)
        unseen.extend(children.get(pid, []))
    return found


def _processes() -> list[tuple[int, int]]:
    """Return (id, parent's id) of every running process; the dead do not count."""
    if not (_PROC / "self" / "stat").exists():
        return _processes_by_ps()
    found = []
    for path in _PROC.glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # The name stands in brackets and may hold anything, brackets too.
            state, parent = path.read_text(errors="replace").rpartition(")")[2].split()[:2]
            if state not in "ZX":
                found.append((int(path.parent.name), int(parent)))
    return found


def _processes_by_ps() -> list[tuple[int, int]]:
    listing = subprocess.run(
        ["/bin/ps", "-A", "-o", "pid=,ppid=,stat="], capture_output=True, text=True, check=False
    )
    rows = (line.split() for line in listing.stdout.splitlines())
    return [(int(row[0]), int(row[1])) for row in rows if not row[2].startswith("Z")]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
