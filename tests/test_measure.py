"""The neighbour rule: figures on one round's updates."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

import reference_measure
from parity_flwr.core.config import Design, RobustnessConfig
from parity_flwr.core.evidence import BALANCE, DIRECTION, MEMORY, weigh_evidence
from parity_flwr.core.measure import Figures, NeighbourRule
from parity_flwr.core.ranks import choose_coordinates
from parity_flwr.core.records import ReplyFacts
from parity_flwr.core.rows import MatrixRows
from parity_flwr.core.sketch import UpdateSketch
from reference_measure import Past
from round_facts import accepted

Array = NDArray[np.float64]
SECRET = bytes(range(32))
SMALL = RobustnessConfig(design=Design.NEIGHBOUR, sketch_size=64, ranked_coordinates=30)


def measure(
    matrix: NDArray[np.generic],
    *,
    names: Sequence[str] | None = None,
    trust: Array | None = None,
    memory: dict[str, Array] | None = None,
    config: RobustnessConfig = SMALL,
) -> tuple[list[Figures], dict[str, Array]]:
    n = len(matrix)
    return NeighbourRule(config).measure(
        MatrixRows(matrix.astype(np.float32)),
        identities=[f"c{k}" for k in range(n)] if names is None else names,
        trust=np.full(n, 0.5) if trust is None else trust,
        memory={} if memory is None else memory,
        secret=SECRET,
    )


def last_of(
    rounds: Iterable[NDArray[np.generic]], *, config: RobustnessConfig = SMALL
) -> tuple[list[Figures], dict[str, Array]]:
    """Measure some rounds of the same clients; return the last one's figures and memory."""
    figures: list[Figures] = []
    memory: dict[str, Array] = {}
    for matrix in rounds:
        figures, memory = measure(matrix, memory=memory, config=config)
    return figures, memory


def updates(rng: np.random.Generator, n: int = 9, d: int = 200) -> NDArray[np.float32]:
    return (0.3 + rng.normal(size=(n, d))).astype(np.float32)


def table(figures: Sequence[Figures]) -> list[dict[str, float]]:
    return [
        {"norm": f.norm, "rho": f.rho, "deviation": f.deviation, **f.extra} for f in figures
    ]


def assert_same(found: Sequence[Figures], expected: Sequence[Figures]) -> None:
    for one, other in zip(table(found), table(expected), strict=True):
        assert one == pytest.approx(other, rel=1e-3, abs=1e-4)


def test_four_updates_by_hand() -> None:
    # On a line at 1, 2, 4 and 9; m = 2. A geometric median of four lies anywhere between the
    # middle two, so the deviations are checked against the twin below.
    figures, _ = measure(np.array([[1.0], [2.0], [4.0], [9.0]]))
    assert [f.norm for f in figures] == pytest.approx([1, 2, 4, 9])
    assert [f.rho for f in figures] == pytest.approx([3, 2, 3, 7])
    assert all(f.extra == {} for f in figures)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_few_updates_have_distances_and_no_deviation(n: int) -> None:
    figures, memory = measure(3.0 * np.eye(n, 5))
    expected = 0.0 if n == 1 else 3 * 2**0.5
    assert [f.rho for f in figures] == pytest.approx([expected] * n)
    assert [f.norm for f in figures] == pytest.approx([3] * n)
    assert [f.deviation for f in figures] == [0.0] * n
    assert len(memory) == n + 1


def test_figures_agree_with_the_naive_twin(rng: np.random.Generator) -> None:
    """Six rounds, nine clients of whom one is idle, one untrusted and one far away."""
    memory: dict[str, Array] = {}
    pasts: dict[str, list[Past]] = {}
    figures: list[Figures] = []
    top, trust = 0.0, rng.uniform(0.3, 0.7, 9)
    trust[8] = 0.0
    names = [f"c{k}" for k in range(9)]
    for round_ in range(6):
        matrix = updates(rng)
        matrix[0] *= 0.001
        matrix[1] += 2 * (-1.0) ** round_
        if round_ == 4:
            names[2] = "late"
        figures, memory = measure(matrix, names=names, trust=trust, memory=memory)
        top = _expect(figures, matrix, names, trust, pasts, top)
    assert sum(MEMORY in f.extra for f in figures) == 8  # all but the late one


