"""Progress of work that goes step by step, as plain lines: they survive a pipe."""

from __future__ import annotations

import time
from collections.abc import Callable

_QUIET_S, _EVERY_S = 2.0, 5.0


class Steps:
    """Says how far a step is and how long it will take, once it takes over two seconds.

    Parameters
    ----------
    say : callable
        Gets each line.
    clock : callable
        Returns seconds.

    Examples
    --------
    >>> now = iter([0.0, 1.0, 4.0])
    >>> steps = Steps(print, clock=lambda: next(now))
    >>> for done in (0, 25, 50):
    ...     steps.watch("reading", done, 100)
    reading: 50 %, about 4 s left
    """

    def __init__(
        self, say: Callable[[str], None], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._say, self._clock = say, clock
        self._what, self._started, self._next = "", 0.0, 0.0

    def watch(self, what: str, done: int, of: int) -> None:
        """Take note that so much of a step is done."""
        now = self._clock()
        if what != self._what:
            self._what, self._started, self._next = what, now, now + _QUIET_S
        if now >= self._next and 0 < done <= of:
            left = (now - self._started) * (of - done) / done
            self._next = now + _EVERY_S
            self._say(f"{what}: {100 * done // of} %, about {left:.0f} s left")
