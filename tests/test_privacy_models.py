"""Private linear models and forests: the right sensitivity, and sums that are exact."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parity_flwr.core.privacy.adassp import Bounds, Statistics, adassp, statistics
from parity_flwr.core.privacy.leaf_counts import SharedTrees, noisy_counts
from parity_flwr.core.privacy.stream import RandomStream
from parity_flwr.errors import ConfigError, DataError


def stream(number: int = 0) -> RandomStream:
    return RandomStream(number.to_bytes(32, "big"))


def linear(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.uniform(-0.4, 0.4, (n, 5))
    y = x @ np.array([0.9, -0.7, 0.5, 0.2, 0.0]) + 0.1 + 0.02 * rng.standard_normal(n)
    return x, y


def r_squared(coefficients: np.ndarray, x: np.ndarray, y: np.ndarray, bounds: Bounds) -> float:
    residual = y - bounds.predict_rows(x) @ coefficients
    return float(1 - (residual @ residual) / ((y - y.mean()) @ (y - y.mean())))


def test_statistics_of_parts_add_up_to_those_of_the_whole() -> None:
    x, y = linear(90)
    bounds = Bounds()
    whole = statistics(x, y, bounds=bounds)
    parts = [statistics(x[a:b], y[a:b], bounds=bounds) for a, b in pairwise((0, 20, 50, 90))]
    total = parts[0] + parts[1] + parts[2]
    assert np.allclose(total.xx, whole.xx, atol=1e-12)
    assert np.allclose(total.xy, whole.xy, atol=1e-12)
    assert total.yy == pytest.approx(whole.yy)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.floats(-1e6, 1e6), min_size=3, max_size=3),
    st.floats(-1e6, 1e6),
    st.booleans(),
    st.floats(0.1, 10),
)
def test_one_example_moves_the_statistics_by_their_sensitivity_at_most(
    x: list[float], y: float, intercept: bool, bound: float
) -> None:
    bounds = Bounds(x=bound, y=2.0, intercept=intercept)
    one = statistics(np.array([x]), np.array([y]), bounds=bounds)
    upper = one.xx[np.triu_indices(len(one.xx))]
    assert np.linalg.norm(one.xx) <= bound**2  # the intercept's column included
    assert np.linalg.norm(upper) <= bound**2
    assert np.linalg.norm(one.xy) <= 2 * bound
    assert np.linalg.eigvalsh(one.xx)[-1] <= bound**2 * (1 + 1e-12)


def test_appending_a_one_after_clipping_would_exceed_the_bound() -> None:
    row = np.array([[0.6, 0.8]])  # length 1, the bound
    wrong = np.hstack([row, [[1.0]]])
    assert np.linalg.norm(wrong.T @ wrong) == pytest.approx(2.0)
    right = Bounds(x=1.0).rows(row)
    assert np.linalg.norm(right.T @ right) <= 1.0


def test_with_a_large_budget_it_is_least_squares() -> None:
    x, y = linear(4000)
    bounds = Bounds()
    fit = adassp(
        statistics(x, y, bounds=bounds),
        epsilon=400.0,
        delta=1e-6,
        bounds=bounds,
        stream=stream(),
    )
    exact = np.linalg.lstsq(bounds.predict_rows(x), y, rcond=None)[0]
    assert np.abs(fit.coefficients - exact).max() < 0.05
    assert r_squared(fit.coefficients, x, y, bounds) > 0.98


def test_the_fit_gets_better_with_epsilon_and_with_examples() -> None:
    bounds = Bounds()

    def fitted(n: int, epsilon: float) -> float:
        x, y = linear(n)
        scores = []
        for seed in range(5):
            fit = adassp(
                statistics(x, y, bounds=bounds),
                epsilon=epsilon,
                delta=1e-6,
                bounds=bounds,
                stream=stream(seed),
            )
            scores.append(r_squared(fit.coefficients, *linear(1000, seed=9), bounds))
        return float(np.mean(scores))

    assert fitted(2000, 0.1) < fitted(2000, 1.0) < fitted(2000, 10.0)
    assert fitted(20_000, 1.0) > fitted(2000, 1.0)
    assert fitted(20_000, 1.0) > 0.95


def test_the_noise_on_the_statistics_is_what_epsilon_asks_for() -> None:
    d, zero = 60, np.zeros((60, 60))
    bounds = Bounds(x=2.0, intercept=False)
    fit = adassp(
        Statistics(zero, np.zeros(d), 0.0),
        epsilon=1.0,
        delta=1e-6,
        bounds=bounds,
        stream=stream(1),
    )
    assert fit.ridge > 0  # no data: the ridge alone keeps the system solvable
    assert np.abs(fit.coefficients).max() < 1


def test_examples_that_are_no_numbers_are_refused() -> None:
    bounds = Bounds()
    for x, y in (
        ([[math.nan]], [0.0]),
        ([[0.0]], [math.inf]),
        ([[0.0]], [0.0, 1.0]),
    ):
        with pytest.raises(DataError):
            statistics(np.array(x), np.array(y), bounds=bounds)
    with pytest.raises(ConfigError):
        Bounds(x=0.0)
    with pytest.raises(ConfigError):
        Bounds(y=math.inf)


def forest(**changes: object) -> SharedTrees:
    settings_: dict[str, object] = {
        "seed": 3,
        "trees": 30,
        "depth": 5,
        "low": np.zeros(4),
        "high": np.ones(4),
    }
    return SharedTrees(**{**settings_, **changes})  # type: ignore[arg-type]


def squares(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.random((n, 4))
    return x, (2 * (x[:, 0] > 0.5) + (x[:, 1] > 0.5)).astype(np.int64)


def test_trees_are_the_same_wherever_the_seed_is_known() -> None:
    for one, other in zip(forest().splits, forest().splits, strict=True):
        assert (one == other).all()
    assert (forest(seed=4).splits[1] != forest().splits[1]).any()


def test_a_leaf_is_where_the_splits_lead_one_by_one() -> None:
    trees = forest(trees=3, depth=4)
    features, thresholds = trees.splits
    x = np.random.default_rng(1).random((50, 4))
    for tree in range(3):
        for row in range(50):
            node = 0
            for _ in range(4):
                right = x[row, features[tree, node]] > thresholds[tree, node]
                node = 2 * node + (2 if right else 1)
            assert trees.leaves(x)[tree, row] == node - 15


def test_counts_of_clients_add_up_to_those_of_the_whole_exactly() -> None:
    x, y = squares(300, 0)
    trees = forest()
    whole = trees.counts(x, y, classes=4)
    parts = [trees.counts(x[i::10], y[i::10], classes=4) for i in range(10)]
    assert (np.sum(parts, axis=0) == whole).all()
    assert whole.dtype == np.int64
    assert whole.sum() == 300 * 30


def test_one_example_moves_the_counts_by_the_stated_sensitivity() -> None:
    x, y = squares(40, 1)
    trees = forest()
    moved = trees.counts(x, y, classes=4) - trees.counts(x[1:], y[1:], classes=4)
    assert np.abs(moved).sum() == 30
    disjoint = trees.disjoint_counts(x, y, classes=4, stream=stream())
    assert disjoint.sum() == 40


def test_a_private_forest_predicts() -> None:
    x, y = squares(4000, 2)
    test_x, test_y = squares(1000, 3)
    trees = forest()
    accuracy = {}
    for epsilon in (0.05, 4.0):
        counts = trees.disjoint_counts(x, y, classes=4, stream=stream(1))
        noisy = noisy_counts(counts, epsilon=epsilon, sensitivity=1, stream=stream(2))
        chosen = trees.probabilities(noisy, test_x).argmax(axis=1)
        accuracy[epsilon] = float((chosen == test_y).mean())
    assert accuracy[4.0] > 0.85
    assert accuracy[0.05] < accuracy[4.0]
    rows = trees.probabilities(noisy, test_x).sum(axis=1)
    assert np.allclose(rows, 1)


def test_the_noise_on_counts_is_discrete_laplace_of_the_right_scale() -> None:
    noisy = noisy_counts(
        np.zeros((100, 32, 40), np.int64), epsilon=0.5, sensitivity=3, stream=stream(4)
    )
    assert noisy.dtype == np.int64
    ratio = math.exp(-0.5 / 3)
    expected = math.sqrt(2 * ratio) / (1 - ratio)
    assert noisy.std() == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize(
    "changes",
    [
        {"trees": 0},
        {"depth": 0},
        {"depth": 17},
        {"low": np.ones(4), "high": np.zeros(4)},
        {"high": np.full(4, math.inf)},
        {"low": np.zeros(3)},
    ],
)
def test_trees_that_cannot_be_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        forest(**changes)


def test_examples_that_do_not_fit_the_trees_are_refused() -> None:
    x, y = squares(5, 0)
    for wrong_x, wrong_y in (
        (x[:, :3], y),
        (np.full((5, 4), math.nan), y),
        (x, y[:4]),
        (x, y + 4),
        (x, y.astype(float)),
    ):
        with pytest.raises(DataError):
            forest().counts(wrong_x, wrong_y, classes=4)