def _expect(
    figures: Sequence[Figures],
    matrix: NDArray[np.float32],
    names: Sequence[str],
    trust: Array,
    pasts: dict[str, list[Past]],
    top: float,
) -> float:
    exact = matrix.astype(np.float64)
    norms = np.sqrt((exact**2).sum(axis=1))
    working = [bool(w) for w in norms >= 0.1 * np.median(norms)]
    assert working == [False, *[True] * 8]
    rho = reference_measure.rho(exact, working)
    assert [f.norm for f in figures] == pytest.approx(norms.tolist(), rel=1e-5)
    assert [f.rho for f in figures] == pytest.approx(rho, rel=1e-3)

    facts = [accepted(norm=f.norm, rho=f.rho, figures=f.extra) for f in figures]
    bare = [accepted(norm=f.norm, rho=f.rho) for f in figures]
    near = [each.penalty >= 0.5 for each in weigh_evidence(bare, SMALL)]
    sound = np.array([each.soundness for each in weigh_evidence(facts, SMALL)])
    spreads, floor = SMALL.deviation_spreads, SMALL.deviation_floor
    deviation = reference_measure.deviation(
        exact, trust * sound, working, spreads=spreads, floor=floor
    )
    assert [f.deviation for f in figures] == pytest.approx(deviation, abs=1e-3)

    sketches = UpdateSketch(SECRET, 64).apply(MatrixRows(matrix))
    columns = matrix[:, choose_coordinates(SECRET, d=matrix.shape[1], count=30)]
    voices = [w and t > 0 for w, t in zip(working, trust, strict=True)]
    peers = [v and n for v, n in zip(voices, near, strict=True)]
    balance = reference_measure.rank_balance(columns, peers)
    agreed = reference_measure.agreement(list(sketches[voices]))
    top = max(top, agreed)
    for k, name in enumerate(names):
        past = Past(sketches[k], balance[k], agreed / top if top > 0 else 0.0)
        pasts.setdefault(name, []).append(past)
    _expect_memory(figures, names, trust, working, pasts)
    return top


def _expect_memory(
    figures: Sequence[Figures],
    names: Sequence[str],
    trust: Array,
    working: Sequence[bool],
    pasts: dict[str, list[Past]],
) -> None:
    known = [k for k, name in enumerate(names) if len(pasts[name]) >= SMALL.sketch_rounds]
    assert [k for k, f in enumerate(figures) if f.extra] == known
    if not known:
        return
    decay = SMALL.sketch_decay
    means = [reference_measure.mean_of(pasts[names[k]], decay) for k in known]
    middle = statistics.median(means[row][1] for row, k in enumerate(known) if working[k])
    directions = [reference_measure.direction_of(pasts[names[k]], decay) for k in known]
    rho = reference_measure.rho(np.array([m for m, _ in means]), [working[k] for k in known])
    direction = reference_measure.support(directions, trust[known].tolist())
    for row, k in enumerate(known):
        assert figures[k].extra == pytest.approx(
            {MEMORY: rho[row], DIRECTION: direction[row], BALANCE: abs(means[row][1] - middle)},
            rel=1e-6,
            abs=1e-9,
        )


def test_figures_move_with_their_updates(rng: np.random.Generator) -> None:
    names, trust = [f"c{k}" for k in range(9)], rng.uniform(0.2, 0.8, 9)
    memory: dict[str, Array] = {}
    for _ in range(3):
        _, memory = measure(updates(rng), names=names, trust=trust, memory=memory)
    matrix, order = updates(rng), rng.permutation(9)
    straight, after = measure(matrix, names=names, trust=trust, memory=memory)
    mixed, mixed_after = measure(
        matrix[order], names=[names[k] for k in order], trust=trust[order], memory=memory
    )
    assert_same(mixed, [straight[k] for k in order])
    for name in (*names, ""):
        assert mixed_after[name] == pytest.approx(after[name], rel=1e-9, abs=1e-12)


def test_distances_do_not_move_with_the_origin(rng: np.random.Generator) -> None:
    matrix, shift = updates(rng), 5 * rng.normal(size=200)
    here, _ = measure(matrix)
    there, _ = measure(matrix + shift)
    for one, other in zip(here, there, strict=True):
        assert one.rho == pytest.approx(other.rho, rel=1e-3)
        assert one.deviation == pytest.approx(other.deviation, abs=1e-3)


