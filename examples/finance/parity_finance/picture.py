"""One run as one picture: what banks gain, whom the server believes, who is paid."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from parity_finance.outcome import Outcome

_ALONE, _TOGETHER, _RIDER, _QUIET = "#b3541e", "#1f5fa8", "#c2185b", "#777777"


def picture(outcome: Outcome, *, title: str) -> bytes:
    """Return the picture as a PNG file; the same bytes for the same outcome.

    Left: the metric on the held-out customers of all honest banks, of each bank's own model
    and of the federated one. Middle: reputation by round. Right: tokens earned.

    Parameters
    ----------
    outcome : Outcome
    title : str
        Above all of it.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with mpl.rc_context({"font.size": 8}):
        figure = Figure(figsize=(10.5, 3.6), layout="constrained")
        FigureCanvasAgg(figure)
        gains, trust, pay = figure.subplots(1, 3, width_ratios=(4, 3, 3))
        _draw_gains(gains, outcome)
        _draw_trust(trust, outcome)
        _draw_pay(pay, outcome)
        figure.suptitle(title)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=110, metadata={"Software": None})
    return buffer.getvalue()


def _draw_gains(panel: Axes, outcome: Outcome) -> None:
    benefit = outcome.benefit
    rows = range(len(benefit.gains))
    panel.scatter([each.alone_pooled for each in benefit.gains], rows, color=_ALONE,
                  label="a bank's own model", zorder=3)  # fmt: skip
    panel.axvline(benefit.median_alone, color=_ALONE, linestyle="--", label="median of these")
    panel.axvline(benefit.federated_pooled, color=_TOGETHER, label="federated model")
    for each in benefit.references:
        panel.axvline(each.pooled, color=_QUIET, linestyle=":", label=each.name)
    names = [
        f"{each.name}{'' if each.honest else ' (rides)'}, {each.train_rows} rows"
        for each in benefit.gains
    ]
    panel.set_yticks(rows, names)
    panel.invert_yaxis()
    panel.set_xlabel(f"{benefit.metric}, {benefit.pooled_rows} customers held out")
    panel.legend(loc="best", fontsize=7)
    panel.grid(axis="x", alpha=0.3)


def _draw_trust(panel: Axes, outcome: Outcome) -> None:
    for name, curve in outcome.reputation.items():
        color = _RIDER if name in outcome.free_riders else _TOGETHER
        panel.plot(range(1, len(curve) + 1), curve, color=color, alpha=0.7)
    for color, label in ((_TOGETHER, "honest banks"), (_RIDER, "rides for free")):
        panel.plot([], [], color=color, label=label)
    panel.axhline(200, color=_QUIET, linestyle=":", label="no weight below")
    panel.set_ylim(0, 1000)
    panel.set_xlabel("round")
    panel.set_ylabel("reputation")
    panel.legend(loc="upper left", fontsize=7)
    panel.grid(alpha=0.3)


def _draw_pay(panel: Axes, outcome: Outcome) -> None:
    names = [each.name for each in outcome.benefit.gains]
    paid = [outcome.earned.get(name, 0.0) for name in names]
    colors = [_RIDER if name in outcome.free_riders else _TOGETHER for name in names]
    panel.barh(range(len(names)), paid, color=colors)
    panel.set_yticks(range(len(names)), names)
    panel.invert_yaxis()
    panel.set_xlabel("tokens earned (P-28)")
    panel.grid(axis="x", alpha=0.3)
