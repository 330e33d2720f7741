"""The response design's figures (stage A): against a naive twin, by hand, and in a run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from flwr.serverapp.strategy import FedAvg
from numpy.typing import NDArray

import reference_measure
from parity_flwr.app.journal.opening import open_journal, start_journal
from parity_flwr.app.runs.folder import RunFolder
from parity_flwr.app.verification.verify import verify
from parity_flwr.core.canonical import dumps, loads
from parity_flwr.core.config import Design, RobustnessConfig, TrustConfig
from parity_flwr.core.evidence import weigh_evidence
from parity_flwr.core.measure import Figures, NeighbourRule
from parity_flwr.core.ranks import choose_coordinates
from parity_flwr.core.records import ReputationState, RoundFacts
from parity_flwr.core.reputation import standing_of
from parity_flwr.core.response_rule import ResponseRule, rule_for
from parity_flwr.core.rounds import decide
from parity_flwr.core.rows import MatrixRows
from parity_flwr.core.sketch import UpdateSketch
from parity_flwr.strategies import Reputation
from reference_response import Twin
from round_facts import accepted, round_of
from trust_runs import client_app, run

Array = NDArray[np.float64]
SECRET = bytes(range(32))
SMALL = RobustnessConfig(design=Design.RESPONSE, sketch_size=64, ranked_coordinates=30)
NAMES = [f"c{k}" for k in range(9)]


def measure(
    matrix: NDArray[np.generic],
    *,
    names: Sequence[str] = NAMES,
    trust: Array | None = None,
    memory: dict[str, Array] | None = None,
    applied: Array | None = None,
    config: RobustnessConfig = SMALL,
) -> tuple[list[Figures], dict[str, Array]]:
    return ResponseRule(config).measure(
        MatrixRows(np.asarray(matrix, np.float32)),
        identities=names[: len(matrix)],
        trust=np.full(len(matrix), 0.5) if trust is None else trust,
        memory={} if memory is None else memory,
        secret=SECRET,
        applied=applied,
    )


def updates(rng: np.random.Generator, n: int = 9) -> NDArray[np.float32]:
    """One idle, one far away and two that share their noise, among nine."""
    matrix = 0.3 + rng.normal(size=(n, 200))
    matrix[0] *= 0.001
    matrix[1] += 3
    matrix[3] = matrix[2] + 0.3 * rng.normal(size=200)
    return np.asarray(matrix, np.float32)


def test_figures_agree_with_the_naive_twin(rng: np.random.Generator) -> None:
    """Twelve rounds in which one client pauses, one joins late and one has no trust."""
    memory: dict[str, Array] = {}
    twin, trust = Twin(SMALL), rng.uniform(0.2, 0.7, 9)
    trust[8] = 0.0
    told: set[str] = set()
    found: list[Figures] = []
    for round_ in range(12):
        names = [
            n for n in NAMES if not ((n == "c4" and round_ == 4) or (n == "c5" and round_ < 3))
        ]
        rows = [NAMES.index(name) for name in names]
        matrix, applied = updates(rng)[rows], rng.uniform(0, 0.2, 9)[rows]
        applied *= round_ != 5  # nothing moved
        found, memory = measure(
            matrix, names=names, trust=trust[rows], memory=memory, applied=applied
        )
        expected = _expect(twin, matrix, names, trust[rows], applied, found)
        for figures, twins in zip(found, expected, strict=True):
            told |= twins.keys()
            extra = {n: v for n, v in figures.extra.items() if n in twins}
            assert extra == pytest.approx(twins, rel=1e-6, abs=1e-9)
            assert figures.extra.keys() == twins.keys() | {"distance", "coefficient"}
    assert told == {
        *("own", "own_direction", "direction", "authority"),
        *("balance", "common", "share", "response"),
        *("apart", "answered"),
        *("loudness", "growth", "service", "served"),
    }
    assert min(figures.extra["share"] for figures in found) < 0.7  # the two that echo


def _expect(
    twin: Twin,
    matrix: NDArray[np.float32],
    names: Sequence[str],
    trust: Array,
    applied: Array,
    found: Sequence[Figures],
) -> list[dict[str, float]]:
    norms = np.linalg.norm(matrix.astype(np.float64), axis=1)
    working = [bool(each) for each in norms >= 0.2 * np.median(norms)]
    rho = reference_measure.rho(matrix.astype(np.float64), working)
    assert [each.rho for each in found] == pytest.approx(rho, rel=1e-3)
    counted = [r for r, works in zip(rho, working, strict=True) if works]
    median = float(np.median(counted))
    spread = 1.4826 * float(np.median([abs(r - median) for r in counted]))
    scale = max(spread, 0.15 * median)
    near = [np.exp(-1.5 * max(0.0, (r - median) / scale - 2.5)) >= 0.5 for r in rho]
    heard = [w and t > 0 for w, t in zip(working, trust, strict=True)]
    peers = [bool(h and c) for h, c in zip(heard, near, strict=True)]
    columns = matrix[:, choose_coordinates(SECRET, d=200, count=30)]
    balance = reference_measure.rank_balance(columns, peers)
    sketches = UpdateSketch(SECRET, 64).apply(MatrixRows(matrix))
    return twin.play(
        names,
        dict(zip(names, sketches, strict=True)),
        dict(zip(names, balance, strict=True)),
        [name for name, voice in zip(names, heard, strict=True) if voice],
        dict(zip(names, trust.tolist(), strict=True)),
        dict(zip(names, applied.tolist(), strict=True)),
        dict(zip(names, (norms / np.median(norms[working])).tolist(), strict=True)),
    )


def test_four_updates_by_hand() -> None:
    # On a line at 1, 2, 4 and 9; m = 2.
    figures, _ = measure(np.array([[1.0], [2.0], [4.0], [9.0]]))
    assert [f.norm for f in figures] == pytest.approx([1, 2, 4, 9])
    assert [f.rho for f in figures] == pytest.approx([3, 2, 3, 7])
    assert sum(f.extra["coefficient"] for f in figures) == pytest.approx(1)
    assert [f.extra["balance"] for f in figures] == [1, 0, 1, 1]  # 9 is no peer
    assert [f.extra["authority"] for f in figures] == [0.0] * 4  # too one-sided to vote


def test_an_answer_to_the_step_by_hand() -> None:
    # Both move the model by 1/2 each; then a's update shrinks and b's grows.
    memory: dict[str, Array] = {}
    figures: list[Figures] = []
    for a, b in ((4.0, 4.0), (3.0, 5.0), (2.0, 6.0), (1.0, 7.0)):
        figures, memory = measure(
            np.array([[a], [b]]), memory=memory, applied=np.array([0.5, 0.5])
        )
    assert [f.extra["response"] for f in figures] == pytest.approx([-1.0, 1.0])
    assert [f.extra["common"] for f in figures] == pytest.approx([-1.0, -1.0])
    assert [f.extra["answered"] for f in figures] == [0.0, 0.0]  # one of two is no majority
    assert [f.extra["apart"] for f in figures] == [0.0, 0.0]


@pytest.mark.parametrize("n", [1, 2, 3])
def test_few_updates_have_no_centre_and_no_evidence(n: int, rng: np.random.Generator) -> None:
    memory: dict[str, Array] = {}
    figures: list[Figures] = []
    for _ in range(5):
        figures, memory = measure(rng.normal(size=(n, 40)), memory=memory)
    assert all("distance" not in f.extra and f.deviation == 0 for f in figures)
    facts = [accepted(norm=f.norm, rho=f.rho, figures=f.extra) for f in figures]
    assert {(e.penalty, e.soundness, e.share) for e in weigh_evidence(facts, SMALL)} == {
        (1.0, 1.0, 1.0)
    }


def test_first_round_accuses_nobody_of_distance(rng: np.random.Generator) -> None:
    matrix = updates(rng)
    figures, _ = measure(matrix)
    facts = [accepted(norm=f.norm, rho=f.rho, figures=f.extra) for f in figures]
    evidence = weigh_evidence(facts, SMALL)
    assert [e.soundness for e in evidence[2:]] == [1.0] * 7
    assert evidence[0].soundness == 0.0  # idle
    assert not {"own", "direction", "common", "response"} & figures[1].extra.keys()


def test_without_memory_there_are_distances_only(rng: np.random.Generator) -> None:
    bare = RobustnessConfig(design=Design.RESPONSE, sketch_size=0)
    figures, memory = measure(updates(rng), config=bare, memory={"x": np.ones(3)})
    assert all(f.extra.keys() == {"distance", "coefficient"} for f in figures)
    assert list(memory) == ["x"]


def test_another_sketch_size_starts_anew(rng: np.random.Generator) -> None:
    _, memory = measure(updates(rng))
    other = RobustnessConfig(design=Design.RESPONSE, sketch_size=32, ranked_coordinates=30)
    figures, after = measure(updates(rng), memory=memory, config=other)
    fresh, again = measure(updates(np.random.default_rng(1)), config=other)
    assert {v.size for n, v in after.items() if n} == {v.size for n, v in again.items() if n}
    assert figures[0].extra.keys() == fresh[0].extra.keys()


def test_figures_move_with_their_updates(rng: np.random.Generator) -> None:
    trust, applied = rng.uniform(0.2, 0.8, 9), rng.uniform(0, 0.2, 9)
    here: dict[str, Array] = {}
    there: dict[str, Array] = {}
    for _ in range(6):
        matrix, order = updates(rng), rng.permutation(9)
        one, here = measure(matrix, trust=trust, memory=here, applied=applied)
        two, there = measure(
            matrix[order],
            names=[NAMES[k] for k in order],
            trust=trust[order],
            memory=there,
            applied=applied[order],
        )
        for row, k in enumerate(order):
            assert two[row].extra == pytest.approx(dict(one[k].extra), rel=1e-4, abs=1e-6)


def test_the_design_chooses_the_rule() -> None:
    near = RobustnessConfig(design=Design.NEIGHBOUR)
    assert isinstance(rule_for(near), NeighbourRule)
    assert isinstance(rule_for(RobustnessConfig()), ResponseRule)
    chosen = Reputation(FedAvg(), config=TrustConfig(robustness=near), journal=None)
    assert isinstance(chosen.rule, NeighbourRule)
    assert isinstance(Reputation(FedAvg(), journal=None).rule, ResponseRule)


def test_replay_from_canonical_json_gives_the_same_bits(rng: np.random.Generator) -> None:
    config = TrustConfig(robustness=SMALL)
    state, memory = ReputationState(), dict[str, Array]()
    for number in range(1, 9):
        known = [standing_of(state, name, config.reputation) for name in NAMES]
        applied = np.array([each.applied for each in known])
        figures, memory = measure(updates(rng), memory=memory, applied=applied)
        replies = [
            accepted(n, norm=f.norm, rho=f.rho, deviation=f.deviation, figures=f.extra)
            for n, f in zip(NAMES, figures, strict=True)
        ]
        facts = round_of(*replies, number=number)
        again = loads(dumps(facts), RoundFacts)
        before = loads(dumps(state), ReputationState)
        state, decision = decide(state, facts, config)
        assert dumps(decide(before, again, config)) == dumps((state, decision))
        weights = {each.identity: each.weight for each in decision.replies}
        assert {n: s.applied for n, s in state.standings.items()} == weights
        assert sum(weights.values()) == pytest.approx(1)


@pytest.mark.parametrize("keep", [False, True])
def test_a_run_verifies(tmp_path: Path, keep: bool) -> None:
    folder = RunFolder.create(tmp_path)
    config = TrustConfig(robustness=RobustnessConfig(design=Design.RESPONSE, sketch_size=64))
    journal = start_journal(folder, keep_updates=keep)
    strategy = Reputation(FedAvg(fraction_evaluate=0.0), config=config, seed=3, journal=journal)
    run(strategy, app=client_app(), clients=6, rounds=5)
    outcome = verify(folder, updates=folder.updates if keep else None)
    assert outcome.ok, outcome.lines
    last = open_journal(folder).rounds()[-1]
    assert {"response", "common", "distance"} <= last.facts.replies[0].figures.keys()
    assert sum(s.applied for s in last.state.standings.values()) == pytest.approx(1)
