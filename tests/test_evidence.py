"""What a round's figures say about each update (P-6 and the factors beyond it)."""

from __future__ import annotations

import math
from dataclasses import replace
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import reference
from parity_flwr.core.config import Design, RobustnessConfig
from parity_flwr.core.evidence import (
    BALANCE,
    DIRECTION,
    MEMORY,
    Evidence,
    is_working,
    penalty_among,
    weigh_evidence,
)
from parity_flwr.core.records import ReplyFacts
from round_facts import accepted

CONFIG = RobustnessConfig(design=Design.NEIGHBOUR)
ABSOLUTE = RobustnessConfig(design=Design.NEIGHBOUR, tau=2.0, lambda_=0.5)

sizes = st.just(0.0) | st.floats(1e-3, 100)  # the spread has a floor at 1e-12
figures = st.fixed_dictionaries(
    {MEMORY: sizes, DIRECTION: st.floats(-1, 1), BALANCE: st.floats(0, 1)}
)
replies = st.lists(
    st.builds(
        accepted,
        norm=sizes,
        rho=sizes,
        figures=figures | st.builds(dict),
    ),
    max_size=9,
)


def penalties(given: list[ReplyFacts], config: RobustnessConfig = CONFIG) -> list[float]:
    return [each.penalty for each in weigh_evidence(given, config)]


def with_rho(*rho: float) -> list[ReplyFacts]:
    return [accepted(rho=each) for each in rho]


def with_figure(name: str, *values: float) -> list[ReplyFacts]:
    return [accepted(figures={name: each}) for each in values]


def test_absolute_constants_give_equation_6_by_hand() -> None:
    expected = [1.0, 1.0, math.exp(-0.5), math.exp(-4)]
    assert penalties(with_rho(1, 2, 3, 10), ABSOLUTE) == pytest.approx(expected)


def test_relative_constants_by_hand() -> None:
    # Median 3, MAD 1.4826: tau = 3 + 2.5 MAD = 6.7065 and lambda = 1.5 / MAD = 1.01174.
    expected = [1, 1, 1, 1, math.exp(-1.5 / 1.4826 * (12 - 6.7065))]
    assert penalties(with_rho(1, 2, 3, 4, 12)) == pytest.approx(expected)


def test_penalty_and_soundness_are_one_figure() -> None:
    weighed = weigh_evidence(with_rho(1, 2, 3, 4, 7), CONFIG)
    assert 0 < weighed[4].penalty < 1
    assert [each.soundness for each in weighed] == [each.penalty for each in weighed]


@pytest.mark.parametrize("n", [0, 1, 2, 3])
def test_few_replies_say_nothing_about_each_other(n: int) -> None:
    wild = [accepted(rho=10.0**k, norm=10.0**-k, figures={DIRECTION: -1.0}) for k in range(n)]
    assert weigh_evidence(wild, CONFIG) == (Evidence(),) * n


def test_a_free_rider_has_no_weight_and_does_not_move_the_others() -> None:
    working = with_rho(1, 2, 3, 4, 12)
    idle = accepted(norm=0.09, rho=0.0)  # under a tenth of the median norm, 1
    assert penalties([*working, idle])[:5] == penalties(working)
    assert penalties([*working, idle])[5] == 0.0
    assert penalties([*working, replace(idle, norm=0.11)])[5] == 1.0


def test_a_converged_model_makes_nobody_a_free_rider() -> None:
    still = [accepted(norm=0.0, rho=0.0) for _ in range(5)]
    assert penalties(still) == [1.0] * 5
    assert penalties([*still, accepted(norm=1.0, rho=1.0)]) == [1.0] * 6


def test_the_memory_counts_where_it_is_worse_than_this_round() -> None:
    far = with_figure(MEMORY, 1.0, 2.0, 3.0, 4.0, 12.0)
    assert penalties(far) == pytest.approx([1, 1, 1, 1, math.exp(-1.5 / 1.4826 * 5.2935)])
    near = [replace(each, rho=rho) for each, rho in zip(far, (12, 1, 2, 3, 4), strict=True)]
    expected = math.exp(-1.5 / 1.4826 * 5.2935)
    assert penalties(near) == pytest.approx([expected, 1, 1, 1, expected])


