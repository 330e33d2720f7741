"""The live table of a run: who was believed in the last round, and why."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console, RenderableType
from rich.segment import Segment, Segments
from rich.text import Text

from parity_flwr.app.pace import Pace
from parity_flwr.app.report.view import ClientRow, client_rows
from parity_flwr.app.runs.redrawing import Redrawing, can_redraw
from parity_flwr.app.runs.round_table import (
    evaluation_line,
    round_line,
    round_table,
    round_title,
)
from parity_flwr.app.text import printable
from parity_flwr.core.economy.claims import RewardConfig, round_claims
from parity_flwr.core.economy.rewards import RewardState, step
from parity_flwr.core.records import EvaluationRecord, RoundRecord

Event = RoundRecord | EvaluationRecord | str


class Progress(Protocol):
    """What a run tells its audience: rounds, evaluations, and remarks in plain words."""

    def __call__(self, event: Event, /) -> None:
        """Show one event."""
        ...


class LiveTable:
    """Shows a run as it goes on: a table that is redrawn, or lines where that cannot be.

    Parameters
    ----------
    console : rich.console.Console
        Where to draw. Not a terminal, or a dumb one: one line per event, nothing redrawn.
    total_rounds : int, optional
        How many rounds the run has, where known.
    clock : callable, keyword-only
        Seconds that only grow, for the time that a terminal shows.
    """

    def __init__(
        self,
        console: Console,
        *,
        total_rounds: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._console = console
        self._total = total_rounds
        self._last: RoundRecord | None = None
        self._evaluations: dict[str, EvaluationRecord] = {}
        self._note = ""
        self._mute = False
        self._pay: RewardConfig | None = None
        self._earned = RewardState()
        self._rows: tuple[ClientRow, ...] = ()
        self._pace = Pace(clock=clock)
        self._lock = threading.RLock()  # the clock ticks on a thread of its own
        self._live = Redrawing(console, self.render) if can_redraw(console) else None

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live is not None:
            with suppress(BrokenPipeError):
                self._live.stop()

    def expect(self, total_rounds: int) -> None:
        """Say how many rounds the run has, once that is known."""
        self._total = total_rounds

    def pays(self, rewards: RewardConfig) -> None:
        """Say what rounds pay, before the first one: rewards then have a column."""
        self._pay = rewards

    def __call__(self, event: Event, /) -> None:
        """Show one event; once nobody reads any more, nothing: the run itself goes on."""
        if self._mute:
            return
        try:
            self._show(event)
        except BrokenPipeError:
            self._mute = True

    def _show(self, event: Event) -> None:
        if self._live is None:
            self._console.print(Text(self._line(event)), soft_wrap=True)
            return
        with self._lock:
            self._remember(event)
        self._live.refresh()

    def _line(self, event: Event) -> str:
        if isinstance(event, RoundRecord):
            return round_line(event, total=self._total)
        if isinstance(event, EvaluationRecord):
            return evaluation_line(event, total=self._total)
        return printable(event)

    def _remember(self, event: Event) -> None:
        if isinstance(event, RoundRecord):
            self._last, self._note = event, ""
            self._rows = client_rows(event)
            self._pace.reach(event.round)
            if self._pay is not None:
                self._earned, _ = step(self._earned, round_claims(event, self._pay))
        elif isinstance(event, EvaluationRecord):
            self._evaluations[event.source] = event
        else:
            self._note = event

    def render(self) -> RenderableType:
        """Return what the terminal shows now: never wider, and a line lower, than its window.

        What does not fit is left out client by client, those in trouble last.
        """
        with self._lock:
            size = self._console.size
            room = max(size.height - 1, 1)
            above, below = self._drawn(self._heading()), self._drawn(*self._remarks())
            spare = room - len(above) - len(below)
            lines = [*above, *self._table(size.width, spare), *below][:room]
        return Segments(
            [
                segment
                for k, line in enumerate(lines)
                for segment in ([Segment.line()] if k else []) + line
            ]
        )

    def _drawn(self, *parts: RenderableType) -> list[list[Segment]]:
        return [line for part in parts for line in self._console.render_lines(part, pad=False)]

    def _heading(self) -> Text:
        text = Text(style="bold")
        if self._last is None:
            text.append("starting  ")
        else:
            decision = self._last.decision
            title = round_title(self._last.round, self._total)
            text.append(printable(f"{title} {decision.status.value} {decision.reason}"))
            text.append("  ")
        return text.append(self._pace.text(self._total), style="not bold dim")

    def _remarks(self) -> list[Text]:
        parts = [
            Text(evaluation_line(record, total=self._total))
            for _, record in sorted(self._evaluations.items())
        ]
        return [*parts, Text(printable(self._note), style="dim")] if self._note else parts

    def _table(self, width: int, room: int) -> list[list[Segment]]:
        """Return the table's lines, at most `room`; a client may take several."""
        earned = None if self._pay is None else self._earned.earned
        limit = min(len(self._rows), room - 1)
        while limit > 0:
            table = round_table(self._rows, width=width, limit=limit, earned=earned)
            lines = self._drawn(table)
            if len(lines) <= room:
                return lines
            limit -= max((len(lines) - room) // 4, 1)
        return []
