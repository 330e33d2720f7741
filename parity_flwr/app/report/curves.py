"""Which series each chart of the report shows."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from parity_flwr.app.report.baselines import Baselines
from parity_flwr.app.report.charts import LineChart, Series, line_chart
from parity_flwr.app.report.tables import natural
from parity_flwr.app.text import printable
from parity_flwr.core.records import RoundRecord, Standing

MAX_LINES = 200
MAX_LABELS = 14
LABEL_LENGTH = 14

Curve = Sequence[tuple[int, float]]


def accuracy_chart(ours: Curve, baselines: Baselines, *, name: str) -> LineChart | None:
    """Draw the model's accuracy by round, beside the baselines of the same seed."""
    series = [
        Series(label="oracle", points=baselines.oracle.curve, css="oracle"),
        Series(label="FedAvg", points=baselines.fedavg.curve, css="fedavg"),
        Series(label="this run", points=ours, css="ours"),
    ]
    values = [value for s in series for _, value in s.points]
    unit = bool(values) and min(values) >= 0 and max(values) <= 1
    return line_chart(
        series,
        key="accuracy",
        title=f"{name} by round",
        description="; ".join(
            f"{s.label} ends at {s.points[-1][1]:.4g}" for s in series if s.points
        ),
        y_range=(0.0, 1.0) if unit else None,
    )


def _client_series(curves: dict[str, Curve], excluded: Collection[str]) -> list[Series]:
    """Return the clients as series: the excluded last, so that they lie on top."""
    names = sorted(curves, key=lambda name: (name in excluded, natural(name)))[-MAX_LINES:]
    all_labelled = len(names) <= MAX_LABELS
    flagged = [name for name in names if name in excluded]
    named = set(names if all_labelled else flagged[:MAX_LABELS])
    return [
        Series(
            label=printable(name, limit=LABEL_LENGTH),
            points=curves[name],
            css="flagged" if name in excluded else "honest",
            labelled=name in named,
        )
        for name in names
    ]


def _curves(
    rounds: Sequence[RoundRecord], value: Callable[[Standing], float]
) -> dict[str, Curve]:
    curves: dict[str, list[tuple[int, float]]] = {}
    for record in rounds:
        for identity, standing in record.state.standings.items():
            curves.setdefault(identity, []).append((record.round, value(standing)))
    return dict(curves)


def reputation_chart(
    rounds: Sequence[RoundRecord], *, excluded: Collection[str], threshold: float
) -> LineChart | None:
    """Draw each client's composite reputation (P-12) after every round."""
    if not rounds:
        return None
    series = _client_series(_curves(rounds, lambda standing: standing.composite), excluded)
    limits = [(rounds[0].round, threshold), (rounds[-1].round, threshold)]
    limit = Series(label="threshold", points=limits, css="limit", labelled=False)
    return line_chart(
        [limit, *series],
        key="reputation",
        title="composite reputation by round",
        description=f"{len(series)} clients, from 0 to 1000; exclusion below {threshold:g}",
        y_range=(0.0, 1000.0),
    )


def weight_chart(
    rounds: Sequence[RoundRecord], *, excluded: Collection[str]
) -> LineChart | None:
    """Draw each client's share of every round's aggregate (c_k of P-2)."""
    curves: dict[str, list[tuple[int, float]]] = {}
    for record in rounds:
        for reply in record.decision.replies:
            curves.setdefault(reply.identity, []).append((record.round, reply.weight))
    series = _client_series(dict(curves), excluded)
    top = max((weight for curve in curves.values() for _, weight in curve), default=0.0)
    return line_chart(
        series,
        key="weights",
        title="share of the aggregate by round",
        description=f"{len(series)} clients; the largest share was {top:.1%}",
        y_range=(0.0, max(top, 0.01)),
    )