def test_a_memory_of_fewer_than_four_says_nothing() -> None:
    assert penalties([*with_figure(MEMORY, 1, 1, 99), *with_rho(1, 1)]) == [1.0] * 5


def test_the_memory_of_free_riders_does_not_move_the_others() -> None:
    working = with_figure(MEMORY, 1.0, 2.0, 3.0, 4.0, 12.0)
    idle = [accepted(norm=0.01, figures={MEMORY: 99.0}) for _ in range(3)]
    assert penalties([*working, *idle]) == [*penalties(working), 0.0, 0.0, 0.0]


def test_newcomers_are_not_measured_against_the_memory_of_others() -> None:
    assert penalties([*with_figure(MEMORY, 5, 5, 5, 5.1), accepted()]) == [1.0] * 5


@pytest.mark.parametrize(
    ("direction", "factor"), [(1, 1), (0, 1), (-0.075, 0.5), (-0.15, 0), (-1, 0)]
)
def test_a_direction_against_the_others_by_hand(direction: float, factor: float) -> None:
    assert penalties(with_figure(DIRECTION, 1, 1, 1, direction))[3] == pytest.approx(factor)


@pytest.mark.parametrize(
    ("balance", "factor"), [(0, 1), (0.2, 1), (0.3, 0.5), (0.4, 0), (1, 0)]
)
def test_a_one_sidedness_by_hand(balance: float, factor: float) -> None:
    assert penalties(with_figure(BALANCE, 0, 0, 0, balance))[3] == pytest.approx(factor)


def test_factors_multiply() -> None:
    doubtful = accepted(rho=3.0, figures={DIRECTION: -0.075, BALANCE: 0.3})
    given = [*with_rho(1, 1, 1), doubtful]
    assert penalties(given, ABSOLUTE)[3] == pytest.approx(math.exp(-0.5) / 4)


def test_missing_figures_are_no_evidence_against_anybody() -> None:
    bare = [accepted(norm=None, rho=None, deviation=None) for _ in range(5)]
    assert penalties(bare) == [1.0] * 5
    assert penalties([*with_rho(1, 1, 1, 1), accepted(rho=None)]) == [1.0] * 5


@given(replies, st.randoms(use_true_random=False))
def test_order_does_not_matter(given: list[ReplyFacts], random: Random) -> None:
    order = list(range(len(given)))
    random.shuffle(order)
    whole = penalties(given)
    assert penalties([given[k] for k in order]) == [whole[k] for k in order]


@given(replies, st.sampled_from([2.0**-20, 0.5, 2.0, 2.0**30]))
def test_the_scale_of_the_model_does_not_matter(given: list[ReplyFacts], scale: float) -> None:
    def grown(reply: ReplyFacts) -> ReplyFacts:
        bigger = {**reply.figures}
        if MEMORY in bigger:
            bigger[MEMORY] *= scale
        norm, rho = (reply.norm or 0.0) * scale, (reply.rho or 0.0) * scale
        return replace(reply, figures=bigger, norm=norm, rho=rho)

    assert penalties([grown(each) for each in given]) == pytest.approx(penalties(given))


@given(replies)
def test_factors_are_shares(given: list[ReplyFacts]) -> None:
    assert all(0.0 <= each <= 1.0 for each in penalties(given))


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=12))
def test_penalties_agree_with_the_naive_twin(values: list[float]) -> None:
    median, mad = reference.median_and_spread(values, CONFIG.spread_floor)
    tau, rate = (median + 2.5 * mad, 1.5 / mad) if median > 0 else (max(values), 0.0)
    found = penalty_among(np.array(values), np.ones(len(values), bool), CONFIG)
    assert found.tolist() == pytest.approx(reference.penalty(values, tau, rate), abs=1e-9)


def test_huge_distances_underflow_to_zero_without_a_warning() -> None:
    values = np.array([1.0, 1.0, 1.0, 1e300])
    sharp = RobustnessConfig(design=Design.NEIGHBOUR, lambda_=1e300)
    assert penalty_among(values, np.ones(4, bool), sharp).tolist() == [1, 1, 1, 0]


def test_somebody_is_always_working() -> None:
    strict = RobustnessConfig(design=Design.NEIGHBOUR, idle_share=1.0)
    assert is_working(np.array([1.0, 2.0, 3.0]), strict).tolist() == [False, True, True]
    assert is_working(np.zeros(3), strict).all()
