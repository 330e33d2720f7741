"""Records of the journal as rows that a table can show."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from parity_flwr.core.records import (
    EvaluationRecord,
    ReplyDecision,
    ReplyFacts,
    RoundRecord,
    Standing,
    Verdict,
)

OUTLYING_PENALTY = 0.5
"""P-6 penalties below this are named as the reason for a small weight."""

_PREFERRED = ("accuracy", "acc", "test_accuracy", "eval_accuracy", "val_accuracy", "r2")
_COUNTS = frozenset({"num-examples", "num_examples"})


class Outcome(StrEnum):
    """What became of one selected client in one round, as shown to a person."""

    ACCEPTED = "accepted"
    EXCLUDED = "excluded"  # a sound message that has no weight: low reputation, or banned
    QUARANTINED = "quarantined"
    MISSING = "missing"
    ABSTAINED = "abstained"


@dataclass(frozen=True, kw_only=True)
class ClientRow:
    """One client in one round; ``scores`` are R_i in [0, 1000] after the round (P-7)."""

    identity: str
    outcome: Outcome
    reason: str
    weight: float
    scores: tuple[float, float, float, float] | None
    composite: float | None


def outcome_of(facts: ReplyFacts, decision: ReplyDecision | None) -> Outcome:
    """Return the verdict, or EXCLUDED where an accepted reply has no say."""
    if facts.verdict is Verdict.ACCEPTED and decision is not None and decision.excluded:
        return Outcome.EXCLUDED
    return Outcome(facts.verdict.value)


def _reason(
    facts: ReplyFacts, decision: ReplyDecision | None, standing: Standing | None
) -> str:
    if facts.reason:
        return facts.reason
    if decision is None:
        return ""
    if decision.excluded:
        return _why_excluded(standing)
    if facts.verdict is Verdict.ACCEPTED and decision.penalty < OUTLYING_PENALTY:
        return f"outlying update, penalty {decision.penalty:.2g}"
    return ""


def _why_excluded(standing: Standing | None) -> str:
    if standing is not None and standing.banned:
        return "banned"
    if standing is not None and standing.owed > 0:
        return f"low reputation, owes {standing.owed} clean rounds"
    return "low reputation"


def client_rows(record: RoundRecord) -> tuple[ClientRow, ...]:
    """Return one row per client that the round selected, in the order of the facts."""
    decisions = {decision.identity: decision for decision in record.decision.replies}
    return tuple(
        _client_row(facts, decisions.get(facts.identity), record)
        for facts in record.facts.replies
    )


def _client_row(
    facts: ReplyFacts, decision: ReplyDecision | None, record: RoundRecord
) -> ClientRow:
    standing = record.state.standings.get(facts.identity)
    return ClientRow(
        identity=facts.identity,
        outcome=outcome_of(facts, decision),
        reason=_reason(facts, decision, standing),
        weight=decision.weight if decision is not None else 0.0,
        scores=standing.scores if standing is not None else None,
        composite=standing.composite if standing is not None else None,
    )


def tally(rows: Iterable[ClientRow]) -> dict[Outcome, int]:
    """Count the outcomes that occur, in the order of :class:`Outcome`."""
    rows = tuple(rows)
    counts = {kind: sum(row.outcome is kind for row in rows) for kind in Outcome}
    return {kind: count for kind, count in counts.items() if count}


def excluded_identities(record: RoundRecord, *, threshold: float) -> tuple[str, ...]:
    """Return who has no weight after the round: banned, under the threshold, or in its debt."""
    return tuple(
        identity
        for identity, standing in sorted(record.state.standings.items())
        if standing.banned or standing.owed > 0 or standing.composite < threshold
    )


def headline_metric(evaluations: Sequence[EvaluationRecord]) -> tuple[str, str] | None:
    """Return (source, name) of the metric that tells the model's quality best.

    The server's own evaluation comes before the clients' word, accuracy before the rest.
    """
    for source in ("server", "clients"):
        names = {name for e in evaluations if e.source == source for name in e.metrics}
        ranked = [name for name in _PREFERRED if name in names]
        ranked += sorted(names - _COUNTS - set(_PREFERRED))
        if ranked:
            return source, ranked[0]
    return None


def metric_curve(
    evaluations: Sequence[EvaluationRecord], *, source: str, name: str
) -> tuple[tuple[int, float], ...]:
    """Return (round, value) of one metric where it is finite, by round."""
    points = {
        e.round: float(e.metrics[name])
        for e in evaluations
        if e.source == source and name in e.metrics and math.isfinite(e.metrics[name])
    }
    return tuple(sorted(points.items()))
