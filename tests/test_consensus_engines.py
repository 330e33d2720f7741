"""Validators on three engines: the same votes, the same verdicts."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from federations import federation
from parity_flwr.app.engines.engine import Engine, run_app
from parity_flwr.app.journal import open_journal
from parity_flwr.app.runs.folder import RunFolder
from parity_flwr.app.verification.verify import verify
from parity_flwr.core.records import RoundRecord, RoundStatus
from process_tree import marked, needs_proc

VALIDATED = Path(__file__).parent / "apps" / "validated"
NUM_CLIENTS = 5
POISONER, FALSE_WITNESS = 1, 3


@dataclass
class Judged:
    """What was decided, by round or by (round, partition)."""

    statuses: list[RoundStatus] = field(default_factory=list)
    votes: dict[tuple[int, int], str] = field(default_factory=dict)
    signed: set[bool] = field(default_factory=set)
    figures: dict[tuple[int, int, str], float] = field(default_factory=dict)


def judged(folder: Path, engine: Engine, superlink: str | None = None) -> Judged:
    """Run the app and return what its validators and its server decided."""
    outcome = run_app(
        VALIDATED,
        engine=engine,
        folder=RunFolder(folder / engine.value),
        num_clients=NUM_CLIENTS,
        superlink=superlink,
    )
    assert outcome.completed, outcome.reason
    assert outcome.journal is not None
    assert verify(outcome.journal).ok
    found = Judged()
    for record in open_journal(outcome.journal).rounds():
        _read(record, found)
    return found


def _read(record: RoundRecord, found: Judged) -> None:
    """Partition p of the app claims 40 + p examples."""
    partitions = {
        reply.identity: (reply.num_examples or 0) - 40 for reply in record.facts.replies
    }
    committee = record.decision.committee
    assert committee is not None
    assert committee.absentees == ()
    found.statuses.append(record.decision.status)
    for ballot in record.facts.ballots:
        key = record.round, partitions[ballot.identity]
        assert ballot.loss_rise is not None
        found.votes[key] = ballot.vote
        found.signed.add(bool(ballot.signature))
        found.figures[*key, "rise"] = ballot.loss_rise / 1e6
    for facts, decision in zip(record.facts.replies, record.decision.replies, strict=True):
        key = record.round, partitions[facts.identity]
        assert facts.quality is not None
        found.figures[*key, "quality"] = facts.quality
        found.figures[*key, "weight"] = decision.weight
        standing = record.state.standings[facts.identity]
        found.figures[*key, "social"] = standing.scores[3]
        found.figures[*key, "reputation"] = standing.composite


def check(found: Judged) -> None:
    """The poison has no quality, the false vote changes nothing and costs its owner."""
    assert found.statuses == [RoundStatus.ACCEPTED] * 2
    assert set(found.votes) == {(r, p) for r in (1, 2) for p in range(NUM_CLIENTS)}
    assert {p for (_, p), vote in found.votes.items() if vote == "reject"} == {FALSE_WITNESS}
    assert found.signed == {True}
    assert found.figures[1, POISONER, "quality"] == 0.0
    assert found.figures[1, POISONER, "weight"] == 0.0
    assert found.figures[2, FALSE_WITNESS, "social"] < found.figures[2, 0, "social"]


@pytest.mark.slow
@needs_proc
def test_validators_decide_alike_on_three_engines(tmp_path: Path) -> None:
    inprocess = judged(tmp_path, Engine.INPROCESS)
    check(inprocess)
    simulated = judged(tmp_path, Engine.SIMULATION)
    with federation(tmp_path / "federation", clients=NUM_CLIENTS) as address:
        deployed = judged(tmp_path, Engine.DEPLOYMENT, superlink=address)
    for other in (simulated, deployed):
        check(other)
        assert other.votes == inprocess.votes
        assert other.figures == pytest.approx(inprocess.figures, rel=1e-5, abs=1e-5)
    assert marked(str(tmp_path)) == {}
