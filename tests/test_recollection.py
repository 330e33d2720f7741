"""What is remembered of each client's updates."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import reference_measure
from parity_flwr.core.recollection import (
    cosine_matrix,
    mutual_agreement,
    recalled,
    recollect,
    support,
)
from reference_measure import Past

Array = NDArray[np.float64]
SIZE = 6


def remember(
    memory: dict[str, Array],
    names: str,
    sketches: Array,
    *,
    balance: Array | None = None,
    decay: float = 0.9,
    voices: NDArray[np.bool_] | None = None,
) -> dict[str, Array]:
    n = len(names)
    return recollect(
        memory,
        list(names),
        sketches=sketches,
        balance=np.zeros(n) if balance is None else balance,
        voices=np.ones(n, bool) if voices is None else voices,
        decay=decay,
    )


def test_two_updates_by_hand() -> None:
    alike = np.tile([2.0, 0.0], (4, 1))  # agreement 1, the strongest so far: kappa 1
    memory = remember({}, "abcd", alike, balance=np.full(4, 0.5), decay=0.5)
    assert memory["a"].tolist() == [1.0, 0.0, 2.0, 0.0, 0.5, 1.0]
    # T + (1 - 0.5)(5 - 1) = 3; S = (5 + 0.5 * 2)/1.5 = 4; (-1 + 0.5 * 0.5)/1.5 = -0.5
    memory = remember(
        memory, "abcd", np.tile([5.0, 0.0], (4, 1)), balance=np.full(4, -1.0), decay=0.5
    )
    assert memory["a"] == pytest.approx(np.array([3.0, 0.0, 4.0, 0.0, -0.5, 2.0]))
    assert memory[""].tolist() == [1.0]


@pytest.mark.parametrize("decay", [0.0, 0.5, 0.9, 1.0])
def test_memory_agrees_with_the_naive_twin(decay: float, rng: np.random.Generator) -> None:
    memory: dict[str, Array] = {}
    pasts: dict[str, list[Past]] = {name: [] for name in "abcdefg"}
    top, common = 0.0, rng.normal(size=SIZE)
    for round_ in range(12):
        names = "".join(sorted(rng.choice(list("abcdefg"), size=5, replace=False)))
        sketches = rng.normal(size=(5, SIZE)) + (12 - round_) / 4 * common
        balance, voices = rng.uniform(-1, 1, 5), rng.random(5) < 0.9
        memory = remember(memory, names, sketches, balance=balance, decay=decay, voices=voices)
        agreed = reference_measure.agreement(list(sketches[voices]))
        top = max(top, agreed)
        for k, name in enumerate(names):
            kappa = agreed / top if top > 0 else 0.0
            pasts[name].append(Past(sketches[k], float(balance[k]), kappa))
    for name, past in pasts.items():
        mean, one_sided = reference_measure.mean_of(past, decay)
        direction = reference_measure.direction_of(past, decay)
        expected = [*direction, *mean, one_sided, len(past)]
        assert memory[name].tolist() == pytest.approx(expected)


def test_round_one_is_remembered_whole() -> None:
    sketches = np.arange(8.0).reshape(4, 2)
    _, past = recalled(remember({}, "abcd", sketches), list("abcd"), rounds=1)
    assert past.means.tolist() == sketches.tolist()


def test_a_round_without_agreement_leaves_the_direction_and_moves_the_mean() -> None:
    first = remember({}, "abcd", np.ones((4, 4)))
    second = remember(first, "abcd", np.eye(4))  # all cosines 0: kappa 0
    assert second["a"][:4].tolist() == first["a"][:4].tolist()
    assert second["a"][4:8].tolist() != first["a"][4:8].tolist()


def test_the_strongest_agreement_so_far_is_the_measure(rng: np.random.Generator) -> None:
    loose = np.eye(4) + 0.5
    alone = remember({}, "abcd", loose, decay=0.5)
    after = remember(remember({}, "abcd", np.ones((4, 4)), decay=0.5), "efgh", loose, decay=0.5)
    assert alone["a"][:4] == pytest.approx(0.5 * loose[0])  # kappa 1: nothing better was seen
    kappa = mutual_agreement(loose)
    assert 0 < kappa < 1
    assert after["e"][:4] == pytest.approx(0.5 * kappa * loose[0])


def test_only_voices_make_the_agreement() -> None:
    voices = np.array([True] * 4 + [False] * 3)
    sketches = np.vstack([np.ones((4, 3)), -np.ones((3, 3))])
    assert remember({}, "abcdefg", sketches, voices=voices)[""].tolist() == [1.0]
    assert remember({}, "abcdefg", sketches, voices=~voices)[""].tolist() == [0.0]  # too few


def test_a_plain_mean_has_no_direction() -> None:
    memory = remember({}, "abcd", np.ones((4, 2)), decay=1.0)
    memory = remember(memory, "abcd", np.full((4, 2), 4.0), decay=1.0)
    assert memory["a"].tolist() == [0, 0, 2.5, 2.5, 0, 2]


def test_the_memory_given_is_not_changed(rng: np.random.Generator) -> None:
    before = remember({}, "abcd", rng.normal(size=(4, 3)))
    copy = {name: entry.copy() for name, entry in before.items()}
    remember(before, "abxy", rng.normal(size=(4, 3)))
    assert {name: entry.tolist() for name, entry in before.items()} == {
        name: entry.tolist() for name, entry in copy.items()
    }


def test_who_was_not_selected_keeps_what_is_known() -> None:
    before = remember({}, "abcd", np.ones((4, 3)))
    after = remember(before, "bcde", np.ones((4, 3)))
    assert after["a"].tolist() == before["a"].tolist()
    assert (after["b"][-1], after["e"][-1]) == (2, 1)


def test_another_sketch_size_starts_anew() -> None:
    before = remember({}, "abcd", np.ones((4, 3)))
    after = remember(before, "abcd", np.ones((4, 5)))
    assert after["a"].shape == (12,)
    assert after["a"][-1] == 1


def test_memory_counts_from_so_many_updates_on() -> None:
    memory = remember({}, "abcd", np.ones((4, 3)))
    memory = remember(memory, "abce", 2 * np.ones((4, 3)), balance=np.full(4, -1.0))
    known, past = recalled(memory, list("adebx"), rounds=2)
    assert known.tolist() == [True, False, False, True, False]
    assert past.means.shape == past.directions.shape == (2, 3)
    assert (past.balance < -0.5).all()
    nobody, empty = recalled(memory, list("xy"), rounds=1)
    assert not nobody.any()
    assert empty.balance.shape == (0,)


def test_nobody_is_known_to_nobody() -> None:
    known, past = recalled({}, [], rounds=1)
    assert (known.dtype, known.shape, past.means.shape) == (np.dtype(bool), (0,), (0, 0))


@pytest.mark.parametrize("n", [0, 1, 3])
def test_few_voices_agree_by_chance(n: int) -> None:
    assert mutual_agreement(np.ones((n, 2))) == 0.0


@given(st.integers(4, 8), st.integers(1, 5), st.integers(0, 10))
def test_agreement_agrees_with_the_naive_twin(n: int, size: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(n, size)) + rng.normal(size=size)
    vectors[rng.random(n) < 0.1] = 0
    assert mutual_agreement(vectors) == pytest.approx(
        reference_measure.agreement(list(vectors)), abs=1e-12
    )


def test_three_opposed_of_ten_do_not_break_the_agreement() -> None:
    vectors = np.ones((10, 4))
    vectors[:3] = -100
    assert mutual_agreement(vectors) == 1.0


def test_cosines_by_hand() -> None:
    vectors = np.array([[1.0, 0.0], [3.0, 3.0], [0.0, 0.0]])
    half = 0.5**0.5
    expected = [[1, half, 0], [half, 1, 0], [0, 0, 0]]
    assert cosine_matrix(vectors) == pytest.approx(np.array(expected))


@given(st.integers(1, 8), st.integers(1, 5), st.integers(0, 20))
def test_support_agrees_with_the_naive_twin(n: int, size: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    directions, trust = rng.normal(size=(n, size)), rng.random(n) * (rng.random(n) < 0.8)
    found = support(directions, trust)
    expected = reference_measure.support(list(directions), trust.tolist())
    assert found.tolist() == pytest.approx(expected, abs=1e-6)
    assert (np.abs(found) <= 1).all()


def test_a_loud_direction_has_no_louder_say(rng: np.random.Generator) -> None:
    directions, loud = rng.normal(size=(5, 4)), np.array([1.0, 1e6, 1.0, 1e-6, 1.0])
    quiet = support(directions, np.ones(5))
    assert support(directions * loud[:, None], np.ones(5)) == pytest.approx(quiet)


def test_who_is_not_trusted_supports_nobody() -> None:
    directions = np.array([[1.0, 0.0], [1.0, 0.0], [-1.0, 0.0], [-1.0, 0.0], [-1.0, 0.0]])
    assert support(directions, np.array([1.0, 1, 0, 0, 0])).tolist() == [1, 1, -1, -1, -1]
    assert support(directions, np.zeros(5)).tolist() == [0] * 5


def test_others_that_cancel_support_nothing() -> None:
    directions = np.array([[1.0, 2.0], [-1.0, -2.0], [3.0, 0.3]])
    assert support(directions, np.ones(3))[2] == pytest.approx(0, abs=1e-6)
