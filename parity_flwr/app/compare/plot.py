"""The plot of a comparison: each strategy's worst accuracy as attackers become more."""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING

from parity_flwr.app.compare.contenders import DEFAULT, ORACLE
from parity_flwr.app.compare.summary import Record, grouped, mean_accuracy

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Curve = list[tuple[float, float]]


def draw(records: Iterable[Record]) -> bytes:
    """Return a PNG with one panel for each partition."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    curves = worst_curves(records)
    figure = Figure(figsize=(4.5 * max(len(curves), 1), 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, max(len(curves), 1), sharey=True, squeeze=False)
    for panel, (partition, lines) in zip(panels[0], curves.items(), strict=False):
        _draw_panel(panel, partition, lines)
    panels[0][0].set_ylabel("accuracy under the worst attack, %")
    panels[0][-1].legend(fontsize="x-small", loc="lower left")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=120, metadata={"Software": None})
    return buffer.getvalue()


def worst_curves(records: Iterable[Record]) -> dict[str, dict[str, Curve]]:
    """Return (fraction, worst mean accuracy) by partition and strategy."""
    curves: dict[str, dict[str, Curve]] = defaultdict(lambda: defaultdict(list))
    for (partition, fraction), group in grouped(records):
        for strategy, row in group.items():
            worst = min(mean_accuracy(seeds) for seeds in row.values())
            curves[partition][strategy].append((fraction, worst))
    return curves


def _draw_panel(panel: Axes, title: str, lines: dict[str, Curve]) -> None:
    for strategy, points in lines.items():
        bold = strategy in (DEFAULT, ORACLE)
        panel.plot(
            [100 * fraction for fraction, _ in points],
            [100 * worst for _, worst in points],
            marker="o",
            markersize=3,
            linewidth=2.4 if bold else 1.0,
            linestyle="--" if strategy == ORACLE else "-",
            label=strategy,
        )
    panel.set_title(title)
    panel.set_xlabel("attackers, %")
    panel.grid(alpha=0.3)
