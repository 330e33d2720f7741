"""One app, three engines, the same decisions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from federations import completed_on_three_engines
from parity_flwr.app.engines.engine import Engine
from parity_flwr.app.journal import open_journal
from parity_flwr.app.runs.folder import RunFolder
from parity_flwr.core.records import Verdict
from process_tree import needs_proc

NUM_CLIENTS = 5


@dataclass(frozen=True)
class Decided:
    """What was decided, by (round, partition)."""

    verdicts: dict[tuple[int, int], tuple[Verdict, bool]]  # and whether it is excluded
    figures: dict[tuple[int, int, str], float]  # weights and composite reputations


def decided(folder: RunFolder) -> Decided:
    """Read what was decided; partition p of the app claims 40 + p examples."""
    found = Decided({}, {})
    for one in open_journal(folder).rounds():
        for facts, decision in zip(one.facts.replies, one.decision.replies, strict=True):
            assert facts.num_examples is not None
            key = one.round, facts.num_examples - 40
            found.verdicts[key] = facts.verdict, decision.excluded
            found.figures[*key, "weight"] = decision.weight
            found.figures[*key, "reputation"] = one.state.standings[facts.identity].composite
    return found


@pytest.mark.slow
@needs_proc
def test_three_engines_decide_alike(tmp_path: Path) -> None:
    folders = completed_on_three_engines("judged", tmp_path, clients=NUM_CLIENTS)
    found = {engine: decided(folder) for engine, folder in folders.items()}
    inprocess = found.pop(Engine.INPROCESS)
    assert set(inprocess.verdicts) == {(r, p) for r in (1, 2) for p in range(NUM_CLIENTS)}
    assert inprocess.figures[2, 1, "weight"] < 0.05  # the liar; an equal share is 0.2
    for other in found.values():
        assert other.verdicts == inprocess.verdicts
        assert other.figures == pytest.approx(inprocess.figures, rel=1e-6, abs=1e-6)


def hashes(folder: RunFolder) -> list[str]:
    """Return the model's hash after each round, in which everybody was heard."""
    rounds = open_journal(folder).rounds()
    verdicts = {fact.verdict for one in rounds for fact in one.facts.replies}
    assert verdicts == {Verdict.ACCEPTED}
    assert all(one.note == "" for one in rounds)
    return [one.model_hash for one in rounds]


@pytest.mark.slow
@needs_proc
def test_secure_sums_are_bit_equal_on_three_engines(tmp_path: Path) -> None:
    """Integer sums do not depend on the order, nor masks on the engine."""
    found = completed_on_three_engines("masked", tmp_path, clients=NUM_CLIENTS)
    inprocess = hashes(found[Engine.INPROCESS])
    assert len(set(inprocess)) == 2
    assert all(hashes(each) == inprocess for each in found.values())
