"""What the chain says, as rows for SQL: one pure function from a record to rows.

The journal inserts these rows with the entry; ``parity verify`` computes them again and
compares.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Table

from parity_flwr.app.journal import schema
from parity_flwr.app.journal.chain import Record
from parity_flwr.core.privacy.ledger import Charge
from parity_flwr.core.records import (
    Action,
    EvaluationRecord,
    ReplyDecision,
    ReplyFacts,
    RoundRecord,
    Verdict,
)

Row = dict[str, Any]
Rows = dict[Table, list[Row]]

_SCORES = ("performance", "quality_score", "consistency", "social")
_MAX_INTEGER = 2**63 - 1


def project(run_id: str, sequence: int, record: Record) -> Rows:
    """Return the rows that belong to one entry, by table."""
    if isinstance(record, RoundRecord):
        rows = _round_rows(sequence, record)
    elif isinstance(record, EvaluationRecord):
        rows = {
            schema.metrics: _metric_rows(sequence, record.round, record.source, record.metrics)
        }
    elif isinstance(record, Action):
        rows = {schema.actions: [_action_row(sequence, record)]}
    elif isinstance(record, Charge):
        rows = {schema.charges: [_charge_row(sequence, record)]}
    else:
        rows = {}
    return {table: [{"run_id": run_id, **row} for row in each] for table, each in rows.items()}


def storable(text: str) -> str:
    """Return text that every database takes: PostgreSQL has no place for NUL."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")


def _round_rows(sequence: int, record: RoundRecord) -> Rows:
    facts, decision = record.facts, record.decision
    accepted = sum(reply.verdict is Verdict.ACCEPTED for reply in facts.replies)
    summary = {
        "round": record.round,
        "sequence": sequence,
        "status": decision.status.value,
        "reason": storable(decision.reason),
        "base_hash": storable(record.base_hash),
        "model_hash": storable(record.model_hash),
        "n_selected": len(facts.replies),
        "n_accepted": accepted,
    }
    decided = {each.identity: each for each in decision.replies}
    replies = [
        {
            "round": record.round,
            "position": position,
            **_facts_columns(reply),
            **_decision_columns(decided.get(reply.identity)),
            **_score_columns(record, reply.identity),
        }
        for position, reply in enumerate(facts.replies)
    ]
    metrics = _metric_rows(sequence, record.round, "train", record.metrics)
    return {schema.rounds: [summary], schema.replies: replies, schema.metrics: metrics}


def _facts_columns(reply: ReplyFacts) -> Row:
    examples = reply.num_examples
    return {
        "identity": storable(reply.identity),
        "node_id": str(reply.node_id),
        "verdict": reply.verdict.value,
        "reason": storable(reply.reason),
        "update_hash": storable(reply.update_hash),
        "public_key": storable(reply.public_key),
        "signature": storable(reply.signature),
        # A claim that no column can hold is in the chain all the same.
        "num_examples": examples if abs(examples or 0) <= _MAX_INTEGER else None,
        "norm": reply.norm,
        "rho": reply.rho,
        "deviation": reply.deviation,
        "quality": reply.quality,
        "time_s": reply.time_s,
    }


def _decision_columns(decision: ReplyDecision | None) -> Row:
    each = decision or ReplyDecision(identity="")
    return {
        "alpha": each.alpha,
        "beta": each.beta,
        "penalty": each.penalty,
        "soundness": each.soundness,
        "weight": each.weight,
        "excluded": int(each.excluded),
    }


def _score_columns(record: RoundRecord, identity: str) -> Row:
    standing = record.state.standings.get(identity)
    scores = standing.scores if standing else (None,) * len(_SCORES)
    composite = standing.composite if standing else None
    return {**dict(zip(_SCORES, scores, strict=True)), "composite": composite}


def _metric_rows(
    sequence: int, round_number: int, source: str, metrics: Mapping[str, float]
) -> list[Row]:
    return [
        {
            "sequence": sequence,
            "position": position,
            "round": round_number,
            "source": storable(source),
            "name": storable(name),
            "value": value,
        }
        for position, (name, value) in enumerate(sorted(metrics.items()))
    ]


def _action_row(sequence: int, action: Action) -> Row:
    return {
        "sequence": sequence,
        "kind": storable(action.kind),
        "identity": storable(action.identity),
        "reason": storable(action.reason),
        "applied_round": None,
    }


def _charge_row(sequence: int, charge: Charge) -> Row:
    return {
        "sequence": sequence,
        "round": charge.round,
        "client": storable(charge.client),
        "mechanism": charge.mechanism.value,
        "release": charge.release,
        "noise_multiplier": charge.noise_multiplier,
        "sampling": charge.sampling,
        "count": charge.count,
        "unit": charge.unit.value,
        "relation": charge.relation.value,
    }
