"""A run in a few figures, as plain data."""

from __future__ import annotations

from typing import Any

from parity_flwr.app.journal import open_journal
from parity_flwr.app.report.page import exclusion_threshold
from parity_flwr.app.report.tables import natural
from parity_flwr.app.report.view import excluded_identities, headline_metric, metric_curve
from parity_flwr.app.runs.folder import RunFolder
from parity_flwr.core.config import TrustConfig
from parity_flwr.core.records import (
    DIMENSIONS,
    EvaluationRecord,
    RoundRecord,
    RoundStatus,
    RunHeader,
    Standing,
)
from parity_flwr.core.rounds import apply_actions


def final_metric(evaluations: list[EvaluationRecord]) -> dict[str, Any] | None:
    """Return the last value of the metric that tells the model's quality best."""
    found = headline_metric(evaluations)
    if found is None:
        return None
    source, name = found
    curve = metric_curve(evaluations, source=source, name=name)
    if not curve:
        return None
    return {"name": name, "source": source, "round": curve[-1][0], "value": curve[-1][1]}


def _excluded(header: RunHeader | None, rounds: list[RoundRecord]) -> list[str]:
    if not rounds:
        return []
    excluded = excluded_identities(rounds[-1], threshold=exclusion_threshold(header))
    return sorted(excluded, key=natural)


def summarise(folder: RunFolder) -> dict[str, Any]:
    """Return a run's status, rounds, last metric, excluded identities and model hash.

    Raises
    ------
    JournalError
        The journal is missing or corrupt.
    """
    journal = open_journal(folder)
    status, header, rounds = journal.status(), journal.header(), list(journal.rounds())
    return {
        "run_id": folder.id,
        "path": str(folder.path),
        "status": status.status,
        "reason": status.reason,
        "mode": header.environment.get("mode", "") if header is not None else "",
        "rounds": len(rounds),
        "accepted_rounds": sum(r.decision.status is RoundStatus.ACCEPTED for r in rounds),
        "metric": final_metric(list(journal.evaluations())),
        "excluded": _excluded(header, rounds),
        "model_hash": rounds[-1].model_hash if rounds else None,
    }


def _standing_object(identity: str, standing: Standing, *, threshold: float) -> dict[str, Any]:
    excluded = standing.composite < threshold or standing.owed > 0
    return {
        "identity": identity,
        "reputation": dict(zip(DIMENSIONS, standing.scores, strict=True)),
        "composite": standing.composite,
        "rounds": standing.rounds,
        "quarantines": standing.quarantines,
        "faults": standing.faults,
        "relapses": standing.relapses,
        "owed": standing.owed,
        "standing": "banned" if standing.banned else "excluded" if excluded else "included",
    }


def standings(folder: RunFolder) -> dict[str, Any]:
    """Return every client's reputation after the last round, the best first.

    Bans and pardons journalled since then count.

    Raises
    ------
    JournalError
        The journal is missing or corrupt.
    """
    journal = open_journal(folder)
    threshold, rounds = exclusion_threshold(journal.header()), journal.rounds()
    if not rounds:
        return {"round": 0, "clients": []}
    state = apply_actions(rounds[-1].state, journal.actions(), TrustConfig())
    ranked = sorted(
        state.standings.items(),
        key=lambda item: (-item[1].composite, natural(item[0])),
    )
    clients = [_standing_object(name, each, threshold=threshold) for name, each in ranked]
    return {"round": rounds[-1].round, "clients": clients}
