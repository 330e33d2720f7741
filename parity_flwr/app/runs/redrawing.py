"""A frame at the foot of a terminal that is drawn again and again."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from rich.console import Console, ConsoleRenderable, NewLine, RenderableType
from rich.live import Live
from rich.live_render import LiveRender

FRAMES_PER_SECOND = 1.0  # the clock in the frame ticks


def can_redraw(console: Console) -> bool:
    """Say whether lines can be drawn over: not in a pipe, whatever colours it gets."""
    return console.is_interactive and not console.is_dumb_terminal and not console.quiet


class Redrawing(Live):
    """A rich ``Live`` for windows whose size changes and that may go away.

    A window made smaller than the last frame may have wrapped its lines or pushed them out:
    moving up by as many lines would then paint over what was there before. The next frame
    is drawn below instead, and the old one stays.

    Parameters
    ----------
    console : rich.console.Console
    render : callable
        Returns what the frame shows now.
    passing : bool, keyword-only
        Remove the frame at the end, and leave the process's stdout alone.
    """

    def __init__(
        self, console: Console, render: Callable[[], RenderableType], *, passing: bool = False
    ) -> None:
        self._drawn_at = console.size
        super().__init__(
            console=console,
            get_renderable=render,
            refresh_per_second=FRAMES_PER_SECOND,
            vertical_overflow="crop",
            transient=passing,
            redirect_stdout=not passing,
        )

    def refresh(self) -> None:
        """Draw the frame; once nobody looks any more, nothing."""
        with suppress(OSError):
            super().refresh()

    def process_renderables(
        self, renderables: list[ConsoleRenderable]
    ) -> list[ConsoleRenderable]:
        """Move to where the last frame began, or below it if that cannot be known."""
        size, height = self.console.size, self._live_render.last_render_height
        if height and (size.width < self._drawn_at.width or size.height <= height):
            self._live_render = LiveRender(self.get_renderable())
            renderables = [NewLine(), *renderables]
        self._drawn_at = size
        return super().process_renderables(renderables)
