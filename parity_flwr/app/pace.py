"""How long something has taken, and how long it will still take at this pace."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, TypeVar

Item = TypeVar("Item")


class Steps(Protocol):
    """Gets how many steps are done, and of how many where that is known."""

    def __call__(self, done: int, total: int | None = None, /) -> None:
        """Take note of it."""
        ...


def unseen(done: int, total: int | None = None, /) -> None:
    """Take no note: the :class:`Steps` of who is not interested."""


def counted(items: Iterable[Item], steps: Steps, *, total: int | None = None) -> Iterator[Item]:
    """Yield the items, and say how many were taken and dealt with."""
    steps(0, total)
    for number, item in enumerate(items, start=1):
        yield item
        steps(number, total)


def clock_text(seconds: float) -> str:
    """Return a length of time as a clock shows it.

    Examples
    --------
    >>> clock_text(7.4), clock_text(3600 + 62)
    ('0:07', '1:01:02')
    """
    minutes, rest = divmod(round(max(seconds, 0.0)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


class Pace:
    """The pace of work that is done in steps.

    The rest is estimated from the mean time of the steps seen so far; what was done before,
    by a run that is continued, does not count.

    Parameters
    ----------
    clock : callable, keyword-only
        Seconds that only grow.

    Examples
    --------
    >>> times = iter([0.0, 10.0, 14.0, 14.0, 14.0, 15.0, 15.0])
    >>> pace = Pace(clock=lambda: next(times))
    >>> pace.reach(1); pace.reach(3)
    >>> pace.text(total=5)
    '0:14, about 0:09 left'
    >>> pace.text(total=5)
    '0:15, about 0:08 left'
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._start = self._since = clock()
        self._first: tuple[int, float] | None = None
        self._last: tuple[int, float] | None = None

    def restart(self) -> None:
        """Say that other steps begin, at a pace of their own."""
        self._since, self._first, self._last = self._clock(), None, None

    def reach(self, done: int) -> None:
        """Say that so many steps are done now."""
        now = self._clock()
        if self._first is None:
            self._first = (0, self._since) if done == 1 else (done, now)
        self._last = (done, now)

    def seconds_left(self, total: int | None) -> float | None:
        """Return how long the steps up to `total` will still take; None if unknown."""
        if total is None or self._first is None or self._last is None:
            return None
        (before, began), (done, ended) = self._first, self._last
        if done <= before or done >= total:
            return None
        each = (ended - began) / (done - before)
        return max(each * (total - done) - (self._clock() - ended), 0.0)

    def text(self, total: int | None = None) -> str:
        """Return the time so far and the time left, as far as that is known."""
        so_far, left = clock_text(self._clock() - self._start), self.seconds_left(total)
        return so_far if left is None else f"{so_far}, about {clock_text(left)} left"
