"""The live table of a run: who was believed in the last round, and why."""

from __future__ import annotations

from contextlib import suppress
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from parity_flwr.app.report.view import client_rows
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

_FRAME_LINES = 6

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
    """

    def __init__(self, console: Console, *, total_rounds: int | None = None) -> None:
        self._console = console
        self._total = total_rounds
        self._last: RoundRecord | None = None
        self._evaluations: dict[str, EvaluationRecord] = {}
        self._note = ""
        self._mute = False
        self._pay: RewardConfig | None = None
        self._earned = RewardState()
        redraws = console.is_terminal and not console.is_dumb_terminal
        self._live = (
            Live(console=console, auto_refresh=False, vertical_overflow="crop")
            if redraws
            else None
        )

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
        self._remember(event)
        self._live.update(self.render(), refresh=True)

    def _line(self, event: Event) -> str:
        if isinstance(event, RoundRecord):
            return round_line(event, total=self._total)
        if isinstance(event, EvaluationRecord):
            return evaluation_line(event, total=self._total)
        return printable(event)

    def _remember(self, event: Event) -> None:
        if isinstance(event, RoundRecord):
            self._last, self._note = event, ""
            if self._pay is not None:
                self._earned, _ = step(self._earned, round_claims(event, self._pay))
        elif isinstance(event, EvaluationRecord):
            self._evaluations[event.source] = event
        else:
            self._note = event

    def render(self) -> RenderableType:
        """Return what the terminal shows now."""
        parts: list[RenderableType] = []
        if self._last is not None:
            limit = max(3, self._console.size.height - _FRAME_LINES - len(self._evaluations))
            decision = self._last.decision
            title = round_title(self._last.round, self._total)
            title = f"{title} {decision.status.value} {decision.reason}"
            parts.append(Text(printable(title), style="bold"))
            rows = client_rows(self._last)
            earned = None if self._pay is None else self._earned.earned
            width = self._console.size.width
            parts.append(round_table(rows, width=width, limit=limit, earned=earned))
        for _, record in sorted(self._evaluations.items()):
            parts.append(Text(evaluation_line(record, total=self._total)))
        if self._note:
            parts.append(Text(printable(self._note), style="dim"))
        return Group(*parts)
