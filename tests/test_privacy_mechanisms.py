"""Calibration: as little noise as holds, and no promise that promises nothing."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parity_flwr.core.privacy.clipping import clip_row, clipped_sum
from parity_flwr.core.privacy.composition import (
    Guarantee,
    advanced_composition,
    basic_composition,
)
from parity_flwr.core.privacy.mechanisms import (
    classic_gaussian_sigma,
    gaussian_delta,
    gaussian_epsilon,
    gaussian_sigma,
    laplace_scale,
)
from parity_flwr.core.privacy.parameters import checked_delta
from parity_flwr.core.privacy.sensitivity import (
    Matrix,
    Relation,
    Vector,
    WeightSource,
    aggregate_sensitivity,
    worst_neighbour,
)
from parity_flwr.core.rows import MatrixRows
from parity_flwr.errors import ConfigError, DataError

BAD = [0, 0.0, -1.0, math.nan, math.inf, -math.inf, True, "1"]


@pytest.mark.parametrize("bad", BAD)
def test_sensitivity_and_epsilon_that_promise_nothing_are_refused(bad: float) -> None:
    for call in (
        lambda: laplace_scale(epsilon=bad, sensitivity=1.0),
        lambda: laplace_scale(epsilon=1.0, sensitivity=bad),
        lambda: gaussian_sigma(epsilon=bad, delta=1e-5, sensitivity=1.0),
        lambda: gaussian_sigma(epsilon=1.0, delta=bad, sensitivity=1.0),
        lambda: gaussian_sigma(epsilon=1.0, delta=1e-5, sensitivity=bad),
        lambda: classic_gaussian_sigma(epsilon=0.5, delta=1e-5, sensitivity=bad),
        lambda: clip_row(np.ones(2), bound=bad),
        lambda: aggregate_sensitivity(clip=bad),
    ):
        with pytest.raises(ConfigError):
            call()


def test_delta_of_one_over_n_or_more_is_refused() -> None:
    assert checked_delta(0.009, units=100) == 0.009
    for delta, units in ((1.0, None), (2.0, None), (0.01, 100), (0.5, 3)):
        with pytest.raises(ConfigError):
            checked_delta(delta, units=units)


@settings(max_examples=100, deadline=None)
@given(st.floats(allow_nan=True, allow_infinity=True), st.floats())
def test_whatever_is_accepted_gives_finite_noise(epsilon: float, delta: float) -> None:
    try:
        sigma = gaussian_sigma(epsilon=epsilon, delta=delta, sensitivity=1.0)
    except ConfigError:
        return
    assert 0 < sigma < math.inf


@pytest.mark.parametrize("epsilon", [0.01, 0.3, 1.0, 7.0, 60.0])
@pytest.mark.parametrize("delta", [1e-9, 1e-5, 0.1])
def test_the_analytic_gaussian_is_tight(epsilon: float, delta: float) -> None:
    sigma = gaussian_sigma(epsilon=epsilon, delta=delta, sensitivity=1.0)
    assert gaussian_delta(epsilon, noise_multiplier=sigma) <= delta
    assert gaussian_delta(epsilon, noise_multiplier=sigma * (1 - 1e-6)) > delta
    assert gaussian_epsilon(delta, noise_multiplier=sigma) == pytest.approx(epsilon, rel=1e-6)


def test_the_analytic_gaussian_agrees_with_dp_accounting() -> None:
    dp = pytest.importorskip("dp_accounting")
    for epsilon, delta in ((0.1, 1e-5), (1.0, 1e-6), (10.0, 1e-3)):
        theirs = (
            dp.get_smallest_gaussian_noise(
                dp.NeighboringRelation.ADD_OR_REMOVE_ONE, 1, epsilon, delta
            )
            if hasattr(dp, "get_smallest_gaussian_noise")
            else None
        )
        from dp_accounting import gaussian_mechanism

        theirs = gaussian_mechanism.get_sigma_gaussian(epsilon, delta)
        ours = gaussian_sigma(epsilon=epsilon, delta=delta, sensitivity=1.0)
        assert ours == pytest.approx(theirs, rel=1e-4)


def test_the_classic_formula_holds_below_one_only_and_needs_more_noise() -> None:
    classic = classic_gaussian_sigma(epsilon=0.9, delta=1e-5, sensitivity=2.0)
    assert classic == pytest.approx(math.sqrt(2 * math.log(1.25e5)) * 2 / 0.9)
    assert gaussian_delta(0.9, noise_multiplier=classic / 2) < 1e-5
    assert classic > gaussian_sigma(epsilon=0.9, delta=1e-5, sensitivity=2.0)
    with pytest.raises(ConfigError, match="epsilon < 1"):
        classic_gaussian_sigma(epsilon=1.0, delta=1e-5, sensitivity=2.0)


def test_composition_as_the_paper_has_it() -> None:
    part = Guarantee(epsilon=0.1, delta=1e-7)
    assert basic_composition([part, part]) == Guarantee(epsilon=0.2, delta=2e-7)
    by_hand = math.sqrt(2 * 100 * math.log(1e5)) * 0.1 + 100 * 0.1 * (math.exp(0.1) - 1)
    total = advanced_composition(part, count=100, slack=1e-5)
    assert total.epsilon == pytest.approx(by_hand)
    assert total.delta == pytest.approx(2e-5)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.floats(-1e12, 1e12, width=64), min_size=1, max_size=20),
    st.floats(1e-6, 1e6),
)
def test_a_clipped_row_never_exceeds_the_bound(row: list[float], bound: float) -> None:
    clipped = clip_row(np.array(row), bound=bound)
    assert math.fsum(x * x for x in clipped.tolist()) <= bound * bound
    norm = math.sqrt(math.fsum(x * x for x in row))
    if norm <= bound * (1 - 1e-6):
        assert clipped.tolist() == row


def test_clipping_leaves_zero_alone_and_refuses_nan() -> None:
    assert clip_row(np.zeros(3), bound=1.0).tolist() == [0, 0, 0]
    assert np.linalg.norm(clip_row(np.full(4, 1e308), bound=1.0)) == pytest.approx(1.0)
    for bad in (math.nan, math.inf):
        with pytest.raises(DataError, match="finite"):
            clip_row(np.array([1.0, bad]), bound=1.0)
        with pytest.raises(DataError, match="finite"):
            clipped_sum(MatrixRows(np.ones((1, 2))), norms=np.array([bad]), bound=1.0)


def test_the_sum_is_that_of_the_clipped_rows() -> None:
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(7, 1000)).astype(np.float32) * rng.uniform(0, 1, (7, 1))
    matrix = matrix.astype(np.float32)
    norms = np.linalg.norm(matrix.astype(np.float64), axis=1)
    ours = clipped_sum(MatrixRows(matrix), norms=norms, bound=9.0)
    twin = sum(clip_row(row, bound=9.0) for row in matrix)
    assert np.allclose(ours, twin, rtol=1e-12, atol=1e-12)


def _fixed(rows: Matrix) -> Vector:
    return np.asarray(0.1 * rows.sum(axis=0))


def _mean(rows: Matrix) -> Vector:
    return np.asarray(rows.mean(axis=0))


def _capped_by_deviation(rows: Matrix) -> Vector:
    """Weigh by closeness to the median, as P-4 does: the weights depend on the updates."""
    distances = np.linalg.norm(rows - np.median(rows, axis=0), axis=1)
    spread = np.median(np.abs(distances - np.median(distances))) + 1e-12
    weights = np.clip(1 - (distances - np.median(distances)) / (3 * spread), 0, 1) + 1e-9
    return np.asarray(weights / weights.sum() @ rows)


@pytest.mark.parametrize("relation", list(Relation))
@pytest.mark.parametrize(
    ("aggregate", "source", "weight"),
    [
        (_fixed, WeightSource.FIXED, 0.1),
        (_mean, WeightSource.PRESENT, 1.0),
        (_capped_by_deviation, WeightSource.UPDATES, 1.0),
    ],
)
def test_no_neighbour_moves_an_aggregate_further_than_the_rule_says(
    aggregate: Callable[[Matrix], Vector],
    source: WeightSource,
    weight: float,
    relation: Relation,
) -> None:
    allowed = aggregate_sensitivity(
        clip=2.0, weights=source, largest_weight=weight, relation=relation
    )
    found = worst_neighbour(
        aggregate,
        n=6,
        d=5,
        clip=2.0,
        relation=relation,
        trials=400,
        rng=np.random.default_rng(1),
    )
    assert found <= allowed * (1 + 1e-9)
    if source is WeightSource.FIXED:  # the search is no straw man
        assert found > 0.95 * allowed


def test_the_naive_bound_for_weights_that_depend_on_the_updates_is_too_small() -> None:
    found = worst_neighbour(
        _capped_by_deviation,
        n=6,
        d=5,
        clip=2.0,
        relation=Relation.REPLACE_ONE,
        trials=400,
        rng=np.random.default_rng(1),
    )
    assert found > 1.5 * (2 * 2.0 / 6)  # 2 * clip * the equal weight
