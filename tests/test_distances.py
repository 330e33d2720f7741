"""Distances: exact on small cases, and digits kept where float32 loses them."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

import reference
from parity_flwr.core.distances import norms, squared_distances
from parity_flwr.core.rows import BufferRows, DifferenceRows, MatrixRows

Matrix = NDArray[np.float32]

updates = hnp.arrays(
    np.float32,
    st.tuples(st.integers(1, 7), st.integers(1, 12)),
    elements=st.floats(-100, 100, width=32).map(lambda x: round(x, 2)),
)


def measured(matrix: Matrix) -> NDArray[np.float64]:
    return squared_distances(MatrixRows(matrix))


def test_a_triangle_by_hand() -> None:
    triangle = np.array([[0, 0], [3, 4], [0, 8]], np.float32)
    assert measured(triangle).tolist() == [[0, 25, 64], [25, 0, 25], [64, 25, 0]]
    assert norms(MatrixRows(triangle)).tolist() == [0, 5, 8]


@pytest.mark.parametrize("n", [0, 1])
def test_nobody_to_be_far_from(n: int) -> None:
    assert measured(np.ones((n, 5), np.float32)).tolist() == [[0.0]] * n


def test_no_parameters() -> None:
    assert measured(np.ones((3, 0), np.float32)).tolist() == np.zeros((3, 3)).tolist()
    assert norms(MatrixRows(np.ones((3, 0)))).tolist() == [0, 0, 0]


@given(updates)
def test_agrees_with_the_twin(matrix: Matrix) -> None:
    np.testing.assert_allclose(
        measured(matrix), reference.squared_distances(matrix), rtol=1e-3, atol=1e-9
    )
    lengths = np.linalg.norm(matrix.astype(np.float64), axis=1)
    np.testing.assert_allclose(norms(MatrixRows(matrix)), lengths, rtol=1e-6)


@given(updates)
def test_symmetric_with_a_zero_diagonal(matrix: Matrix) -> None:
    squared = measured(matrix)
    assert (squared == squared.T).all()
    assert (np.diagonal(squared) == 0).all()
    assert (squared >= 0).all()


@given(updates, st.integers(0, 2**32 - 1))
def test_permutation_equivariant(matrix: Matrix, seed: int) -> None:
    order = np.random.default_rng(seed).permutation(len(matrix))
    np.testing.assert_allclose(
        measured(matrix[order]), measured(matrix)[np.ix_(order, order)], rtol=1e-3, atol=1e-9
    )


@given(updates, st.integers(-20, 20))
def test_scale_equivariant(matrix: Matrix, power: int) -> None:
    scaled = np.ldexp(matrix, power)
    np.testing.assert_array_equal(measured(scaled), measured(matrix) * 4.0**power)


def crowd(n: int = 12, d: int = 40_000, seed: int = 1) -> Matrix:
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


def test_translation_does_not_cost_digits() -> None:
    # Expanded norms in float32 lose everything here: |x|^2 is 10^12 times |x - y|^2.
    moved = (crowd() * np.float32(2**-10)) + np.float32(2**10)
    np.testing.assert_allclose(measured(moved), reference.squared_distances(moved), rtol=1e-3)


@pytest.mark.parametrize("liar", [0, 5, 11])
@pytest.mark.parametrize("scale", [1e3, 1e8, 1e17, 1e30])
def test_one_huge_update_does_not_blur_the_others(liar: int, scale: float) -> None:
    matrix = crowd()
    matrix[liar] *= np.float32(scale)
    np.testing.assert_allclose(measured(matrix), reference.squared_distances(matrix), rtol=1e-3)


def test_near_duplicates_are_measured_in_their_own_neighbourhood() -> None:
    matrix = crowd()
    for copy in (3, 7, 9):
        matrix[copy] = matrix[2] + np.float32(1e-5) * crowd(1, seed=copy)[0]
    matrix[4] = matrix[0]
    truth = reference.squared_distances(matrix)
    np.testing.assert_allclose(measured(matrix), truth, rtol=1e-3)
    assert measured(matrix)[0, 4] == 0


def test_all_kinds_of_rows_agree() -> None:
    matrix = crowd()
    pieces = BufferRows([np.split(row, [1, 2, 20_000]) for row in matrix])
    origin = MatrixRows(np.zeros((1, matrix.shape[1]), np.float32))
    expected = measured(matrix)
    for rows in (pieces, DifferenceRows(pieces, origin), MatrixRows(matrix.astype(np.float64))):
        np.testing.assert_array_equal(squared_distances(rows), expected)


def test_input_is_not_changed() -> None:
    matrix = crowd()
    matrix[0] *= 1e8
    before = matrix.copy()
    measured(matrix)
    norms(MatrixRows(matrix))
    np.testing.assert_array_equal(matrix, before)


def test_memory_does_not_grow_with_the_number_of_parameters() -> None:
    row = np.linspace(-1, 1, 1_500_000, dtype=np.float32)
    liar = row * np.float32(1e30)  # also takes the float64 path and a second reading
    rows = BufferRows([[liar], *([row + np.float32(k)] for k in range(3))] * 8)
    tracemalloc.start()
    try:
        squared_distances(rows)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 64 << 20
