"""The report's tables: standings at the end, verdicts by round, reasons of quarantine."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from parity_flwr.app.report.charts import sparkline
from parity_flwr.app.report.view import Outcome, client_rows
from parity_flwr.app.text import printable
from parity_flwr.core.records import RoundRecord, RoundStatus, Standing

MAX_CLIENTS = 200
MAX_ROUNDS = 100
MAX_REASONS = 50
NAME_LENGTH = 64
DIGITS = tuple("0123456789")

LETTERS = {
    Outcome.ACCEPTED: "A",
    Outcome.EXCLUDED: "X",
    Outcome.QUARANTINED: "Q",
    Outcome.MISSING: "M",
    Outcome.ABSTAINED: "0",
}


@dataclass(frozen=True, kw_only=True)
class StandingRow:
    """One client at the end of the run."""

    name: str
    scores: tuple[float, float, float, float]
    composite: float
    spark: str
    weight: float | None
    rounds: int
    quarantines: int
    faults: int
    standing: str


@dataclass(frozen=True, kw_only=True)
class Standings:
    """The clients worth a row, and how many more there are."""

    rows: tuple[StandingRow, ...]
    left_out: int


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One client in one round."""

    letter: str
    css: str
    title: str


@dataclass(frozen=True, kw_only=True)
class Timeline:
    """Clients by rounds."""

    rounds: tuple[int, ...]
    statuses: tuple[Cell, ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]
    legend: tuple[tuple[str, str], ...]
    note: str


@dataclass(frozen=True, kw_only=True)
class QuarantineReason:
    """One reason, how often it came, and from whom."""

    reason: str
    count: int
    clients: str
    rounds: str


def natural(name: str) -> tuple[object, ...]:
    """Return a sort key that puts `site-2` before `site-10`, and no two names level."""
    parts = re.split(r"([0-9]{1,18})", name[:NAME_LENGTH])
    return tuple((1, int(p), "") if p[:1] in DIGITS else (0, 0, p) for p in parts), name


def _ordered(names: Collection[str], excluded: Collection[str]) -> list[str]:
    return sorted(names, key=lambda name: (name not in excluded, natural(name)))


def _standing_word(standing: Standing, *, excluded: bool) -> str:
    if standing.banned:
        return "banned"
    return "excluded" if excluded else "included"


def standing_rows(rounds: Sequence[RoundRecord], *, excluded: Collection[str]) -> Standings:
    """Return the last round's standings, the excluded first."""
    if not rounds:
        return Standings(rows=(), left_out=0)
    last = rounds[-1]
    weights = {reply.identity: reply.weight for reply in last.decision.replies}
    names = _ordered(last.state.standings.keys(), excluded)
    rows = tuple(
        _standing_row(name, rounds, weights.get(name), excluded) for name in names[:MAX_CLIENTS]
    )
    return Standings(rows=rows, left_out=len(names) - len(rows))


def _standing_row(
    name: str, rounds: Sequence[RoundRecord], weight: float | None, excluded: Collection[str]
) -> StandingRow:
    standing = rounds[-1].state.standings[name]
    history = [
        record.state.standings[name].composite
        for record in rounds
        if name in record.state.standings
    ]
    return StandingRow(
        name=printable(name, limit=NAME_LENGTH),
        scores=standing.scores,
        composite=standing.composite,
        spark=sparkline(history, high=1000.0),
        weight=weight,
        rounds=standing.rounds,
        quarantines=standing.quarantines,
        faults=standing.faults,
        standing=_standing_word(standing, excluded=name in excluded),
    )


_NOT_SELECTED = Cell(letter="·", css="none", title="not selected")


def _cells(record: RoundRecord) -> dict[str, Cell]:
    return {
        row.identity: Cell(
            letter=LETTERS[row.outcome],
            css=row.outcome.value,
            title=printable(
                f"round {record.round}: {row.outcome.value}"
                + (f", {row.reason}" if row.reason else "")
                + (f", weight {row.weight:.1%}" if row.weight else ""),
            ),
        )
        for row in client_rows(record)
    }


def _round_cell(record: RoundRecord) -> Cell:
    accepted = record.decision.status is RoundStatus.ACCEPTED
    reason = "" if accepted else f": {record.decision.reason}"
    return Cell(
        letter="✓" if accepted else "✗",
        css="moved" if accepted else "rejected",
        title=printable(f"round {record.round} {record.decision.status.value}{reason}"),
    )


def timeline(rounds: Sequence[RoundRecord], *, excluded: Collection[str]) -> Timeline:
    """Return the verdicts of the last rounds, one row a client, the excluded first."""
    shown = rounds[-MAX_ROUNDS:]
    columns = [_cells(record) for record in shown]
    names = _ordered(set().union(*columns), excluded)
    rows = tuple(
        (
            printable(name, limit=NAME_LENGTH),
            tuple(column.get(name, _NOT_SELECTED) for column in columns),
        )
        for name in names[:MAX_CLIENTS]
    )
    legend = [(LETTERS[kind], kind.value) for kind in Outcome] + [("·", "not selected")]
    cuts = [
        f"the last {len(shown)} of {len(rounds)} rounds" if len(shown) < len(rounds) else "",
        f"{len(rows)} of {len(names)} clients" if len(rows) < len(names) else "",
    ]
    return Timeline(
        rounds=tuple(record.round for record in shown),
        statuses=tuple(_round_cell(record) for record in shown),
        rows=rows,
        legend=tuple(legend),
        note=", ".join(cut for cut in cuts if cut),
    )


def _some(values: Sequence[str], *, limit: int = 8) -> str:
    more = f" and {len(values) - limit} more" if len(values) > limit else ""
    return ", ".join(values[:limit]) + more


def quarantine_reasons(rounds: Sequence[RoundRecord]) -> tuple[QuarantineReason, ...]:
    """Return why replies were quarantined, the most frequent reason first."""
    seen: dict[str, list[tuple[int, str]]] = {}
    for record in rounds:
        for row in client_rows(record):
            if row.outcome is Outcome.QUARANTINED:
                seen.setdefault(printable(row.reason), []).append((record.round, row.identity))
    ranked = sorted(seen.items(), key=lambda item: (-len(item[1]), item[0]))
    return tuple(
        QuarantineReason(
            reason=reason or "no reason given",
            count=len(cases),
            clients=_some(
                [
                    printable(n, limit=NAME_LENGTH)
                    for n in sorted({n for _, n in cases}, key=natural)
                ]
            ),
            rounds=_some([str(r) for r in sorted({r for r, _ in cases})]),
        )
        for reason, cases in ranked[:MAX_REASONS]
    )
