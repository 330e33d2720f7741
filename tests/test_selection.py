"""Selection in proportion to reputation (Algorithm 1)."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import reference
from parity_flwr.core.selection import select
from parity_flwr.errors import ConfigError

NAMES = ["a", "b", "c", "d"]
reputations = st.dictionaries(st.text(max_size=5), st.floats(0, 1000), max_size=8)


def frequencies(worth: list[float], size: int, floor: float, draws: int) -> list[float]:
    rng = np.random.default_rng(11)
    names = NAMES[: len(worth)]
    seen = [select(names, worth, size=size, floor=floor, rng=rng) for _ in range(draws)]
    return [sum(name in each for each in seen) / draws for name in names]


def test_the_twin_by_hand() -> None:
    assert reference.selection_chances([3.0, 1.0], 1) == [0.75, 0.25]
    # first 2/4, 1/4, 1/4; then from the rest: P(a) = 1/2 + 2 * 1/4 * 2/3
    assert reference.selection_chances([2.0, 1.0, 1.0], 2)[0] == pytest.approx(5 / 6)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_chances_are_those_of_successive_sampling(size: int) -> None:
    worth, draws = [800.0, 500.0, 200.0, 50.0], 20_000
    expected = reference.selection_chances(worth, size)
    for seen, chance in zip(frequencies(worth, size, 0.0, draws), expected, strict=True):
        assert abs(seen - chance) < 4 * math.sqrt(chance * (1 - chance) / draws)


def test_the_floor_keeps_the_worthless_selectable() -> None:
    chance = frequencies([900.0, 0.0], 1, floor=100.0, draws=20_000)[1]
    assert chance == pytest.approx(0.1, abs=0.01)


def test_without_a_floor_the_worthless_only_fill_up() -> None:
    rng = np.random.default_rng(0)
    worth = [0.0, 5.0, 0.0, 1.0]
    for _ in range(50):
        assert select(NAMES, worth, size=2, floor=0.0, rng=rng) == ["b", "d"]
    fillers = {tuple(select(NAMES, worth, size=3, floor=0, rng=rng)) for _ in range(50)}
    assert fillers == {("a", "b", "d"), ("b", "c", "d")}


@given(reputations, st.data(), st.integers(0, 2**32 - 1))
def test_a_sorted_sample_that_ignores_the_order_of_the_input(
    worth: dict[str, float], data: st.DataObject, seed: int
) -> None:
    size = data.draw(st.integers(0, len(worth)))
    names = data.draw(st.permutations(sorted(worth)))

    def draw(order: list[str]) -> list[str]:
        rng = np.random.default_rng(seed)
        return select(order, [worth[k] for k in order], size=size, floor=1.0, rng=rng)

    chosen = draw(list(names))
    assert chosen == sorted(chosen)
    assert len(set(chosen)) == size
    assert set(chosen) <= set(worth)
    assert draw(sorted(worth)) == chosen


def test_everybody_when_all_are_wanted() -> None:
    rng = np.random.default_rng(0)
    assert select(NAMES[::-1], [0.0, 1.0, 2.0, 3.0], size=4, floor=0.0, rng=rng) == NAMES


@pytest.mark.parametrize(
    ("names", "worth", "size", "floor"),
    [
        (["a", "a"], [1.0, 1.0], 1, 0.0),
        (["a", "b"], [1.0], 1, 0.0),
        (["a", "b"], [1.0, math.nan], 1, 0.0),
        (["a", "b"], [1.0, -1.0], 1, 0.0),
        (["a", "b"], [1.0, math.inf], 1, 0.0),
        (["a", "b"], [1.0, 1.0], 3, 0.0),
        (["a", "b"], [1.0, 1.0], -1, 0.0),
        (["a", "b"], [1.0, 1.0], 1, -1.0),
        (["a", "b"], [1.0, 1.0], 1, math.nan),
    ],
)
def test_impossible_draws_are_refused(
    names: list[str], worth: list[float], size: int, floor: float
) -> None:
    with pytest.raises(ConfigError, match="selection needs"):
        select(names, worth, size=size, floor=floor, rng=np.random.default_rng(0))
