"""Neighbour distances and penalties (P-5, P-6)."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import reference
from parity_flwr.core.config import RobustnessConfig
from parity_flwr.core.distances import squared_distances
from parity_flwr.core.robustness import (
    excess,
    neighbour_distance,
    penalty,
    spread,
    thresholds,
)
from parity_flwr.core.rows import MatrixRows
from parity_flwr.errors import ConfigError

DEFAULT = RobustnessConfig()
PAPER = RobustnessConfig(neighbour=1, tau=2.0, lambda_=0.5)

distances = st.lists(st.floats(0, 1e6), min_size=1, max_size=12).map(np.array)
points = st.lists(st.tuples(st.integers(-50, 50), st.integers(-50, 50)), min_size=0, max_size=9)


def line(*places: float) -> NDArray[np.float64]:
    at = np.array(places, np.float64)
    return np.asarray((at[:, None] - at[None, :]) ** 2)


def test_neighbours_on_a_line_by_hand() -> None:
    squared = line(0, 1, 3, 7, 15)
    assert neighbour_distance(squared, neighbour=1).tolist() == [1, 1, 2, 4, 8]
    assert neighbour_distance(squared).tolist() == [3, 2, 3, 6, 12]  # m = floor(5/2) = 2
    assert neighbour_distance(squared, neighbour=4).tolist() == [15, 14, 12, 8, 15]


@pytest.mark.parametrize(("n", "expected"), [(0, []), (1, [0.0])])
def test_a_lone_update_has_no_neighbour(n: int, expected: list[float]) -> None:
    assert neighbour_distance(np.zeros((n, n)), neighbour=3).tolist() == expected


def test_m_is_at_most_the_number_of_others() -> None:
    assert neighbour_distance(line(0, 1, 3), neighbour=99).tolist() == [3, 2, 3]


@pytest.mark.parametrize("neighbour", [0, -1])
def test_m_below_one_is_refused(neighbour: int) -> None:
    with pytest.raises(ConfigError, match="m >= 1"):
        neighbour_distance(line(0, 1), neighbour=neighbour)


@given(points, st.none() | st.integers(1, 10))
def test_agrees_with_the_twin(places: list[tuple[int, int]], neighbour: int | None) -> None:
    matrix = np.array(places, np.float32).reshape(len(places), 2)
    squared = squared_distances(MatrixRows(matrix))
    expected = reference.neighbour_distance(reference.squared_distances(matrix), neighbour)
    np.testing.assert_allclose(neighbour_distance(squared, neighbour=neighbour), expected)


@pytest.mark.parametrize("n", range(3, 12))
def test_colluders_hide_at_m_1_and_no_minority_does_by_default(n: int) -> None:
    liars = (n - 1) // 2
    honest = np.random.default_rng(n).normal(size=(n - liars, 50))
    sent = np.concatenate([honest, np.full((liars, 50), 30.0)]).astype(np.float32)
    squared = squared_distances(MatrixRows(sent))
    if liars > 1:
        assert (neighbour_distance(squared, neighbour=1)[-liars:] == 0).all()
    rho = neighbour_distance(squared)
    assert rho[-liars:].min() > rho[:-liars].max()


def test_spread_by_hand() -> None:
    assert spread(np.array([1.0, 2.0, 4.0, 8.0, 100.0]), floor=0.02) == (4.0, 3 * 1.4826)
    assert spread(np.array([100.0, 100.0, 100.0, 7.0]), floor=0.02) == (100.0, 2.0)
    assert spread(np.zeros(3), floor=0.02) == (0.0, 1e-12)
    assert spread(np.array([]), floor=0.02) == (0.0, 1e-12)


@given(distances, st.floats(0, 1))
def test_spread_agrees_with_the_twin(values: NDArray[np.float64], floor: float) -> None:
    expected = reference.median_and_spread(values.tolist(), floor)
    assert spread(values, floor=floor) == pytest.approx(expected, rel=1e-12, abs=1e-12)


def test_default_thresholds_follow_the_round() -> None:
    rho = np.array([1.0, 2.0, 3.0, 4.0, 12.0])  # median 3, MAD 1
    sigma = 1.4826
    assert thresholds(rho, DEFAULT) == pytest.approx((3 + 2.5 * sigma, 1.5 / sigma))
    expected = [1, 1, 1, 1, math.exp(-1.5 / sigma * (9 - 2.5 * sigma))]
    np.testing.assert_allclose(penalty(rho, DEFAULT), expected)
    by_hand = np.array([-2, -1, 0, 1, 9]) / sigma
    np.testing.assert_allclose(excess(rho, floor=0.02), by_hand)


def test_only_those_among_set_the_scale() -> None:
    rho = np.array([1.0, 2.0, 3.0, 1e9])
    counted = np.array([True, True, True, False])
    assert (
        excess(rho, floor=0.0, among=counted)[:3].tolist()
        == excess(rho[:3], floor=0.0).tolist()
    )


def test_only_those_among_are_neighbours() -> None:
    squared = np.array([[0.0, 1.0, 25.0], [1.0, 0.0, 36.0], [25.0, 36.0, 0.0]])
    counted = np.array([True, False, True])
    rho = neighbour_distance(squared, neighbour=1, among=counted)
    assert rho.tolist() == [5.0, 1.0, 5.0]
    alone = neighbour_distance(squared, among=np.array([True, False, False]))
    assert alone.tolist() == [0.0, 1.0, 5.0]


def test_absolute_thresholds_give_the_papers_equation() -> None:
    rho = np.array([0.0, 2.0, 3.0, 10.0])
    assert thresholds(rho, PAPER) == (2.0, 0.5)
    expected = [1.0, 1.0, math.exp(-0.5), math.exp(-4.0)]
    np.testing.assert_allclose(penalty(rho, PAPER), expected, rtol=1e-15)


@given(distances, st.floats(0, 1e6), st.floats(0, 1e-4))
def test_the_papers_equation_agrees_with_the_twin(
    rho: NDArray[np.float64], tau: float, rate: float
) -> None:
    config = RobustnessConfig(tau=tau, lambda_=rate)
    expected = reference.penalty(rho.tolist(), tau, rate)
    np.testing.assert_allclose(penalty(rho, config), expected, rtol=1e-12)


@pytest.mark.parametrize(
    "config", [DEFAULT, RobustnessConfig(tau=0.5), RobustnessConfig(lambda_=3.0)]
)
def test_median_zero_penalises_nobody(config: RobustnessConfig) -> None:
    rho = np.array([0.0, 0.0, 0.0, 9.0])
    assert penalty(rho, config).tolist() == [1, 1, 1, 1]
    assert excess(rho, floor=0.02).tolist() == [0, 0, 0, 0]


def test_no_replies_have_no_penalties() -> None:
    nothing = np.array([], np.float64)
    assert penalty(nothing, DEFAULT).size == 0
    assert excess(nothing, floor=0.02).size == 0


@given(distances, distances)
def test_penalties_are_bounded_and_fall_with_distance(
    rho: NDArray[np.float64], extra: NDArray[np.float64]
) -> None:
    for config in (DEFAULT, PAPER):
        factors = penalty(rho, config)
        assert ((factors >= 0) & (factors <= 1)).all()
        assert (np.diff(factors[np.argsort(rho)]) <= 0).all()
        assert (factors[rho <= thresholds(rho, config)[0]] == 1).all()


@given(distances)
def test_half_of_the_round_is_never_penalised(rho: NDArray[np.float64]) -> None:
    assert (penalty(rho, DEFAULT) == 1).sum() * 2 >= rho.size


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=12), st.integers(-20, 20))
def test_the_default_does_not_depend_on_the_models_scale(rho: list[int], power: int) -> None:
    plain = np.array(rho, np.float64)
    np.testing.assert_allclose(
        penalty(np.ldexp(plain, power), DEFAULT), penalty(plain, DEFAULT), rtol=1e-9
    )
    np.testing.assert_allclose(
        excess(np.ldexp(plain, power), floor=0.1), excess(plain, floor=0.1), rtol=1e-9
    )


@given(distances, st.integers(0, 2**32 - 1))
def test_permutation_equivariant(rho: NDArray[np.float64], seed: int) -> None:
    order = np.random.default_rng(seed).permutation(rho.size)
    np.testing.assert_array_equal(penalty(rho[order], DEFAULT), penalty(rho, DEFAULT)[order])


def test_absurd_distances_and_rates_stay_numbers() -> None:
    config = RobustnessConfig(tau=0.0, lambda_=1e300)
    assert penalty(np.array([0.0, 1e-300, 1e300]), config).tolist() == [1, math.exp(-1), 0]
