"""The progress of long commands: on stderr, and only once they take long."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from types import TracebackType
from typing import Self

from rich.text import Text

from parity_flwr.app.pace import Pace
from parity_flwr.app.runs.redrawing import Redrawing, can_redraw
from parity_flwr.app.text import printable
from parity_flwr.cli.output import Output

APPEARS_AFTER_S = 2.0
PLAIN_EVERY_S = 10.0
COUNTED_TO = 100_000
"""Of more steps, as the bytes of a file, the share is shown."""


class Meter:
    """Shows on stderr how far a command is, once it takes longer than two seconds.

    A terminal gets one line that is drawn over and removed at the end. A pipe or a dumb
    terminal gets a line every ten seconds, and each :meth:`note` as it comes. With --quiet
    there is nothing.

    Parameters
    ----------
    out : Output
        Of the command.
    what : str
        What is going on, in a few words.
    after_s : float, keyword-only
        When it appears.
    clock : callable, keyword-only
        Seconds that only grow.
    """

    def __init__(
        self,
        out: Output,
        what: str,
        *,
        after_s: float = APPEARS_AFTER_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._console, self._what, self._clock = out.errors, what, clock
        self._lock, self._over = threading.RLock(), False
        self._pace, self._done = Pace(clock=clock), 0
        self._total: int | None = None
        self._plain_at = clock() + after_s
        self._live = (
            Redrawing(self._console, self.render, passing=True)
            if can_redraw(self._console)
            else None
        )
        self._timer = threading.Timer(after_s, self._appear)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        if self._live is not None:
            self._timer.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._timer.cancel()
        with self._lock:
            self._over = True
        if self._live is not None:
            self._live.stop()

    def _appear(self) -> None:
        with self._lock:
            if self._live is not None and not self._over:
                with suppress(OSError):
                    self._live.start(refresh=True)

    def __call__(self, done: int, total: int | None = None, /) -> None:
        """Say how many steps are done, and of how many where that is known."""
        with self._lock:
            if done < self._done or total != self._total:
                self._pace.restart()
            self._done, self._total = done, total
            self._pace.reach(done)
        if self._live is None and self._clock() >= self._plain_at:
            self._plain_at = self._clock() + PLAIN_EVERY_S
            self._plain(self.text())

    def watch(self, what: str, done: int, total: int) -> None:
        """Say what is being done now, and how far that is."""
        self.about(what)
        self(done, total)

    def about(self, text: str) -> None:
        """Say what is being done now, where that can be drawn over."""
        with self._lock:
            self._what = text

    def note(self, text: str) -> None:
        """Say what is being done now, or has been found; a pipe gets a line of it."""
        self.about(text)
        if self._live is None:
            self._plain(text)

    def notes(self, total: int | None = None, *, first: int = 1) -> Callable[[str], None]:
        """Return what takes a note for each of `total` steps.

        The first one comes when `first` steps are done: 1 if notes tell what was done, 0 if
        they tell what begins.
        """
        numbers = count(first)

        def take(text: str) -> None:
            self.note(text)
            self(next(numbers), total)

        return take

    def _plain(self, text: str) -> None:
        with suppress(OSError):
            self._console.print(Text(printable(text)), soft_wrap=True)

    def text(self) -> str:
        """Return the line as it is now."""
        with self._lock:
            if not self._total:
                return f"{self._what}, {self._pace.text()}"
            done, total = self._done, self._total
            share = f"{done}/{total}" if total <= COUNTED_TO else f"{100 * done // total} %"
            return f"{self._what}, {share}, {self._pace.text(total)}"

    def render(self) -> Text:
        """Return what a terminal shows now, on one line of it."""
        return Text(printable(self.text()), no_wrap=True, overflow="ellipsis")
