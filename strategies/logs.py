"""What a round looks like in Flower's log."""

from __future__ import annotations

from logging import INFO, WARNING

from flwr.common import log

from parity_flwr.core.records import RoundRecord, Verdict


def log_round(record: RoundRecord) -> None:
    """Log one line for the round and one for each client that was refused or excluded."""
    decision = record.decision
    weighted = sum(each.weight > 0 for each in decision.replies)
    log(
        INFO,
        "aggregate_train: round %d %s, %d of %d clients have weight%s",
        record.round,
        decision.status,
        weighted,
        len(decision.replies),
        f" ({decision.reason or record.note})" if decision.reason or record.note else "",
    )
    for facts, reply in zip(record.facts.replies, decision.replies, strict=True):
        if facts.verdict not in (Verdict.ACCEPTED, Verdict.ABSTAINED):
            log(WARNING, "\t> %s %s: %s", facts.identity, facts.verdict, facts.reason)
        elif reply.excluded:
            log(INFO, "\t> %s has no weight: low reputation or banned", facts.identity)
