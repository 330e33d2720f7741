"""Rows read in tiles, and some of them only: the same numbers as in blocks."""

from __future__ import annotations

import tracemalloc
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from parity_flwr.core.reading import Rows, Tile, Tiled, tiles
from parity_flwr.core.rows import (
    BufferRows,
    DifferenceRows,
    MatrixRows,
    SelectedRows,
    blocks,
    take_rows,
)
from parity_flwr.core.rules.combining import MixedRows, combine_rows

FLOAT32_MAX = float(np.finfo(np.float32).max)
DTYPES = ("f4", "f8", "f2", "i8")


def joined(read: Sequence[Tile], n: int, d: int) -> NDArray[np.float64]:
    """Put copied tiles together; what none covers stays NaN, what two cover is refused."""
    found = np.full((n, d), np.nan)
    for first, start, block in read:
        here = found[first : first + block.shape[0], start : start + block.shape[1]]
        assert np.isnan(here).all()
        here[...] = block
    return found


def copied(rows: Tiled, height: int, width: int) -> list[Tile]:
    return [Tile(k, s, block.copy()) for k, s, block in rows.tiles(height, width)]


@given(st.integers(1, 7), st.integers(1, 40), st.integers(1, 9), st.integers(1, 50), st.data())
def test_tiles_cover_every_number_once(
    n: int, d: int, height: int, width: int, data: st.DataObject
) -> None:
    dtype = data.draw(st.sampled_from(DTYPES))
    matrix = np.random.default_rng(n + d).integers(-9, 9, (n, d)).astype(dtype)
    shared = data.draw(st.booleans())
    cuts = [sorted(data.draw(st.lists(st.integers(0, d), max_size=7))) for _ in range(n)]
    pieces = [np.split(row, cuts[0 if shared else k]) for k, row in enumerate(matrix)]
    buffers, origin = BufferRows(pieces), MatrixRows(matrix[-1:])
    for rows in (MatrixRows(matrix), buffers):
        np.testing.assert_array_equal(joined(copied(rows, height, width), n, d), matrix)
        moved = DifferenceRows(rows, origin)
        expected = matrix.astype(np.float64) - matrix[-1]
        np.testing.assert_array_equal(joined(copied(moved, height, width), n, d), expected)
        np.testing.assert_array_equal(moved.block(0, d), expected)


@given(st.integers(1, 6), st.integers(1, 30), st.data())
def test_some_rows_are_those_rows(n: int, d: int, data: st.DataObject) -> None:
    matrix = np.random.default_rng(n * d).integers(-9, 9, (n, d)).astype(np.float32)
    chosen = np.array(data.draw(st.lists(st.integers(0, n - 1), max_size=5)), np.intp)
    cut = data.draw(st.integers(0, d))
    buffers = BufferRows([[row[:cut], row[cut:]] for row in matrix])
    for rows in (MatrixRows(matrix), buffers, SelectedRows(buffers, np.arange(n))):
        taken = take_rows(rows, chosen)
        assert (taken.n, taken.d) == (len(chosen), d)
        np.testing.assert_array_equal(taken.block(0, d), matrix[chosen])
        minus = take_rows(DifferenceRows(rows, MatrixRows(matrix[:1])), chosen)
        np.testing.assert_array_equal(minus.block(0, d), matrix[chosen] - matrix[0])


def kinds() -> list[Rows]:
    matrix = np.random.default_rng(0).normal(size=(20, 40_000)).astype(np.float32)
    rows = BufferRows([np.split(row, [33_000, 33_001]) for row in matrix])
    identity = MixedRows(rows, np.eye(20))
    return [
        MatrixRows(matrix),
        rows,
        DifferenceRows(rows, take_rows(rows, np.array([3]))),
        identity,
    ]


@pytest.mark.parametrize("rows", kinds())
def test_tiles_hold_what_blocks_hold(rows: Rows) -> None:
    whole = np.concatenate(list(blocks(rows)), axis=1)
    read = [Tile(first, start, block.copy()) for first, start, block in tiles(rows)]
    np.testing.assert_array_equal(joined(read, rows.n, rows.d), whole)
    assert max(tile.block.nbytes for tile in read) <= 2 << 20


def test_tiles_are_read_only() -> None:
    row = np.ones(5, np.float32)
    for rows in (
        BufferRows([[row]]),
        MatrixRows(row[None]),
        DifferenceRows(BufferRows([[row]]), BufferRows([[row]])),
    ):
        tile = next(iter(tiles(rows)))
        with pytest.raises(ValueError, match="read-only"):
            tile.block[0, 0] = 1


def test_a_tile_saturates_where_float32_ends() -> None:
    low, high = np.array([-3e38, 1.0], np.float32), np.array([3e38, 3.0], np.float32)
    for rows in (BufferRows([[high], [low]]), MatrixRows(np.stack([high, low]))):
        moved = DifferenceRows(rows, BufferRows([[low]]))
        (tile,) = copied(moved, 2, 2)
        assert tile.block.tolist() == [[FLOAT32_MAX, 2.0], [0.0, 0.0]]


def test_rows_without_a_part_are_not_read() -> None:
    rows = BufferRows([[np.ones(4, np.float32)], [np.full(4, np.inf, np.float32)]])
    assert combine_rows(rows, np.array([2.0, 0.0])).tolist() == [2.0] * 4
    assert combine_rows(rows, np.zeros(2)).tolist() == [0.0] * 4


def test_a_sum_that_overflows_on_the_way_comes_out_right() -> None:
    parts = [3e38] * 20 + [-3e38] * 20  # a tile holds 16 rows
    rows = BufferRows([[np.array([part, 1.0], np.float32)] for part in parts])
    assert combine_rows(rows, np.ones(40)).tolist() == [0.0, 40.0]
    assert combine_rows(rows, np.full(40, 0.5)[:40])[1] == 20.0


def test_the_check_for_overflow_needs_no_mask_of_the_whole() -> None:
    rows = BufferRows([[np.zeros(20 << 20, np.float32)]])
    tracemalloc.start()
    try:
        combine_rows(rows, np.ones(1))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < (80 << 20) + (8 << 20)  # a mask would be 20 MiB


def test_one_row_of_many_costs_one_row() -> None:
    rows = BufferRows([[np.zeros(1 << 20, np.float32)] for _ in range(20)])
    one = np.zeros(20)
    one[7] = 1.0
    tracemalloc.start()
    try:
        combine_rows(rows, one)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < (4 << 20) + (5 << 19)  # the result, one tile, a mask in parts
