"""The update sketch: linear, secret, streamed; and the memory built on it."""

from __future__ import annotations

import hashlib
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import reference
from parity_flwr.core.rows import BufferRows, MatrixRows, blocks
from parity_flwr.core.sketch import UpdateSketch, commitment, shorten
from parity_flwr.errors import ConfigError

SEED = bytes(range(32))
seeds = st.integers(0, 2**32 - 1)


def integers(seed: int, n: int = 3, d: int = 70) -> NDArray[np.float32]:
    """Small integers, so that sums are exact in any order."""
    return np.random.default_rng(seed).integers(-9, 9, (n, d)).astype(np.float32)


def sketched(matrix: NDArray[np.float32], size: int = 16) -> NDArray[np.float64]:
    return UpdateSketch(SEED, size).apply(MatrixRows(matrix))


@given(seeds, st.integers(-5, 5), st.integers(-5, 5))
def test_linear(seed: int, a: int, b: int) -> None:
    x, y = integers(seed), integers(seed + 1)
    combined = (a * x + b * y).astype(np.float32)
    np.testing.assert_array_equal(sketched(combined), a * sketched(x) + b * sketched(y))


def test_unit_vectors_show_the_map_and_the_twin_agrees() -> None:
    d, size = 70, 16
    units = sketched(np.eye(d, dtype=np.float32), size)
    assert (np.count_nonzero(units, axis=1) == 1).all()
    buckets, signs = np.abs(units).argmax(axis=1), units.sum(axis=1)
    assert set(signs) == {-1.0, 1.0}
    row = integers(5, n=1)
    expected = reference.count_sketch(row[0].tolist(), buckets.tolist(), signs.tolist(), size)
    assert sketched(row, size).tolist() == [expected]


def test_the_map_is_pinned() -> None:
    """A journalled run must be recomputable for years: this line may never change."""
    ramp = np.arange(1, 9, dtype=np.float32)[None]
    assert sketched(ramp, 4).tolist() == [[0.0, 2.0, 15.0, 9.0]]


def test_deterministic_and_different_for_every_seed() -> None:
    x = integers(1)
    np.testing.assert_array_equal(sketched(x), sketched(x))
    other = UpdateSketch(SEED[::-1], 16).apply(MatrixRows(x))
    assert (other != sketched(x)).any()


def test_the_public_commitment_is_not_the_key() -> None:
    # With the commitment as key anybody could compute the map while the run lasts.
    assert commitment(SEED) == hashlib.sha256(SEED).hexdigest()
    words = np.random.Philox(key=int.from_bytes(hashlib.sha256(SEED).digest()[:16], "little"))
    guess = ((words.random_raw(70) >> np.uint64(32)) * np.uint64(16)) >> np.uint64(32)
    real = np.abs(sketched(np.eye(70, dtype=np.float32))).argmax(axis=1)
    assert (guess.astype(np.int64) != real).sum() > 35


def test_the_cut_into_blocks_does_not_matter() -> None:
    d = 150_000
    rows = integers(2, n=2, d=d)
    tall = np.concatenate([rows, np.zeros((300, d), np.float32)])  # many rows: narrow blocks
    widths = [next(blocks(MatrixRows(each))).shape[1] for each in (rows, tall)]
    assert widths[0] != widths[1]
    np.testing.assert_array_equal(sketched(tall)[:2], sketched(rows))
    pieces = BufferRows([np.split(row, [7, 99_999]) for row in rows])
    np.testing.assert_array_equal(UpdateSketch(SEED, 16).apply(pieces), sketched(rows))


def test_buckets_and_signs_are_even() -> None:
    d, size = 64_000, 64
    counts = np.random.default_rng(0)  # random signs make every bucket a random walk
    flips = counts.choice(np.array([-1, 1], np.float32), (1, d))
    loads = sketched(flips, size)[0]
    assert abs(loads.mean()) < 4 * np.sqrt(d / size) / np.sqrt(size)
    assert np.mean(loads**2) == pytest.approx(d / size, rel=0.6)


def test_distances_are_kept_on_average() -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(8, 20_000)).astype(np.float32)
    x[5] *= 3
    truth = reference.squared_distances(x)
    kept = reference.squared_distances(sketched(x, 2048))
    np.testing.assert_allclose(
        kept[np.triu_indices(8, 1)], truth[np.triu_indices(8, 1)], rtol=0.2
    )


def test_memory_does_not_grow_with_d() -> None:
    row = np.ones(3_000_000, np.float32)
    tracemalloc.start()
    try:
        UpdateSketch(SEED, 2048).apply(BufferRows([[row], [row]]))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4 << 20


def test_size_zero_remembers_nothing() -> None:
    assert sketched(integers(1), 0).shape == (3, 0)


def test_guessable_seeds_and_bad_sizes_are_refused() -> None:
    with pytest.raises(ConfigError, match="at least 16 bytes"):
        UpdateSketch(b"secret", 8)
    with pytest.raises(ConfigError, match="size from 0"):
        UpdateSketch(SEED, -1)


def test_a_shortened_sketch_still_keeps_distances() -> None:
    rng = np.random.default_rng(4)
    x = rng.normal(size=(1025, 4000)).astype(np.float32)
    short = shorten(UpdateSketch(SEED, 2048).apply(MatrixRows(x)))
    assert short.shape == (1025, 512)
    truth = reference.squared_distances(x[:5])
    kept = reference.squared_distances(short[:5])
    upper = np.triu_indices(5, 1)
    np.testing.assert_allclose(kept[upper], truth[upper], rtol=0.25)


def test_one_huge_row_does_not_blur_the_others() -> None:
    x = integers(7, n=4, d=5000)
    alone = sketched(x, 64)
    x[2] = np.float32(3e38)
    np.testing.assert_array_equal(np.delete(sketched(x, 64), 2, 0), np.delete(alone, 2, 0))
    assert np.isfinite(sketched(x, 64)).all()


def test_neighbours_never_share_a_bucket() -> None:
    units = sketched(np.eye(200, dtype=np.float32), 64)
    buckets = np.abs(units).argmax(axis=1)
    assert all(len(set(buckets[i : i + 32])) == 32 for i in range(0, 192, 32))
