"""One conformance table over all aggregation rules."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import reference
import reference_rules as twins
from parity_flwr.core.rows import BufferRows, DifferenceRows, MatrixRows
from parity_flwr.core.rules import (
    AggregationRule,
    Bulyan,
    CentredClipping,
    CoordinateMedian,
    FLTrust,
    GeometricMedian,
    Krum,
    Mean,
    MultiKrum,
    NearestNeighbourMixing,
    NormClipping,
    TrimmedMean,
)

Matrix = NDArray[np.float32]


@dataclass(frozen=True)
class Case:
    """A rule, its twin, and what is true of it."""

    rule: AggregationRule
    twin: twins.Twin
    translates: bool = True  # rule(x + t) = rule(x) + t
    weighs: bool = False  # uses the weights
    inside: bool = True  # every coordinate lies between the smallest and the largest
    symmetric: bool = True  # the order of the rows does not matter


def _geometric_median(points: twins.Matrix, weights: object) -> twins.Matrix:
    return reference.geometric_median(points, np.asarray(weights, np.float64), 1500)


CASES = {
    "mean": Case(Mean(), twins.mean, weighs=True),
    "median": Case(CoordinateMedian(), twins.coordinate_median),
    "trimmed mean": Case(TrimmedMean(byzantine=2), lambda x, w: twins.trimmed_mean(x, w, f=2)),
    "Krum": Case(Krum(byzantine=2), lambda x, w: twins.krum(x, w, f=2)),
    "Multi-Krum": Case(
        MultiKrum(byzantine=2), lambda x, w: twins.multi_krum(x, w, f=2), weighs=True
    ),
    "geometric median": Case(GeometricMedian(), _geometric_median, weighs=True),
    "centred clipping": Case(
        CentredClipping(radius=2.0, steps=4),
        lambda x, w: twins.centred_clipping(x, w, radius=2.0, steps=4),
        weighs=True,
    ),
    "NNM + trimmed mean": Case(
        NearestNeighbourMixing(inner=TrimmedMean(byzantine=2), byzantine=2),
        lambda x, w: twins.trimmed_mean(twins.nearest_neighbour_mixing(x, f=2), w, f=2),
    ),
    "NNM + Krum": Case(
        NearestNeighbourMixing(inner=Krum(byzantine=2), byzantine=2),
        lambda x, w: twins.krum(twins.nearest_neighbour_mixing(x, f=2), w, f=2),
    ),
    "Bulyan": Case(Bulyan(byzantine=2), lambda x, w: twins.bulyan(x, w, f=2)),
    "norm clipping": Case(
        NormClipping(), twins.norm_clipping, translates=False, weighs=True, inside=False
    ),
    "FLTrust": Case(
        FLTrust(), twins.fltrust, translates=False, weighs=True, inside=False, symmetric=False
    ),
}

every = pytest.mark.parametrize("name", CASES)
seeds = st.integers(0, 2**32 - 1)


def crowd(seed: int, n: int = 11, d: int = 5) -> Matrix:
    """Updates without ties; at n = 11 every rule of the table is valid."""
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


def run(
    name: str, matrix: Matrix, weights: NDArray[np.float64] | None = None
) -> NDArray[np.float32]:
    return CASES[name].rule.aggregate(MatrixRows(matrix), weights=weights)


@every
@given(seed=seeds, n=st.sampled_from([11, 12, 40]))
def test_agrees_with_the_twin(name: str, seed: int, n: int) -> None:
    matrix = crowd(seed, n)
    weights = np.random.default_rng(seed).uniform(0.5, 2.0, n)
    expected = CASES[name].twin(matrix.astype(np.float64), weights.tolist())
    np.testing.assert_allclose(run(name, matrix, weights), expected, rtol=2e-4, atol=2e-5)


@every
@given(seed=seeds)
def test_the_order_of_the_updates_does_not_matter(name: str, seed: int) -> None:
    matrix, rng = crowd(seed), np.random.default_rng(seed)
    weights, order = rng.uniform(0.5, 2.0, 11), rng.permutation(11)
    if not CASES[name].symmetric:
        order = np.append(order[order != 10], 10)  # the root's row stays the last
    one, other = run(name, matrix, weights), run(name, matrix[order], weights[order])
    np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


@every
@given(seed=seeds, power=st.integers(-3, 3))
def test_translation(name: str, seed: int, power: int) -> None:
    matrix = crowd(seed)
    moved = matrix + np.float32(4.0**power)
    difference = run(name, moved) - run(name, matrix)
    close = np.allclose(difference, 4.0**power, rtol=1e-4, atol=1e-4)
    assert close == CASES[name].translates or power < 0


@pytest.mark.parametrize("name", [name for name in CASES if CASES[name].inside])
@given(seed=seeds)
def test_every_number_lies_between_the_smallest_and_the_largest(name: str, seed: int) -> None:
    matrix = crowd(seed)
    result = run(name, matrix)
    assert (result >= matrix.min(axis=0) - 1e-6).all()
    assert (result <= matrix.max(axis=0) + 1e-6).all()


@every
def test_what_all_agree_on_is_the_answer(name: str) -> None:
    row = np.array([1.5, -2.0, 0.0, 7.0], np.float32)
    np.testing.assert_allclose(run(name, np.tile(row, (11, 1))), row, rtol=1e-6)


@every
def test_weights_count_or_do_not(name: str) -> None:
    matrix = crowd(4)
    weights = np.ones(11)
    even = run(name, matrix, weights)
    np.testing.assert_array_equal(even, run(name, matrix))
    np.testing.assert_allclose(even, run(name, matrix, 1e300 * weights), rtol=1e-6)
    weights[:10:2] = 8.0
    assert CASES[name].weighs == bool((run(name, matrix, weights) != even).any())


ROBUST = [name for name in CASES if name not in ("mean", "norm clipping", "FLTrust")]


@pytest.mark.parametrize("name", ROBUST)
@pytest.mark.parametrize("scale", [1e3, 1e9, 1e30, 3e38])
def test_two_liars_of_eleven_do_not_own_the_result(name: str, scale: float) -> None:
    matrix = crowd(3)
    matrix[[2, 7]] = np.float32(scale)
    assert np.abs(run(name, matrix)).max() < 4


@every
def test_the_largest_numbers_stay_finite(name: str) -> None:
    big = np.finfo(np.float32).max
    signs = np.random.default_rng(0).choice(np.array([-big, big], np.float32), (11, 6))
    assert np.isfinite(run(name, signs)).all()
    tiny = np.full((11, 6), 1e-45, np.float32)
    tiny[3:7] = big
    assert np.isfinite(run(name, tiny)).all()


@every
def test_result_is_new_float32_and_the_input_stays(name: str) -> None:
    matrix = crowd(5)
    before = matrix.copy()
    result = run(name, matrix)
    assert result.dtype == np.float32
    assert result.shape == (5,)
    assert result.flags.writeable
    assert not np.shares_memory(result, matrix)
    np.testing.assert_array_equal(matrix, before)


@every
def test_the_source_of_the_rows_does_not_matter(name: str) -> None:
    matrix = crowd(6, d=3000)
    pieces = BufferRows([np.split(row, [1, 7, 2000]) for row in matrix])
    origin = MatrixRows(np.zeros((1, 3000), np.float32))
    expected = run(name, matrix)
    for rows in (pieces, DifferenceRows(pieces, origin), MatrixRows(matrix.astype(np.float64))):
        np.testing.assert_allclose(CASES[name].rule.aggregate(rows), expected, rtol=1e-6)


@every
def test_memory_stays_under_64_mib(name: str) -> None:
    d = 400_000
    row = np.linspace(-1, 1, d, dtype=np.float32)
    rows = BufferRows([[row * np.float32(1 + k % 7)] for k in range(11)] * 4)
    tracemalloc.start()
    try:
        CASES[name].rule.aggregate(rows)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak - 4 * d < 64 << 20


LIMITS: dict[str, Callable[[], AggregationRule]] = {
    "trimmed mean": lambda: TrimmedMean(byzantine=0),
    "Multi-Krum": lambda: MultiKrum(byzantine=0),
    "Bulyan": lambda: Bulyan(byzantine=0),
    "NNM": lambda: NearestNeighbourMixing(inner=CoordinateMedian(), byzantine=0),
    "norm clipping": lambda: NormClipping(length=1e9),
    "centred clipping": lambda: CentredClipping(radius=1e9, steps=1),
}


@pytest.mark.parametrize("name", LIMITS)
@given(seed=seeds, n=st.integers(3, 9))
def test_without_liars_it_is_the_mean(name: str, seed: int, n: int) -> None:
    matrix = crowd(seed, n)
    result = LIMITS[name]().aggregate(MatrixRows(matrix))
    np.testing.assert_allclose(result, matrix.mean(axis=0), rtol=1e-4, atol=1e-6)
