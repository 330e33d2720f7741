"""Line charts as geometry: the template draws them, so that it also escapes every label."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

Point = tuple[float, float]

WIDTH, HEIGHT = 720.0, 300.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 48.0, 146.0, 14.0, 40.0
_LABEL_HEIGHT = 15.0
MAX_POINTS = 400


@dataclass(frozen=True, kw_only=True)
class Series:
    """One line: its points in data units and the CSS class that draws it."""

    label: str
    points: Sequence[Point]
    css: str
    labelled: bool = True


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line in the units of the drawing; `label_y` keeps labels from overlapping."""

    label: str
    css: str
    path: str
    end: Point
    label_y: float | None


@dataclass(frozen=True, kw_only=True)
class Tick:
    """One tick of an axis: where, and what it says."""

    at: float
    text: str


@dataclass(frozen=True, kw_only=True)
class LineChart:
    """A chart that a template can draw without arithmetic."""

    key: str
    title: str
    description: str
    x_label: str
    lines: tuple[Line, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    width: float = WIDTH
    height: float = HEIGHT
    left: float = _LEFT
    right: float = WIDTH - _RIGHT
    top: float = _TOP
    bottom: float = HEIGHT - _BOTTOM


def thin(points: Sequence[Point], *, limit: int = MAX_POINTS) -> tuple[Point, ...]:
    """Return at most `limit` of the points, evenly spaced, first and last included."""
    if len(points) <= limit:
        return tuple(points)
    step = (len(points) - 1) / (limit - 1)
    return tuple(points[round(i * step)] for i in range(limit))


def nice_ticks(low: float, high: float, *, count: int = 5) -> tuple[float, ...]:
    """Return about `count` round numbers that cover [low, high].

    Examples
    --------
    >>> nice_ticks(0.0, 1.0)
    (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
    """
    span = max(high - low, abs(high) * 1e-9, 1e-12)
    magnitude = 10.0 ** math.floor(math.log10(span / count))
    step = next(m * magnitude for m in (1, 2, 2.5, 5, 10) if span / (m * magnitude) <= count)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return tuple(float(f"{i * step:.12g}") for i in range(first, max(last, first + 1) + 1))


def _spread_labels(wanted: Sequence[float]) -> list[float]:
    """Move label positions apart so that none overlaps, keeping their order."""
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    placed, previous = [0.0] * len(wanted), -math.inf
    for i in order:
        previous = max(wanted[i], previous + _LABEL_HEIGHT)
        placed[i] = previous
    room = float(HEIGHT - _BOTTOM)
    for i in reversed(order):
        placed[i] = min(placed[i], room)
        room = placed[i] - _LABEL_HEIGHT
    return placed


def _path(points: Sequence[Point]) -> str:
    return " ".join(f"{'L' if i else 'M'}{x:.1f} {y:.1f}" for i, (x, y) in enumerate(points))


@dataclass(frozen=True, kw_only=True)
class _Scale:
    low: float
    high: float
    start: float
    stop: float

    def __call__(self, value: float) -> float:
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return self.start + share * (self.stop - self.start)


def line_chart(
    series: Sequence[Series],
    *,
    key: str,
    title: str,
    description: str,
    x_label: str = "round",
    y_range: tuple[float, float] | None = None,
) -> LineChart | None:
    """Return the geometry of a chart, or None when no series has a point.

    ``y_range`` None fits the data; lines are drawn in the order given, the last on top.
    """
    shown = [Series(**{**vars(s), "points": thin(s.points)}) for s in series if s.points]
    if not shown:
        return None
    xs = [x for s in shown for x, _ in s.points]
    ys = [y for s in shown for _, y in s.points]
    y_values = nice_ticks(*(y_range or (min(ys), max(ys))))
    x_values = [x for x in nice_ticks(min(xs), max(xs)) if x == int(x)]
    x_scale = _Scale(
        low=min(xs), high=max(max(xs), min(xs) + 1), start=_LEFT, stop=WIDTH - _RIGHT
    )
    y_scale = _Scale(low=y_values[0], high=y_values[-1], start=HEIGHT - _BOTTOM, stop=_TOP)
    return LineChart(
        key=key,
        title=title,
        description=description,
        x_label=x_label,
        lines=_lines(shown, x_scale, y_scale),
        x_ticks=tuple(
            Tick(at=x_scale(x), text=f"{x:g}") for x in x_values if min(xs) <= x <= max(xs)
        ),
        y_ticks=tuple(Tick(at=y_scale(y), text=f"{y:g}") for y in y_values),
    )


def _lines(shown: Sequence[Series], x_scale: _Scale, y_scale: _Scale) -> tuple[Line, ...]:
    drawn = [[(x_scale(x), y_scale(y)) for x, y in s.points] for s in shown]
    labelled = [i for i, s in enumerate(shown) if s.labelled]
    heights = dict(
        zip(labelled, _spread_labels([drawn[i][-1][1] for i in labelled]), strict=True)
    )
    return tuple(
        Line(
            label=s.label,
            css=s.css,
            path=_path(points),
            end=points[-1],
            label_y=heights.get(i),
        )
        for i, (s, points) in enumerate(zip(shown, drawn, strict=True))
    )


def sparkline(
    values: Sequence[float], *, high: float, width: int = 96, height: int = 20
) -> str:
    """Return the path of a small line over [0, high], oldest value first."""
    kept = [y for _, y in thin(list(enumerate(values)), limit=width)]
    if not kept:
        return ""
    x_scale = _Scale(low=0, high=max(len(kept) - 1, 1), start=1, stop=width - 1)
    y_scale = _Scale(low=0, high=high, start=height - 1, stop=1)
    points = [(x_scale(i), y_scale(y)) for i, y in enumerate(kept)]
    return _path(points if len(points) > 1 else [points[0], (width - 1, points[0][1])])
