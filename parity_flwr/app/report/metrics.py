"""`metrics.jsonl`: one JSON object for every round and every evaluation of a run."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from parity_flwr.app.report.files import write_text
from parity_flwr.app.report.view import ClientRow, client_rows
from parity_flwr.core.records import DIMENSIONS, EvaluationRecord, RoundRecord

FILE_NAME = "metrics.jsonl"


def finite(value: float) -> float | None:
    """Return the number, or None for NaN and infinities, which JSON does not have."""
    return value if math.isfinite(value) else None


def _metrics(metrics: Mapping[str, float]) -> dict[str, float | None]:
    return {name: finite(value) for name, value in sorted(metrics.items())}


def client_object(row: ClientRow) -> dict[str, Any]:
    """Return one client in one round as plain data."""
    scores = row.scores
    return {
        "identity": row.identity,
        "verdict": row.outcome.value,
        "reason": row.reason,
        "weight": row.weight,
        "reputation": dict(zip(DIMENSIONS, scores, strict=True)) if scores else None,
        "composite": row.composite,
    }


def round_object(record: RoundRecord) -> dict[str, Any]:
    """Return one round as plain data."""
    return {
        "type": "round",
        "round": record.round,
        "status": record.decision.status.value,
        "reason": record.decision.reason,
        "model_hash": record.model_hash,
        "metrics": _metrics(record.metrics),
        "clients": [client_object(row) for row in client_rows(record)],
    }


def evaluation_object(record: EvaluationRecord) -> dict[str, Any]:
    """Return one evaluation as plain data."""
    return {
        "type": "evaluation",
        "round": record.round,
        "source": record.source,
        "metrics": _metrics(record.metrics),
    }


def metrics_lines(
    rounds: Sequence[RoundRecord], evaluations: Sequence[EvaluationRecord]
) -> Iterator[str]:
    """Yield the lines by round; a round stands before the evaluations of its model."""
    objects: Iterable[dict[str, Any]] = [
        *map(round_object, rounds),
        *map(evaluation_object, evaluations),
    ]
    for line in sorted(objects, key=lambda entry: (entry["round"], entry["type"] != "round")):
        yield json.dumps(line, allow_nan=False)


def write_metrics(
    folder: Path,
    *,
    rounds: Sequence[RoundRecord],
    evaluations: Sequence[EvaluationRecord],
) -> Path:
    """Write `metrics.jsonl` into the run's folder and return its path."""
    text = "".join(f"{line}\n" for line in metrics_lines(rounds, evaluations))
    return write_text(folder / FILE_NAME, text)
