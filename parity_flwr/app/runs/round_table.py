"""One round as a table that fits the window, or as one line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.table import Table
from rich.text import Text

from parity_flwr.app.report.view import ClientRow, Outcome, client_rows, tally
from parity_flwr.app.text import printable
from parity_flwr.core.economy.amounts import UNIT
from parity_flwr.core.records import DIMENSIONS, EvaluationRecord, RoundRecord

SLIM, NARROW, WIDE = 56, 80, 110
_ABBREVIATED = ("perf", "qual", "cons", "soc")
_STYLES = {
    Outcome.ACCEPTED: "green",
    Outcome.EXCLUDED: "bold red",
    Outcome.QUARANTINED: "bold yellow",
    Outcome.MISSING: "magenta",
    Outcome.ABSTAINED: "cyan",
}
_PLAIN_NAMES = 3


def _urgency(row: ClientRow) -> tuple[bool, float]:
    return row.outcome is Outcome.ACCEPTED, row.composite if row.composite is not None else 0.0


def _shown(rows: Sequence[ClientRow], limit: int) -> list[ClientRow]:
    """Return at most `limit` rows, those in trouble first to stay, in the given order."""
    if len(rows) <= limit:
        return list(rows)
    kept = {row.identity for row in sorted(rows, key=_urgency)[:limit]}
    return [row for row in rows if row.identity in kept]


def _score(value: float | None) -> str:
    return "–" if value is None else f"{value:.0f}"


def _verdict(row: ClientRow) -> Text:
    return Text(row.outcome.value, style=_STYLES[row.outcome])


def _wide_cells(row: ClientRow) -> list[str | Text]:
    return [
        *(_score(score) for score in row.scores or (None,) * len(DIMENSIONS)),
        _score(row.composite),
        f"{row.weight:.1%}",
        _verdict(row),
        Text(printable(row.reason)),
    ]


def _slim_cells(row: ClientRow) -> list[str | Text]:
    _, composite, _, verdict = _narrow_cells(row)
    return [composite, verdict]


def _narrow_cells(row: ClientRow) -> list[str | Text]:
    scores = "/".join(_score(score) for score in row.scores or (None,) * len(DIMENSIONS))
    reason = f": {printable(row.reason, limit=60)}" if row.reason else ""
    return [
        scores,
        _score(row.composite),
        f"{row.weight:.0%}",
        Text.assemble(_verdict(row), reason),
    ]


def _columns(table: Table, *, width: int) -> None:
    table.add_column("client", overflow="ellipsis", no_wrap=True, max_width=max(9, width // 6))
    if width < NARROW:
        if width >= SLIM:
            table.add_column("p/q/c/s", justify="right", no_wrap=True)
        table.add_column("rep", justify="right", no_wrap=True)
        if width >= SLIM:
            table.add_column("wgt", justify="right", no_wrap=True)
        table.add_column("verdict", overflow="fold", ratio=1)
        return
    for name in DIMENSIONS if width >= WIDE else _ABBREVIATED:
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("composite" if width >= WIDE else "rep", justify="right", no_wrap=True)
    table.add_column("weight", justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    table.add_column("reason", overflow="fold", ratio=1)


def round_table(
    rows: Sequence[ClientRow],
    *,
    width: int,
    limit: int,
    earned: Mapping[str, int] | None = None,
) -> Table:
    """Return the clients of a round as a table that fits `width` columns.

    Reputation is in [0, 1000] by dimension (performance, quality, consistency, social) and
    composite; at most `limit` clients are shown, those in trouble before the rest. `earned`
    is what each identity was paid so far, in units of 1e-18 token; None for no column.
    """
    shown = _shown(rows, limit)
    table = Table(box=None, pad_edge=False, padding=(0, 1), header_style="bold", expand=True)
    _columns(table, width=width)
    cells = _slim_cells if width < SLIM else _narrow_cells if width < NARROW else _wide_cells
    if earned is not None:
        table.add_column("reward", justify="right", no_wrap=True)
    for row in shown:
        paid = [] if earned is None else [f"{earned.get(row.identity, 0) / UNIT:.0f}"]
        table.add_row(Text(printable(row.identity, limit=64)), *cells(row), *paid)
    if len(shown) < len(rows):
        table.caption = f"and {len(rows) - len(shown)} more, in 'parity report'"
    return table


def round_title(number: int, total: int | None) -> str:
    """Return which round it is, and of how many where that is known."""
    return f"round {number}/{total}" if total else f"round {number}"


def round_line(record: RoundRecord, *, total: int | None = None) -> str:
    """Return a round on one line, for a pipe or a log."""
    rows = client_rows(record)
    counts = ", ".join(f"{count} {kind.value}" for kind, count in tally(rows).items())
    troubled = [row for row in rows if row.outcome is not Outcome.ACCEPTED]
    names = "; ".join(
        printable(row.identity, limit=32)
        + f": {printable(row.reason or row.outcome.value, limit=48)}"
        for row in troubled[:_PLAIN_NAMES]
    )
    more = f"; and {len(troubled) - _PLAIN_NAMES} more" if len(troubled) > _PLAIN_NAMES else ""
    reason = f" ({printable(record.decision.reason)})" if record.decision.reason else ""
    detail = f" ({names}{more})" if names else ""
    status = record.decision.status.value
    return (
        f"{round_title(record.round, total)} {status}{reason}: {counts or 'no replies'}{detail}"
    )


def evaluation_line(record: EvaluationRecord, *, total: int | None = None) -> str:
    """Return an evaluation on one line."""
    figures = ", ".join(
        f"{printable(name, limit=32)} {value:.4g}"
        for name, value in sorted(record.metrics.items())
    )
    source = printable(record.source, limit=16)
    return f"{round_title(record.round, total)} evaluated by {source}: {figures}"
