"""Least squares from statistics: as exact as all data in one place, or refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from parity_flwr.core.linear import (
    Moments,
    Root,
    disagreement,
    merge,
    moments_of,
    root_of,
    solve,
    to_root,
)
from parity_flwr.core.linear.roots import residual
from parity_flwr.core.linear.wire import pack_root, unpack_root
from parity_flwr.errors import ConfigError, DataError
from sample_tables import sample_table

Values = NDArray[np.float64]


def diabetes() -> tuple[Values, Values]:
    return sample_table("diabetes")


def badly_scaled() -> tuple[Values, Values]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(500, 6)) * 10.0 ** np.array([-1, 0, 1, 2, 3, 4]) + 1e4
    return x, x @ rng.normal(size=6) + rng.normal(size=500)


def rank_deficient() -> tuple[Values, Values]:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(300, 5))
    x = np.column_stack([x, x[:, 0] + x[:, 1], np.ones(300)])
    return x, x[:, 0] + rng.normal(size=300)


def wide() -> tuple[Values, Values]:
    rng = np.random.default_rng(2)
    return rng.normal(size=(20, 30)), rng.normal(size=20)


def nearly_dependent() -> tuple[Values, Values]:
    rng = np.random.default_rng(3)
    x = np.vander(np.linspace(0, 1, 400), 9)[rng.permutation(400)]
    return x, np.sin(5 * x[:, -2]) + 0.1 * rng.normal(size=400)


DATA = {
    "diabetes": diabetes,
    "badly scaled": badly_scaled,
    "rank deficient": rank_deficient,
    "more features than examples": wide,
    "nearly dependent": nearly_dependent,
}


def divided(x: Values, y: Values, parts: int, seed: int = 0) -> list[Root]:
    """Return the roots of unequal parts, one of them a single example."""
    rng = np.random.default_rng(seed)
    cuts = np.sort(rng.choice(np.arange(2, len(y)), parts - 2, replace=False))
    cuts = np.concatenate([[1], cuts])
    pairs = zip(np.split(x, cuts), np.split(y, cuts), strict=True)
    return [root_of(*pair) for pair in pairs]


def apart(found: Any, expected: Any) -> float:
    scale = max(1.0, float(np.abs(expected).max()))
    return float(np.abs(np.asarray(found) - expected).max()) / scale


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("name", DATA)
def test_the_fit_is_scikit_learns_on_the_pooled_data(name: str, intercept: bool) -> None:
    from sklearn.linear_model import LinearRegression, Ridge

    x, y = DATA[name]()
    whole = merge(divided(x, y, 7))
    ols = LinearRegression(fit_intercept=intercept).fit(x, y)
    coefficients, constant = solve(whole, intercept=intercept)
    assert apart(coefficients, ols.coef_) < 1e-8
    assert apart(constant, ols.intercept_) < 1e-8
    ridge = Ridge(alpha=2.5, fit_intercept=intercept, solver="svd").fit(x, y)
    coefficients, constant = solve(whole, ridge=2.5, intercept=intercept)
    assert apart(coefficients, ridge.coef_) < 1e-8
    assert apart(constant, ridge.intercept_) < 1e-8


def test_far_means_and_small_spreads_keep_their_digits() -> None:
    """A case where scikit-learn's own float64 fit is off, checked in long double."""
    rng = np.random.default_rng(4)
    x = rng.normal(size=(500, 3)) * [1e-2, 1.0, 1e5] + 1e5
    y = x @ [2.0, 1.0, -3.0] + rng.normal(size=500)
    exact = np.column_stack([x, y]).astype(np.longdouble)
    exact -= exact.mean(axis=0)
    scale = np.sqrt((exact[:, :3] ** 2).sum(axis=0))
    design = exact[:, :3] / scale
    system = np.column_stack([design.T @ design, design.T @ exact[:, 3]])
    for i in range(3):
        system[i] /= system[i, i]
        for j in {0, 1, 2} - {i}:
            system[j] -= system[j, i] * system[i]
    expected = (system[:, 3] / scale).astype(np.float64)
    whole = merge(divided(x, y, 5))
    assert apart(solve(whole, tolerance=1e-12)[0], expected) < 1e-8
    assert abs(solve(whole)[0][0]) < 1e-3  # the default takes so small a spread for none


@settings(deadline=None, max_examples=40)
@given(st.integers(2, 60), st.integers(1, 6), st.integers(1, 8), st.integers(0, 10**6))
def test_merging_is_one_factorisation_of_everything(
    n: int, d: int, parts: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(n, d)) * 10.0 ** rng.integers(-3, 4, d), rng.normal(size=n)
    pieces = np.array_split(rng.permutation(n), min(parts, n))
    merged = merge([root_of(x[rows], y[rows]) for rows in pieces])
    whole = root_of(x, y)
    assert merged.count == whole.count == n
    scale = np.abs(whole.triangle).max()
    squared = merged.triangle.T @ merged.triangle
    np.testing.assert_allclose(
        squared, whole.triangle.T @ whole.triangle, rtol=0, atol=1e-10 * max(scale**2, 1)
    )
    np.testing.assert_allclose(merged.mean, whole.mean, rtol=1e-12, atol=1e-9)


def test_weights_repeat_examples() -> None:
    x, y = diabetes()
    twice = merge([root_of(x[:50], y[:50]), root_of(x[50:90], y[50:90])], [1.0, 2.0])
    repeated = root_of(np.vstack([x[:90], x[50:90]]), np.concatenate([y[:90], y[50:90]]))
    assert twice.count == repeated.count == 130
    assert apart(solve(twice)[0], solve(repeated)[0]) < 1e-10


