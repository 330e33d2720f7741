"""One app, three engines, the same decisions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from federations import federation
from parity_flwr.app.engines.engine import Engine, run_app
from parity_flwr.app.journal import open_journal
from parity_flwr.app.runs.folder import RunFolder
from parity_flwr.core.records import Verdict
from process_tree import marked, needs_proc

JUDGED = Path(__file__).parent / "apps" / "judged"
MASKED = Path(__file__).parent / "apps" / "masked"
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


def judged(folder: Path, engine: Engine, superlink: str | None = None) -> Decided:
    """Run the app and return what was decided."""
    outcome = run_app(
        JUDGED,
        engine=engine,
        folder=RunFolder(folder / engine.value),
        num_clients=NUM_CLIENTS,
        superlink=superlink,
    )
    assert outcome.completed, outcome.reason
    assert outcome.journal is not None
    return decided(outcome.journal)


@pytest.mark.slow
@needs_proc
def test_three_engines_decide_alike(tmp_path: Path) -> None:
    inprocess = judged(tmp_path, Engine.INPROCESS)
    assert set(inprocess.verdicts) == {(r, p) for r in (1, 2) for p in range(NUM_CLIENTS)}
    assert inprocess.figures[2, 1, "weight"] < 0.05  # the liar; an equal share is 0.2
    simulated = judged(tmp_path, Engine.SIMULATION)
    with federation(tmp_path / "federation", clients=NUM_CLIENTS) as address:
        deployed = judged(tmp_path, Engine.DEPLOYMENT, superlink=address)
    assert simulated.verdicts == deployed.verdicts == inprocess.verdicts
    assert simulated.figures == pytest.approx(inprocess.figures, rel=1e-6, abs=1e-6)
    assert deployed.figures == pytest.approx(inprocess.figures, rel=1e-6, abs=1e-6)
    assert marked(str(tmp_path)) == {}


def masked(folder: Path, engine: Engine, superlink: str | None = None) -> list[str]:
    """Run the app whose clients mask; return the model's hash after each round."""
    outcome = run_app(
        MASKED,
        engine=engine,
        folder=RunFolder(folder / engine.value),
        num_clients=NUM_CLIENTS,
        superlink=superlink,
    )
    assert outcome.completed, outcome.reason
    assert outcome.journal is not None
    rounds = open_journal(outcome.journal).rounds()
    verdicts = {fact.verdict for one in rounds for fact in one.facts.replies}
    assert verdicts == {Verdict.ACCEPTED}
    assert all(one.note == "" for one in rounds)
    return [one.model_hash for one in rounds]


@pytest.mark.slow
@needs_proc
def test_secure_sums_are_bit_equal_on_three_engines(tmp_path: Path) -> None:
    """Integer sums do not depend on the order, nor masks on the engine."""
    inprocess = masked(tmp_path, Engine.INPROCESS)
    assert len(set(inprocess)) == 2
    assert masked(tmp_path, Engine.SIMULATION) == inprocess
    with federation(tmp_path / "federation", clients=NUM_CLIENTS) as address:
        assert masked(tmp_path, Engine.DEPLOYMENT, superlink=address) == inprocess
    assert marked(str(tmp_path)) == {}
