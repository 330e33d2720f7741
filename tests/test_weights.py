"""Trust, quality, combination and caps (P-2 to P-4)."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import reference
from parity_flwr.core.config import Formula, WeightConfig
from parity_flwr.core.weights import (
    bound_shares,
    cap_examples,
    cap_probation,
    cap_shares,
    combine,
    quality_weight,
    trust_weight,
)
from parity_flwr.errors import ConfigError

Array = NDArray[np.float64]
Four = tuple[float, float, float, float]

EVEN: Four = (0.25, 0.25, 0.25, 0.25)
DECIDED = WeightConfig()
PAPER = WeightConfig(formula=Formula.PAPER)

unit = st.floats(0, 1)
percentages = st.integers(0, 100).map(lambda x: x / 100)
scores = st.tuples(*[st.floats(0, 1000)] * 4)
shares = st.lists(st.just(0.0) | st.floats(1e-6, 1e6), min_size=1, max_size=10).map(np.array)
seeds = st.integers(0, 2**32 - 1)


def test_a_newcomer_is_trusted_by_half() -> None:
    assert trust_weight((500, 500, 500, 500), EVEN, DECIDED) == 0.5


def test_trust_by_hand() -> None:
    # sum_i v_i r_i = 0.7 * 1 + 0.1 * (0 - 0.5 - 1) = 0.55, times slope 8
    alpha = trust_weight((1000, 500, 250, 0), (0.7, 0.1, 0.1, 0.1), DECIDED)
    assert alpha == pytest.approx(1 / (1 + math.exp(-8 * 0.55)))


@pytest.mark.parametrize(
    ("score", "expected"), [(0.0, 0.5), (1.0, 1 / (1 + math.exp(-1))), (500.0, 1.0), (1e3, 1.0)]
)
def test_the_papers_sigmoid_as_printed(score: float, expected: float) -> None:
    assert trust_weight((score,) * 4, EVEN, PAPER) == pytest.approx(expected, rel=1e-15)


@given(scores)
def test_trust_agrees_with_the_twin(values: Four) -> None:
    composite = sum(values) / 4
    decided = reference.sigmoid(8 * (composite - 500) / 500)
    assert trust_weight(values, EVEN, DECIDED) == pytest.approx(decided, abs=1e-12)
    assert trust_weight(values, EVEN, PAPER) == pytest.approx(reference.sigmoid(composite))


@given(scores, st.integers(0, 3), st.floats(0, 1000))
def test_trust_is_bounded_and_rises_with_every_score(
    values: Four, dimension: int, better: float
) -> None:
    raised = list(values)
    raised[dimension] = max(better, values[dimension])
    for config in (DECIDED, PAPER):
        low, high = trust_weight(values, EVEN, config), trust_weight(raised, EVEN, config)
        assert 0 <= low <= high <= 1


@given(scores)
def test_trust_is_symmetric_around_the_newcomer(values: Four) -> None:
    mirrored = [1000 - each for each in values]
    total = trust_weight(values, EVEN, DECIDED) + trust_weight(mirrored, EVEN, DECIDED)
    assert total == pytest.approx(1.0)


def test_a_huge_slope_does_not_overflow() -> None:
    steep = WeightConfig(slope=1000.0)
    assert trust_weight((0,) * 4, EVEN, steep) == pytest.approx(0.0, abs=1e-300)
    assert trust_weight((1000,) * 4, EVEN, steep) == 1.0


def test_four_scores_need_four_weights() -> None:
    with pytest.raises(ValueError, match="shorter"):
        trust_weight((500, 500, 500), EVEN, DECIDED)


def test_quality_by_hand() -> None:
    assert quality_weight(0.5, 0.8, 0.5) == pytest.approx(0.2)
    assert quality_weight(1.0, 1.0, 1.0) == 0
    assert quality_weight(0.0, None, 1.0) == 1


@given(unit, unit, unit)
def test_quality_is_bounded_by_its_factors(
    deviation: float, quality: float, old: float
) -> None:
    beta = quality_weight(deviation, quality, old)
    assert 0 <= beta <= min(1 - deviation, quality, old)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -0.1, 1.1])
def test_quality_outside_the_unit_interval_is_refused(bad: float) -> None:
    for factors in ((bad, 1.0, 1.0), (0.0, bad, 1.0), (0.0, 1.0, bad)):
        with pytest.raises(ConfigError, match="from 0 to 1"):
            quality_weight(*factors)


def test_rounding_is_not_an_error() -> None:
    assert quality_weight(-1e-16, 1 + 1e-15, 1.0) == 1.0


def test_examples_are_capped_at_medians_of_the_positive() -> None:
    assert cap_examples(np.array([0, 10, 20, 30, 2**31]), factor=4).tolist() == [
        0, 10, 20, 30, 100,
    ]  # fmt: skip
    assert cap_examples(np.array([0, 0]), factor=4).tolist() == [0, 0]
    assert cap_examples(np.array([], np.int64), factor=4).size == 0


def test_the_claims_are_not_changed() -> None:
    claims = np.array([1.0, 1.0, 99.0])
    cap_examples(claims, factor=2)
    cap_shares(claims, max_share=0.4)
    cap_probation(claims, np.array([True, True, False]), share=0.0)
    assert claims.tolist() == [1, 1, 99]


def test_combination_by_hand() -> None:
    alpha, beta, examples = np.array([1.0, 0.5]), np.array([0.5, 1.0]), np.array([30, 10])
    assert combine(alpha, beta, examples).tolist() == [0.75, 0.25]
    literal = combine(alpha, beta, examples, formula=Formula.PAPER)
    assert literal.tolist() == [0.375, 0.125]


def test_perfect_clients_give_fedavg_in_both_formulas() -> None:
    examples = np.array([10, 30, 60])
    for formula in Formula:
        weights = combine(np.ones(3), np.ones(3), examples, formula=formula)
        np.testing.assert_allclose(weights, [0.1, 0.3, 0.6], rtol=1e-15)


@pytest.mark.parametrize("formula", Formula)
def test_no_product_no_weight(formula: Formula) -> None:
    zeros = np.zeros(2)
    assert combine(zeros, np.ones(2), np.array([5, 5]), formula=formula).tolist() == [0, 0]
    assert combine(np.ones(2), np.ones(2), zeros, formula=formula).tolist() == [0, 0]
    assert combine(np.zeros(0), np.zeros(0), np.zeros(0), formula=formula).size == 0


@given(st.lists(st.tuples(unit, unit, st.integers(1, 2**31)), min_size=1, max_size=8), seeds)
def test_weights_sum_to_one_or_nothing(
    clients: list[tuple[float, float, int]], seed: int
) -> None:
    alpha, beta, examples = (np.array(column) for column in zip(*clients, strict=True))
    weights = combine(alpha, beta, examples)
    order = np.random.default_rng(seed).permutation(len(clients))
    mixed = combine(alpha[order], beta[order], examples[order])
    assert (weights >= 0).all()
    assert weights.sum() == pytest.approx(1.0 if (alpha * beta).any() else 0.0)
    np.testing.assert_allclose(mixed, weights[order], rtol=1e-12)
    literal = combine(alpha, beta, examples, formula=Formula.PAPER)
    assert literal.sum() <= 1 + 1e-12


@pytest.mark.parametrize("bad", [[math.nan, 1], [math.inf, 1], [-1, 1], [1], [[1, 1]]])
def test_bad_amounts_are_refused(bad: list[float]) -> None:
    for column in range(2):
        columns = [np.ones(2), np.ones(2), np.ones(2)]
        columns[column] = np.array(bad)
        with pytest.raises(ConfigError, match="finite numbers >= 0"):
            combine(columns[0], columns[1], columns[2])


def test_water_filling_by_hand() -> None:
    assert cap_shares(np.array([6.0, 3.0, 1.0]), max_share=0.4).tolist() == [4, 4, 2]
    assert cap_shares(np.array([8.0, 1.0, 1.0]), max_share=0.5).tolist() == [5, 2.5, 2.5]
    # the cap is never below an even share
    assert cap_shares(np.array([9.0, 1.0]), max_share=0.1).tolist() == [5, 5]
    assert cap_shares(np.array([9.0, 0.0]), max_share=0.1).tolist() == [9, 0]
    assert cap_shares(np.zeros(2), max_share=0.1).tolist() == [0, 0]
    assert cap_shares(np.zeros(0), max_share=0.1).size == 0


@given(shares, unit)
def test_shares_are_capped_the_total_kept_and_the_order_too(weights: Array, cap: float) -> None:
    capped = cap_shares(weights, max_share=cap)
    total, positive = weights.sum(), int(np.count_nonzero(weights))
    limit = max(cap, 1 / max(positive, 1)) * total
    assert (capped <= limit * (1 + 1e-9)).all()
    assert capped.sum() == pytest.approx(total, rel=1e-9)
    assert (np.diff(capped[np.argsort(weights)]) >= -1e-9 * total).all()
    assert ((capped > 0) == (weights > 0)).all()
    np.testing.assert_array_equal(cap_shares(capped, max_share=cap), capped)


@given(shares, unit, seeds)
def test_capping_is_equivariant(weights: Array, cap: float, seed: int) -> None:
    order = np.random.default_rng(seed).permutation(weights.size)
    capped = cap_shares(weights, max_share=cap)
    np.testing.assert_allclose(
        cap_shares(weights[order], max_share=cap), capped[order], rtol=1e-9
    )
    np.testing.assert_allclose(cap_shares(weights * 8, max_share=cap), capped * 8, rtol=1e-9)


@given(shares, unit)
def test_water_filling_agrees_with_the_twin(weights: Array, cap: float) -> None:
    expected = reference.cap_shares(weights.tolist(), cap)
    np.testing.assert_allclose(
        cap_shares(weights, max_share=cap), expected, rtol=1e-6, atol=1e-9 * weights.sum()
    )


def test_tiny_weights_do_not_overflow() -> None:
    assert cap_shares(np.array([1.0, 5e-324]), max_share=0.4).tolist() == [0.5, 0.5]
    young = np.array([True, False])
    assert cap_probation(np.array([1.0, 5e-324]), young, share=0.25).tolist() == [0.25, 0.75]


def test_probation_by_hand() -> None:
    young = np.array([False, True, True])
    capped = cap_probation(np.array([1.0, 3.0, 1.0]), young, share=0.2)
    np.testing.assert_allclose(capped, [4.0, 0.75, 0.25])
    few = np.array([9.0, 0.5, 0.5])
    assert cap_probation(few, young, share=0.2).tolist() == few.tolist()


def test_where_all_are_new_nobody_is_held_back() -> None:
    weights = np.array([0.0, 3.0, 1.0])
    for young in ([True, True, True], [False, True, True]):
        assert cap_probation(weights, np.array(young), share=0.2).tolist() == [0, 3, 1]


@given(shares, percentages, st.integers(0, 2**10 - 1))
def test_newcomers_stay_under_their_share(weights: Array, share: float, mask: int) -> None:
    young = np.array([bool(mask >> k & 1) for k in range(weights.size)])
    capped = cap_probation(weights, young, share=share)
    total = weights.sum()
    assert capped.sum() == pytest.approx(total, rel=1e-9)
    if weights[~young].any():
        assert capped[young].sum() <= max(share * total * (1 + 1e-9), 0)
    else:
        np.testing.assert_array_equal(capped, weights)
    again = cap_probation(capped, young, share=share)
    np.testing.assert_allclose(again, capped, rtol=1e-9)


def test_one_cap_after_the_other_would_break_probation() -> None:
    weights, young = np.array([8.0, 0.5, 0.5, 0.5, 0.5]), np.array([False] + [True] * 4)
    apart = cap_shares(cap_probation(weights, young, share=0.2), max_share=0.4)
    assert apart[young].sum() / apart.sum() == pytest.approx(0.6)
    both = bound_shares(weights, young, max_share=0.4, probation_share=0.2)
    assert both.tolist() == [4, 0.5, 0.5, 0.5, 0.5]  # the rest is the old model's


@given(shares, percentages, percentages, st.integers(0, 2**10 - 1))
def test_both_caps_hold_at_once(weights: Array, cap: float, share: float, mask: int) -> None:
    young = np.array([bool(mask >> k & 1) for k in range(weights.size)])
    bounded = bound_shares(weights, young, max_share=cap, probation_share=share)
    total = weights.sum()
    assert bounded.sum() <= total * (1 + 1e-9)
    if weights[~young].any():
        assert bounded[young].sum() <= share * total * (1 + 1e-9)
    members = max(int(np.count_nonzero(bounded)), 1)
    assert (bounded <= max(cap, 1 / members) * total * (1 + 1e-9)).all()


def test_a_vanishing_probation_share_does_not_overflow() -> None:
    young = np.array([True, False])
    bounded = bound_shares(np.ones(2), young, max_share=1.0, probation_share=5e-324)
    assert bounded.tolist() == [5e-324 * 2, 2.0]  # a cap of 1 cuts nobody


def test_without_newcomers_both_caps_are_the_share_cap() -> None:
    weights = np.array([6.0, 3.0, 1.0])
    nobody = np.zeros(3, bool)
    bounded = bound_shares(weights, nobody, max_share=0.4, probation_share=0.2)
    assert bounded.tolist() == cap_shares(weights, max_share=0.4).tolist()
