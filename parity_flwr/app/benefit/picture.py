"""The comparison as one picture: who gains what, and the reliability curve."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Literal

from parity_flwr.app.benefit.records import Benefit, Gain

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Kind = Literal["png", "svg"]

_ALONE, _TOGETHER, _REFERENCE = "#b3541e", "#1f5fa8", "#777777"


def draw(benefit: Benefit, *, title: str = "", kind: Kind = "png") -> bytes:
    """Return the picture as the bytes of a file; the same bytes for the same record.

    Left: for each participant its own model and the federated one, on its own held-out rows.
    Middle: the same on everybody's held-out rows. Right: the federated model's reliability
    curve; the area of a point is the number of rows.

    Parameters
    ----------
    benefit : Benefit
    title : str
        Above all of it.
    kind : {"png", "svg"}
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    height = max(3.4, 1.6 + 0.27 * len(benefit.gains))
    with mpl.rc_context({"svg.hashsalt": "parity", "font.size": 8}):
        figure = Figure(figsize=(11, height), layout="constrained")
        FigureCanvasAgg(figure)
        own, pooled, reliability = figure.subplots(1, 3, width_ratios=(4, 3, 3))
        _draw_own(own, benefit)
        _draw_pooled(pooled, benefit)
        _draw_reliability(reliability, benefit)
        if title:
            figure.suptitle(title)
        buffer = io.BytesIO()
        metadata = {"Software": None} if kind == "png" else {"Date": None}
        figure.savefig(buffer, format=kind, dpi=110, metadata=metadata)
    return buffer.getvalue()


def _draw_own(panel: Axes, benefit: Benefit) -> None:
    for row, each in enumerate(benefit.gains):
        if each.alone_own is None or each.federated_own is None:
            panel.text(0.5, row, "one class only", va="center", color=_REFERENCE)
            continue
        panel.plot([each.alone_own, each.federated_own], [row, row], color="#bbbbbb", zorder=1)
        panel.scatter([each.alone_own], [row], color=_ALONE, zorder=2)
        panel.scatter([each.federated_own], [row], color=_TOGETHER, marker="D", zorder=3)
    panel.set_yticks(range(len(benefit.gains)), [_label(each) for each in benefit.gains])
    panel.invert_yaxis()
    panel.set_xlabel(f"{benefit.metric} on its own held-out rows")
    panel.scatter([], [], color=_ALONE, label="own model")
    panel.scatter([], [], color=_TOGETHER, marker="D", label="federated model")
    panel.legend(loc="best")
    panel.grid(axis="x", alpha=0.3)


def _label(gain: Gain) -> str:
    return f"{gain.name if gain.honest else f'{gain.name} (dishonest)'}, {gain.train_rows} rows"


def _draw_pooled(panel: Axes, benefit: Benefit) -> None:
    rows = range(len(benefit.gains))
    panel.scatter([each.alone_pooled for each in benefit.gains], rows, color=_ALONE)
    panel.axvline(
        benefit.median_alone, color=_ALONE, linestyle="--", label="median own (honest)"
    )
    panel.axvline(benefit.federated_pooled, color=_TOGETHER, label="federated")
    for each, style in zip(benefit.references, (":", "-.", (0, (1, 3))), strict=False):
        panel.axvline(each.pooled, color=_REFERENCE, linestyle=style, label=each.name)
    panel.set_yticks(rows, [""] * len(benefit.gains))
    panel.invert_yaxis()
    panel.set_xlabel(f"{benefit.metric} on all honest held-out rows ({benefit.pooled_rows})")
    panel.legend(loc="best")
    panel.grid(axis="x", alpha=0.3)


def _draw_reliability(panel: Axes, benefit: Benefit) -> None:
    bins = benefit.calibration.bins
    predicted = [each.predicted for each in bins]
    observed = [each.observed for each in bins]
    sizes = [20 + 300 * each.rows / benefit.pooled_rows for each in bins]
    panel.plot([0, 1], [0, 1], "--", color=_REFERENCE, linewidth=0.8)
    panel.plot(predicted, observed, color=_TOGETHER)
    panel.scatter(predicted, observed, s=sizes, color=_TOGETHER, alpha=0.6)
    panel.set_xlim(-0.03, 1.03)
    panel.set_ylim(-0.03, 1.03)
    panel.set_xlabel("predicted probability")
    panel.set_ylabel("share that is positive")
    panel.set_title(f"calibration error {benefit.calibration.error:.3f}")
    panel.grid(alpha=0.3)