def test_distances_grow_with_the_updates(rng: np.random.Generator) -> None:
    matrix = updates(rng)
    small, _ = measure(matrix)
    large, _ = measure(matrix * 2**20)
    for one, other in zip(small, large, strict=True):
        assert other.rho == pytest.approx(one.rho * 2**20)
        assert other.deviation == pytest.approx(one.deviation, abs=1e-6)


def test_memory_can_be_switched_off(rng: np.random.Generator) -> None:
    off = RobustnessConfig(design=Design.NEIGHBOUR, sketch_size=0)
    figures, memory = last_of((updates(rng) for _ in range(5)), config=off)
    assert memory == {}
    assert all(f.extra == {} for f in figures)


def test_a_memory_from_before_it_was_switched_off_is_kept_and_unused(
    rng: np.random.Generator,
) -> None:
    _, memory = last_of(updates(rng) for _ in range(4))
    figures, after = measure(
        updates(rng),
        memory=memory,
        config=RobustnessConfig(design=Design.NEIGHBOUR, sketch_size=0),
    )
    assert after == memory
    assert all(f.extra == {} for f in figures)


def test_another_sketch_size_starts_the_memory_anew(rng: np.random.Generator) -> None:
    _, memory = last_of(updates(rng) for _ in range(4))
    figures, after = measure(
        updates(rng),
        memory=memory,
        config=RobustnessConfig(design=Design.NEIGHBOUR, sketch_size=32),
    )
    assert all(f.extra == {} for f in figures)
    assert after["c0"].shape == (66,)


def test_memory_speaks_from_the_third_update_on(rng: np.random.Generator) -> None:
    memory: dict[str, Array] = {}
    for round_ in range(1, 5):
        figures, memory = measure(updates(rng), memory=memory)
        assert all(bool(f.extra) is (round_ >= 3) for f in figures)


def test_the_memory_given_is_not_changed(rng: np.random.Generator) -> None:
    _, memory = measure(updates(rng))
    copies = {name: entry.copy() for name, entry in memory.items()}
    measure(updates(rng), memory=memory)
    assert all((memory[name] == copy).all() for name, copy in copies.items())


def test_no_ranked_coordinates_are_balanced(rng: np.random.Generator) -> None:
    config = RobustnessConfig(design=Design.NEIGHBOUR, sketch_size=32, ranked_coordinates=0)
    figures, _ = last_of((updates(rng) for _ in range(3)), config=config)
    assert [f.extra[BALANCE] for f in figures] == [0.0] * 9


def test_updates_that_are_all_the_same_are_far_from_nobody() -> None:
    figures, _ = last_of([np.ones((5, 20))] * 4)
    assert [(f.rho, f.deviation) for f in figures] == [(0.0, 0.0)] * 5
    assert [each.penalty for each in weigh_evidence(_facts(figures), SMALL)] == [1.0] * 5


def test_a_converged_model_gives_zeros() -> None:
    figures, _ = last_of([np.zeros((5, 20))] * 4)
    assert all(value == 0.0 for each in table(figures) for value in each.values())
    assert [each.penalty for each in weigh_evidence(_facts(figures), SMALL)] == [1.0] * 5


def test_far_rows_do_not_make_the_near_ones_one_sided(rng: np.random.Generator) -> None:
    matrices = [updates(rng, n=10) for _ in range(4)]
    for matrix in matrices:
        matrix[:4] = 1000.0
    figures, _ = last_of(matrices)
    assert all(f.extra[BALANCE] < 0.2 for f in figures[4:])
    assert all(f.extra[BALANCE] > 0.8 for f in figures[:4])


def test_a_hidden_minority_does_not_make_the_others_one_sided(
    rng: np.random.Generator,
) -> None:
    matrices = [updates(rng, n=10, d=2000) for _ in range(4)]
    for matrix in matrices:
        matrix[:4] = matrix[4:].mean(axis=0) - 1.5 * matrix[4:].std(axis=0)
    figures, _ = last_of(matrices)
    assert all(f.extra[BALANCE] < 0.2 for f in figures[4:])
    assert all(f.extra[BALANCE] > 0.4 for f in figures[:4])


def _facts(figures: Sequence[Figures]) -> list[ReplyFacts]:
    return [accepted(norm=f.norm, rho=f.rho, figures=f.extra) for f in figures]
