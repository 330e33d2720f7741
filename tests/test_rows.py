"""Rows over other people's memory: right numbers, no copies, no writes."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from parity_flwr.core.rows import BufferRows, DifferenceRows, MatrixRows, Rows, blocks
from parity_flwr.errors import ConfigError

FLOAT32_MAX = float(np.finfo(np.float32).max)


def pieces_of(row: NDArray[Any], cuts: list[int]) -> list[NDArray[Any]]:
    return np.split(row, sorted(cuts))


@st.composite
def matrices_in_pieces(draw: st.DrawFn) -> tuple[NDArray[Any], list[list[NDArray[Any]]]]:
    """A matrix, and its rows cut differently each, empty pieces included."""
    n, d = draw(st.integers(1, 4)), draw(st.integers(0, 30))
    dtype = draw(st.sampled_from(["f4", "f8", ">f4", "f2", "i8", "u1", "?"]))
    numbers = np.random.default_rng(draw(st.integers(0, 99))).integers(0, 90, (n, d))
    matrix = numbers.astype(dtype)
    cuts = st.lists(st.integers(0, d), max_size=6)
    return matrix, [pieces_of(row, draw(cuts)) for row in matrix]


@given(matrices_in_pieces(), st.integers(0, 30), st.integers(0, 30))
def test_buffer_rows_are_the_concatenated_pieces(
    case: tuple[NDArray[Any], list[list[NDArray[Any]]]], start: int, stop: int
) -> None:
    matrix, pieces = case
    rows = BufferRows(pieces)
    block = rows.block(start, stop)
    assert (rows.n, rows.d) == matrix.shape
    assert block.dtype == np.float32
    np.testing.assert_array_equal(block, matrix[:, start:stop].astype(np.float32))


@given(matrices_in_pieces(), st.integers(1, 600))
def test_blocks_cover_every_column_once_in_order(
    case: tuple[NDArray[Any], list[list[NDArray[Any]]]], max_bytes: int
) -> None:
    matrix, pieces = case
    for rows in (MatrixRows(matrix), BufferRows(pieces)):
        seen = list(blocks(rows, max_bytes=max_bytes))
        joined = np.concatenate([np.zeros((rows.n, 0), np.float32), *seen], axis=1)
        np.testing.assert_array_equal(joined, matrix.astype(np.float32))


def test_float32_blocks_are_views_of_the_matrix() -> None:
    matrix = np.arange(12, dtype=np.float32).reshape(3, 4)
    assert np.shares_memory(MatrixRows(matrix).block(1, 3), matrix)


def all_kinds() -> list[Rows]:
    matrix = np.arange(12, dtype=np.float32).reshape(3, 4)
    return [
        MatrixRows(matrix),
        MatrixRows(matrix.astype(np.float64)),
        BufferRows([[row] for row in matrix]),
        DifferenceRows(MatrixRows(matrix), MatrixRows(matrix[:1])),
    ]


@pytest.mark.parametrize("rows", all_kinds())
def test_blocks_are_read_only(rows: Rows) -> None:
    with pytest.raises(ValueError, match="read-only"):
        rows.block(0, 2)[0, 0] = 1


def test_the_callers_arrays_stay_writeable_and_unchanged() -> None:
    matrix = np.ones((2, 3), np.float32)
    MatrixRows(matrix).block(0, 3)
    BufferRows([list(matrix)]).block(0, 6)
    matrix[0, 0] = 5
    assert matrix.tolist() == [[5, 1, 1], [1, 1, 1]]


def test_read_only_input_is_enough() -> None:
    matrix = np.ones((2, 3), np.float32)
    matrix.flags.writeable = False
    assert MatrixRows(matrix).block(0, 3).tolist() == matrix.tolist()
    assert BufferRows([[row] for row in matrix]).block(0, 3).tolist() == matrix.tolist()


def test_pieces_that_are_not_contiguous_are_read_in_c_order() -> None:
    grid = np.arange(24, dtype=np.float32).reshape(4, 6)
    for piece in (grid.T, grid[::2, 1::2], np.asfortranarray(grid), grid[::-1]):
        rows = BufferRows([[np.array([-1.0]), piece, np.array(7.0)]])
        expected = [-1.0, *piece.ravel().tolist(), 7.0]
        assert rows.block(0, rows.d).tolist() == [expected]
        assert rows.block(2, rows.d - 2).tolist() == [expected[2:-2]]


def test_buffer_rows_copy_no_more_than_a_block() -> None:
    big = np.zeros((1000, 1000), np.float32)
    tracemalloc.start()
    try:
        rows = BufferRows([[big], [big.T]])
        rows.block(500_000, 500_100)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 100_000


def test_difference_is_rows_minus_origin() -> None:
    rows = DifferenceRows(
        MatrixRows(np.array([[3.0, 5.0], [1.0, 1.0]])), BufferRows([[np.array([1.0, 2.0])]])
    )
    assert (rows.n, rows.d) == (2, 2)
    assert rows.block(0, 2).tolist() == [[2.0, 3.0], [0.0, -1.0]]
    assert rows.block(1, 2).tolist() == [[3.0], [-1.0]]


def test_numbers_beyond_float32_saturate() -> None:
    far = np.array([[1e300, -1e300, 1.0]])
    expected = [[FLOAT32_MAX, -FLOAT32_MAX, 1.0]]
    assert MatrixRows(far).block(0, 3).tolist() == expected
    assert BufferRows([[far[0, :1], far[0, 1:]]]).block(0, 3).tolist() == expected


def test_a_difference_beyond_float32_saturates() -> None:
    origin = MatrixRows(np.array([[-3e38, 3e38, 1.0]], np.float32))
    rows = DifferenceRows(MatrixRows(np.array([[3e38, -3e38, 3.0]], np.float32)), origin)
    assert rows.block(0, 3).tolist() == [[FLOAT32_MAX, -FLOAT32_MAX, 2.0]]


def test_no_rows_and_no_columns() -> None:
    assert BufferRows([]).block(0, 5).shape == (0, 0)
    assert BufferRows([[], []]).block(0, 5).shape == (2, 0)
    assert list(blocks(MatrixRows(np.zeros((2, 0))))) == []


@pytest.mark.parametrize(
    "array", [np.zeros((1, 2), complex), np.array([["a"]]), np.array([[None]], object)]
)
def test_only_real_numbers_are_rows(array: NDArray[Any]) -> None:
    with pytest.raises(ConfigError, match="real numbers"):
        MatrixRows(array)
    with pytest.raises(ConfigError, match="real numbers"):
        BufferRows([[array]])


def test_malformed_rows_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"shape \(n, d\)"):
        MatrixRows(np.zeros(3))
    with pytest.raises(ConfigError, match="one length"):
        BufferRows([[np.zeros(3)], [np.zeros(2)]])
    rows = MatrixRows(np.zeros((2, 3)))
    for origin in (np.zeros((2, 3)), np.zeros((1, 2))):
        with pytest.raises(ConfigError, match="origin of shape"):
            DifferenceRows(rows, MatrixRows(origin))