def test_residual_by_hand() -> None:
    root = root_of(np.array([[0.0], [2.0]]), np.array([1.0, 3.0]))
    assert residual(root, np.array([1.0]), 1.0) == pytest.approx(0.0, abs=1e-12)
    assert residual(root, np.array([0.0]), 2.0) == pytest.approx(1.0)
    assert residual(root, np.array([0.0]), 0.0) == pytest.approx(5.0)


def sane() -> dict[str, Any]:
    return {"count": 5, "mean": np.zeros(2), "triangle": np.eye(2)}


NONSENSE: dict[str, dict[str, Any]] = {
    "no examples": {"count": 0},
    "fewer than none": {"count": -3},
    "too many": {"count": 2**60},
    "a count that is no integer": {"count": 2.5},
    "more rank than examples": {"count": 2},
    "a mean that is NaN": {"mean": np.array([np.nan, 0])},
    "an infinite entry": {"triangle": np.array([[np.inf, 0], [0, 1]])},
    "squares that overflow": {"triangle": np.array([[1e200, 0], [0, 1]])},
    "below the diagonal": {"triangle": np.array([[1.0, 0], [1, 1]])},
    "a negative diagonal": {"triangle": np.array([[-1.0, 0], [0, 1]])},
    "no square": {"triangle": np.zeros((2, 3))},
    "another size": {"triangle": np.zeros((3, 3))},
    "no features": {"mean": np.zeros(1), "triangle": np.zeros((1, 1))},
    "float32": {"mean": np.zeros(2, np.float32)},
}


@pytest.mark.parametrize("name", NONSENSE)
def test_roots_that_no_data_have_are_refused(name: str) -> None:
    Root(**sane())
    with pytest.raises(DataError, match="a root needs"):
        Root(**{**sane(), **NONSENSE[name]})


def test_a_root_travels_and_hostile_arrays_do_not() -> None:
    x, y = diabetes()
    root = root_of(x, y)
    again = unpack_root(pack_root(root), features=10)
    assert np.array_equal(again.triangle, root.triangle)
    assert np.array_equal(again.mean, root.mean)
    for change in (
        {"0": np.array([1, 2])},
        {"1": np.zeros(11, np.float32)},
        {"2": np.zeros(3)},
        {"2": np.full(66, np.nan)},
    ):
        with pytest.raises(DataError):
            unpack_root({**pack_root(root), **change}, features=10)
    with pytest.raises(DataError):
        unpack_root(pack_root(root), features=9)
    with pytest.raises(DataError):
        unpack_root({}, features=10)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_data_that_are_not_finite_have_no_root(bad: float) -> None:
    with pytest.raises(DataError, match="finite"):
        root_of(np.array([[1.0], [bad]]), np.zeros(2))
    with pytest.raises(DataError, match="finite"):
        root_of(np.zeros((0, 2)), np.zeros(0))


def test_merging_and_solving_refuse_nonsense() -> None:
    root = Root(**sane())
    with pytest.raises(ConfigError, match="merging"):
        merge([])
    with pytest.raises(ConfigError, match="merging"):
        merge([root], [0.0])
    with pytest.raises(ConfigError, match="merging"):
        merge([root, root_of(np.eye(4), np.ones(4))])
    for ridge in (-1.0, np.nan, np.inf):
        with pytest.raises(ConfigError, match="ridge"):
            solve(root, ridge=ridge)


@pytest.mark.parametrize("name", ["diabetes", "more features than examples"])
def test_moments_add_up_to_the_same_fit(name: str) -> None:
    x, y = DATA[name]()
    shift = np.append(x.mean(axis=0), y.mean()) + 0.1
    scale = np.append(x.std(axis=0), y.std())
    both = [
        moments_of(x[rows], y[rows], shift=shift, scale=scale)
        for rows in np.array_split(np.arange(len(y)), 4)
    ]
    total = both[0] + both[1] + both[2] + both[3]
    found = solve(to_root(total, shift=shift, scale=scale))[0]
    assert apart(found, solve(root_of(x, y))[0]) < 1e-8


@pytest.mark.parametrize(
    "change",
    [
        {"count": 0.0},
        {"count": -1.0},
        {"count": np.nan},
        {"total": np.array([np.inf, 0])},
        {"gram": np.array([[1.0, 0], [0.5, 1]])},
        {"gram": np.array([[1.0, 2], [2, 1]])},
        {"gram": np.zeros((2, 2)), "total": np.ones(2)},
        {"gram": np.full((2, 2), np.nan)},
        {"gram": np.zeros((3, 3))},
    ],
)
def test_moments_that_no_data_have_are_refused(change: dict[str, Any]) -> None:
    good: dict[str, Any] = {"count": 4.0, "total": np.zeros(2), "gram": np.eye(2)}
    Moments(**good)
    with pytest.raises(DataError, match="moments need"):
        Moments(**{**good, **change})


def test_who_contradicts_the_others_is_told_apart() -> None:
    rng = np.random.default_rng(5)
    truth = rng.normal(size=6)
    roots = []
    for k, n in enumerate([30, 400, 12, 60, 5000, 80, 100, 90, 70, 50]):
        x = rng.normal(size=(n, 6))
        y = x @ truth + rng.normal(size=n)
        roots.append(root_of(x, -y if k in (3, 4, 5) else y))
    found = disagreement(roots)
    assert found[[3, 4, 5]].min() > 10 * np.delete(found, [3, 4, 5]).max()
    assert disagreement(roots[:2]).tolist() == [0.0, 0.0]
