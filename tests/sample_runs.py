"""Runs made up for the tests of tables, reports and commands; figures without meaning."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from parity_flwr.app.journal import SqlJournal
from parity_flwr.app.runs.folder import RunFolder
from parity_flwr.core.config import TrustConfig
from parity_flwr.core.encoding import model_hash
from parity_flwr.core.records import (
    Checkpoint,
    EvaluationRecord,
    ReplyDecision,
    ReplyFacts,
    ReputationState,
    RoundDecision,
    RoundFacts,
    RoundRecord,
    RoundStatus,
    RunHeader,
    Standing,
    Verdict,
)

MODEL_HASHES = [f"{i:064x}" for i in range(1000)]


def sample_header(*, num_rounds: int = 10) -> RunHeader:
    """Return the header of a run with the default configuration."""
    return RunHeader(
        strategy="Reputation",
        inner="FedAvg",
        config=asdict(TrustConfig()),
        num_rounds=num_rounds,
        seed=7,
        model_hash=MODEL_HASHES[0],
        sketch_commitment="ab" * 32,
        environment={"engine": "inprocess", "flwr": "1.41.0", "python": "3.11"},
    )


def _reputation(i: int, number: int, liars: int) -> float:
    return (
        max(500 * 0.6**number, 20.0)
        if i < liars
        else max(min(500 + 30.0 * number, 940 - 9 * i), 300.0)
    )


def _standing(i: int, number: int, liars: int) -> Standing:
    composite = _reputation(i, number, liars)
    return Standing(
        scores=(composite, max(composite - 40, 0), min(composite + 25, 1000), 500.0),
        composite=composite,
        rounds=number,
        quarantines=number if i == 0 and liars else 0,
        banned=i == 1 and liars > 1 and number > 5,
    )


def _facts(i: int, name: str, number: int, liars: int) -> ReplyFacts:
    if i == 0 and liars:
        reason = f"array 'conv{number % 2}.weight' holds NaN"
        return ReplyFacts(identity=name, verdict=Verdict.QUARANTINED, reason=reason)
    if i == 5 and number % 4 == 0:
        reason = "no reply before the deadline"
        return ReplyFacts(identity=name, verdict=Verdict.MISSING, reason=reason, fault=True)
    if i == 6 and number == 3:
        return ReplyFacts(identity=name, verdict=Verdict.ABSTAINED, num_examples=0)
    return ReplyFacts(
        identity=name,
        verdict=Verdict.ACCEPTED,
        num_examples=100,
        norm=1.0,
        rho=0.5,
        deviation=0.1,
    )


def sample_round(number: int, names: Sequence[str], *, liars: int = 3) -> RoundRecord:
    """Return one round; the first `liars` names are found out as the rounds go by."""
    facts = tuple(_facts(i, name, number, liars) for i, name in enumerate(names))
    says = [
        f.verdict is Verdict.ACCEPTED and _reputation(i, number, liars) >= 200
        for i, f in enumerate(facts)
    ]
    decisions = tuple(
        ReplyDecision(
            identity=f.identity,
            weight=float(say) / max(sum(says), 1),
            penalty=0.2 if i < liars and number < 2 else 1.0,
            excluded=f.verdict is Verdict.ACCEPTED and not say,
        )
        for i, (f, say) in enumerate(zip(facts, says, strict=True))
    )
    rejected = number == 4
    status = RoundStatus.REJECTED if rejected else RoundStatus.ACCEPTED
    reason = "4 of 10 replies, quorum 5" if rejected else ""
    standings = {name: _standing(i, number, liars) for i, name in enumerate(names)}
    return RoundRecord(
        round=number,
        base_hash=MODEL_HASHES[number - 1],
        model_hash=MODEL_HASHES[number],
        facts=RoundFacts(round=number, replies=facts),
        decision=RoundDecision(status=status, reason=reason, replies=decisions),
        state=ReputationState(standings=standings, round=number),
        metrics={"train_loss": 1.0 / number},
    )


def sample_rounds(
    names: Sequence[str] | None = None, *, count: int = 10, liars: int = 3
) -> list[RoundRecord]:
    """Return the rounds 1 to `count`."""
    names = [f"site-{i}" for i in range(10)] if names is None else names
    return [sample_round(number, names, liars=liars) for number in range(1, count + 1)]


def sample_evaluations(*, count: int = 10) -> list[EvaluationRecord]:
    """Return the server's evaluations of the rounds 0 to `count`."""
    return [
        EvaluationRecord(
            round=number,
            source="server",
            metrics={
                "accuracy": round(0.1 + 0.8 * (1 - 0.7**number), 4),
                "loss": 2.3 * 0.8**number,
            },
        )
        for number in range(count + 1)
    ]


def write_sample_run(
    home: Path,
    *,
    run_id: str = "sample",
    names: Sequence[str] | None = None,
    count: int = 5,
    finish: str = "completed",
    reason: str = "",
) -> RunFolder:
    """Write a run into a real journal under `home` and return its folder."""
    folder = RunFolder.create(home, run_id)
    journal = SqlJournal(folder.journal_url, folder.id, folder)
    models = [{"w": np.full(3, float(number), dtype=np.float32)} for number in range(count + 1)]
    header = sample_header(num_rounds=count)
    journal.begin(replace(header, model_hash=model_hash(models[0])))
    evaluations = sample_evaluations(count=count)
    journal.evaluate(evaluations[0])
    for record in sample_rounds(names, count=count):
        base, after = models[record.round - 1], models[record.round]
        hashed = replace(record, base_hash=model_hash(base), model_hash=model_hash(after))
        journal.commit(hashed, Checkpoint(round=record.round, model=after))
        journal.evaluate(evaluations[record.round])
    if finish:
        journal.finish(finish, reason)
    return folder
