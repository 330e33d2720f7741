"""The geometric median in Gram space, and the deviation from it (P-4)."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import reference
from parity_flwr.core.centre import consensus_deviation, geometric_median
from parity_flwr.core.config import RobustnessConfig
from parity_flwr.errors import ConfigError

Array = NDArray[np.float64]
DEFAULT = RobustnessConfig()

seeds = st.integers(0, 2**32 - 1)


def cloud(seed: int, n: int = 9, d: int = 6) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)), rng.uniform(0.1, 1.0, n)


def centre_of(points: Array, weights: Array) -> tuple[Array, Array]:
    coefficients, distances = geometric_median(reference.squared_distances(points), weights)
    return coefficients @ points, distances


def test_the_corners_of_a_square_meet_in_the_middle() -> None:
    corners = np.array([[0.0, 0.0], [2.0, 0.0], [2.0, 2.0], [0.0, 2.0]])
    centre, distances = centre_of(corners, np.ones(4))
    np.testing.assert_allclose(centre, [1.0, 1.0])
    np.testing.assert_allclose(distances, np.sqrt(2.0))


def test_half_of_the_weight_on_one_point_is_the_median() -> None:
    points = np.array([[5.0], [0.0], [5.0], [9.0]])
    centre, distances = centre_of(points, np.ones(4))
    assert centre.tolist() == [5.0]
    assert distances.tolist() == [0.0, 5.0, 0.0, 4.0]


def test_a_median_at_a_data_point() -> None:
    # The others' unit pulls sum to less than the weight 2.5: the point cannot be left.
    points = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [-3.0, -1.0]])
    centre, distances = centre_of(points, np.array([2.5, 1.0, 1.0, 1.0]))
    np.testing.assert_allclose(centre, [0.0, 0.0], atol=1e-5)
    np.testing.assert_allclose(distances[1:], [1.0, 1.0, np.sqrt(10.0)], atol=1e-4)


@pytest.mark.parametrize("n", [0, 1, 2])
def test_few_points(n: int) -> None:
    points = np.arange(n, dtype=np.float64)[:, None]
    coefficients, distances = geometric_median(reference.squared_distances(points), np.ones(n))
    assert coefficients.sum() == pytest.approx(1.0 if n else 0.0)
    assert distances.sum() == pytest.approx(1.0 if n == 2 else 0.0)


@settings(max_examples=20, deadline=None)
@given(seeds)
def test_agrees_with_the_twin(seed: int) -> None:
    points, weights = cloud(seed)
    centre, distances = centre_of(points, weights)
    twin = reference.geometric_median(points, weights, steps=2000)
    np.testing.assert_allclose(centre, twin, atol=1e-4)
    np.testing.assert_allclose(distances, np.linalg.norm(points - centre, axis=1), atol=1e-7)
    best = reference.weighted_distance(points, weights, twin)
    assert reference.weighted_distance(points, weights, centre) <= best * (1 + 1e-6)


@given(seeds, st.integers(-30, 30))
def test_permutation_and_scale(seed: int, power: int) -> None:
    points, weights = cloud(seed)
    order = np.random.default_rng(seed).permutation(len(points))
    squared = reference.squared_distances(points)
    coefficients, distances = geometric_median(squared, weights)
    mixed, mixed_distances = geometric_median(squared[np.ix_(order, order)], weights[order])
    np.testing.assert_allclose(mixed, coefficients[order], atol=1e-7)
    np.testing.assert_allclose(mixed_distances, distances[order], atol=1e-7)
    scaled, scaled_distances = geometric_median(np.ldexp(squared, 2 * power), weights * 7)
    np.testing.assert_allclose(scaled, coefficients, atol=1e-7)
    np.testing.assert_allclose(np.ldexp(scaled_distances, -power), distances, atol=1e-7)


@given(seeds)
def test_the_centre_lies_in_the_hull(seed: int) -> None:
    points, weights = cloud(seed)
    coefficients, _ = geometric_median(reference.squared_distances(points), weights)
    assert (coefficients >= 0).all()
    assert coefficients.sum() == pytest.approx(1.0)


@pytest.mark.parametrize("scale", [1e2, 1e5, 1e9, 1e30, 1e150])
def test_a_minority_cannot_move_it_far(scale: float) -> None:
    points, _ = cloud(3)
    honest, _ = centre_of(points[:5], np.ones(5))
    points[5:] = scale
    centre, distances = centre_of(points, np.ones(9))
    reach = np.linalg.norm(points[:5] - honest, axis=1).max()
    assert np.linalg.norm(centre - honest) < 10 * reach
    assert distances[:5].max() < 12 * reach
    np.testing.assert_allclose(distances[5:], scale * np.sqrt(6), rtol=0.1)


def test_without_trust_everybody_counts_the_same() -> None:
    points, _ = cloud(4)
    squared = reference.squared_distances(points)
    for pair in zip(
        geometric_median(squared, np.zeros(9)),
        geometric_median(squared, np.ones(9)),
        strict=True,
    ):
        np.testing.assert_array_equal(*pair)


def test_a_client_without_trust_has_no_pull() -> None:
    points, weights = cloud(5)
    weights[0] = 0
    moved = points.copy()
    moved[0] += 100
    np.testing.assert_allclose(centre_of(points, weights)[0], centre_of(moved, weights)[0])


@pytest.mark.parametrize("weights", [[1.0], [1.0, -1.0], [1.0, np.nan], [1.0, np.inf]])
def test_bad_weights_are_refused(weights: list[float]) -> None:
    with pytest.raises(ConfigError, match="finite weights >= 0"):
        geometric_median(np.zeros((2, 2)), np.array(weights))


def test_deviation_by_hand() -> None:
    distances = np.array([1.0, 2.0, 3.0, 4.5, 12.0])  # median 3, MAD 1.5
    expected = [0.0, 0.0, 0.0, 1.5 / (3 * 1.4826 * 1.5), 1.0]
    np.testing.assert_allclose(consensus_deviation(distances, DEFAULT), expected)


def test_no_scale_no_deviation() -> None:
    assert consensus_deviation(np.array([0.0, 0.0, 5.0]), DEFAULT).tolist() == [0, 0, 0]
    assert consensus_deviation(np.array([], np.float64), DEFAULT).size == 0


def test_zero_spreads_is_a_step() -> None:
    config = RobustnessConfig(deviation_spreads=0.0)
    assert consensus_deviation(np.array([1.0, 2.0, 3.0]), config).tolist() == [0, 0, 1]


@given(st.lists(st.floats(0, 1e9), min_size=1, max_size=12), seeds)
def test_deviation_is_bounded_monotone_and_equivariant(values: list[float], seed: int) -> None:
    distances = np.array(values)
    deviation = consensus_deviation(distances, DEFAULT)
    order = np.random.default_rng(seed).permutation(distances.size)
    assert ((deviation >= 0) & (deviation <= 1)).all()
    assert (np.diff(deviation[np.argsort(distances)]) >= 0).all()
    np.testing.assert_array_equal(
        consensus_deviation(distances[order], DEFAULT), deviation[order]
    )
