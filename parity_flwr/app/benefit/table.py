"""The comparison as lines of text, none wider than a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from parity_flwr.app.benefit.records import Benefit, Gain

_NAME = 22


def lines(benefit: Benefit) -> tuple[str, ...]:
    """Return the comparison as a table of at most 60 columns, ASCII only.

    "alone" and "together" are the metric on the participant's own held-out rows ("-": these
    are of one class), "pooled" is its own model on everybody's. A star marks participants
    that are not honest, and not counted.
    """
    return tuple(_lines(benefit))


def _lines(benefit: Benefit) -> Iterator[str]:
    yield f"{benefit.metric} on held-out rows"
    yield f"{'participant':{_NAME}} {'rows':>5} {'alone':>6} {'together':>8} {'pooled':>6}"
    for each in benefit.gains:
        yield _line(each)
    yield (
        f"{'federated, pooled':{_NAME}} {benefit.pooled_rows:>5} {'':6} {'':8} "
        f"{benefit.federated_pooled:6.3f}"
    )
    yield (
        f"{'median own, pooled':{_NAME}} {'':5} {'':6} {'':8} {benefit.median_alone:6.3f}"
        f" ({benefit.gain:+.3f})"
    )
    for reference in benefit.references:
        yield f"{_cut(reference.name)} {'':5} {'':6} {'':8} {reference.pooled:6.3f}"
    yield (
        f"calibration error {benefit.calibration.error:.3f}, "
        f"Brier score {benefit.calibration.brier:.3f}"
    )


def _line(gain: Gain) -> str:
    name = gain.name if gain.honest else f"*{gain.name}"
    return (
        f"{_cut(name)} {gain.train_rows:>5} {_figure(gain.alone_own):>6} "
        f"{_figure(gain.federated_own):>8} {gain.alone_pooled:6.3f}"
    )


def _cut(name: str) -> str:
    shown = name if len(name) <= _NAME else f"{name[: _NAME - 2]}.."
    return f"{shown:{_NAME}}"


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
