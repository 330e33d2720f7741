"""How one-sided a client's numbers are among its peers'."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import reference_measure
from parity_flwr.core.ranks import choose_coordinates, rank_balance

SEED = bytes(range(32))

Columns = NDArray[np.float32]


@st.composite
def columns_with_ties(draw: st.DrawFn) -> Columns:
    n, c = draw(st.integers(0, 7)), draw(st.integers(0, 5))
    values = draw(st.lists(st.integers(-2, 2), min_size=n * c, max_size=n * c))
    return np.array(values, np.float32).reshape(n, c)


def peers_of(columns: Columns, data: st.DataObject) -> NDArray[np.bool_]:
    n = len(columns)
    return np.array(data.draw(st.lists(st.booleans(), min_size=n, max_size=n)), bool)


def test_ranks_by_hand() -> None:
    columns = np.array([[1, 5, 9, 0], [2, 5, 8, 0], [2, 4, 7, 0]], np.float32)
    # Below less above: (-2, 1, 1), (1, 1, -2), (2, 0, -2); the last column says nothing.
    assert rank_balance(columns) == pytest.approx([1 / 6, 2 / 6, -3 / 6])


def test_outsiders_are_ranked_and_rank_nobody() -> None:
    columns = np.array([[1.0], [2.0], [3.0], [9.0]], np.float32)
    among = np.array([True, True, True, False])
    assert rank_balance(columns, among=among).tolist() == [-1, 0, 1, 1]
    assert rank_balance(columns, among=~among).tolist() == [0, 0, 0, 0]  # one peer: not live


def test_a_column_in_which_only_an_outsider_differs_says_nothing() -> None:
    columns = np.array([[1, 7], [2, 7], [3, 7], [0, 8]], np.float32)
    among = np.array([True, True, True, False])
    assert rank_balance(columns, among=among).tolist() == [-1, 0, 1, -1]


@given(columns_with_ties(), st.data())
def test_ranks_agree_with_the_naive_twin(columns: Columns, data: st.DataObject) -> None:
    among = peers_of(columns, data)
    expected = reference_measure.rank_balance(columns, among.tolist())
    assert rank_balance(columns, among=among).tolist() == pytest.approx(expected)


def test_ranks_agree_with_the_naive_twin_on_real_numbers(rng: np.random.Generator) -> None:
    columns = rng.normal(size=(9, 40)).astype(np.float32)
    expected = reference_measure.rank_balance(columns, [True] * 9)
    assert rank_balance(columns).tolist() == pytest.approx(expected)


@given(columns_with_ties())
def test_turning_the_sign_turns_the_balance(columns: Columns) -> None:
    assert rank_balance(-columns).tolist() == pytest.approx((-rank_balance(columns)).tolist())


@given(columns_with_ties())
def test_balances_cancel_and_are_bounded(columns: Columns) -> None:
    balance = rank_balance(columns)
    assert balance.sum() == pytest.approx(0, abs=1e-9)
    assert (np.abs(balance) <= 1).all()


@given(columns_with_ties(), st.data())
def test_ranks_move_with_their_rows(columns: Columns, data: st.DataObject) -> None:
    among, order = peers_of(columns, data), data.draw(st.permutations(range(len(columns))))
    moved = rank_balance(columns[order], among=among[order])
    assert moved.tolist() == pytest.approx(rank_balance(columns, among=among)[order].tolist())


@given(columns_with_ties())
def test_a_rising_map_of_each_column_changes_nothing(columns: Columns) -> None:
    bent = np.exp(columns) * np.arange(1, columns.shape[1] + 1, dtype=np.float32) - 40
    assert rank_balance(bent).tolist() == rank_balance(columns).tolist()


@pytest.mark.parametrize("shape", [(0, 3), (1, 3), (4, 0), (4, 3)])
def test_rows_that_nothing_tells_apart_are_balanced(shape: tuple[int, int]) -> None:
    assert rank_balance(np.ones(shape, np.float32)).tolist() == [0.0] * shape[0]


def test_zero_has_no_sign() -> None:
    assert rank_balance(np.array([[0.0], [-0.0]], np.float32)).tolist() == [0, 0]


def test_the_smallest_shift_of_everything_is_seen(rng: np.random.Generator) -> None:
    honest = rng.normal(size=(7, 3000)).astype(np.float32)
    hidden = np.tile(honest.mean(axis=0) - 1.5 * honest.std(axis=0), (3, 1))
    balance = np.abs(rank_balance(np.vstack([hidden, honest])))
    assert (balance[:3] > 0.5).all()
    assert (balance[3:] < 0.35).all()


def test_coordinates_are_distinct_sorted_and_depend_on_the_seed() -> None:
    chosen = choose_coordinates(SEED, d=10_000, count=100)
    assert len(set(chosen.tolist())) == 100
    assert (np.diff(chosen) > 0).all()
    assert 0 <= chosen[0] <= chosen[-1] < 10_000
    assert chosen.tolist() == choose_coordinates(SEED, d=10_000, count=100).tolist()
    assert chosen.tolist() != choose_coordinates(SEED[::-1], d=10_000, count=100).tolist()


@pytest.mark.parametrize("count", [5, 6, 4096])
def test_a_small_model_is_ranked_whole(count: int) -> None:
    assert choose_coordinates(SEED, d=5, count=count).tolist() == [0, 1, 2, 3, 4]


def test_no_coordinates_are_none() -> None:
    none = choose_coordinates(SEED, d=5, count=0)
    assert none.size == 0
