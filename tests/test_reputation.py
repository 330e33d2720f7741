"""One standing, one round's facts, the next standing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from parity_flwr.core.config import ReputationConfig
from parity_flwr.core.records import ReplyFacts, ReputationState, Standing, Verdict
from parity_flwr.core.reputation import (
    NO_EVENT,
    Event,
    is_excluded,
    newcomer,
    observe,
    settle,
    standing_of,
)
from round_facts import abstained, accepted, missing, refused, standing

CONFIG = ReputationConfig()
EVEN = (0.25, 0.25, 0.25, 0.25)
VIRTUAL = (0.5, 0.5)


def seen(
    before: Standing, facts: ReplyFacts, *, soundness: float = 1.0
) -> tuple[Standing, Event]:
    return observe(before, facts, soundness=soundness, pace=VIRTUAL, config=CONFIG)


def lived(before: Standing, facts: ReplyFacts, *, soundness: float = 1.0) -> Standing:
    after, event = seen(before, facts, soundness=soundness)
    return settle(after, event, dimension_weights=EVEN, config=CONFIG)


def test_a_newcomer_has_the_initial_score_in_every_dimension() -> None:
    assert newcomer(CONFIG).scores == (500.0,) * 4
    assert newcomer(ReputationConfig(initial=300)).composite == pytest.approx(300)
    assert standing_of(ReputationState(), "new", CONFIG) == newcomer(CONFIG)


def test_a_sound_reply_of_a_newcomer_by_hand() -> None:
    after, event = seen(newcomer(CONFIG), accepted(norm=2.0))
    # Success and attendance stay 1, pace is 1/2 twice: P-8 gives 3/4. Output, conformance
    # and data handling are 1, innovation is unknown: P-9 gives 7/8. P-10 gives 1.
    assert event == pytest.approx((0.75, 0.875, 1.0, None))
    assert after.scores == newcomer(CONFIG).scores  # they move in settle
    assert (after.rounds, after.norm, after.history, after.spread) == (1, 2.0, 1.0, 0.0)
    settled = settle(after, event, dimension_weights=EVEN, config=CONFIG)
    assert settled.scores == pytest.approx((512.5, 518.75, 525.0, 500.0))
    assert settled.composite == pytest.approx(514.0625)


def test_a_half_sound_reply_by_hand() -> None:
    after, event = seen(newcomer(CONFIG), accepted(), soundness=0.5)
    assert after.success == after.history == pytest.approx(0.95)  # 0.9 * 1 + 0.1 * 0.5
    assert after.attendance == pytest.approx(1.0)
    assert after.spread == pytest.approx(0.025)  # 0.1 * 0.5^2
    assert after.surprise == pytest.approx(0.05)  # 0.1 * |0.5 - 1|
    expected = (
        0.5 * (0.95 + 0.5 + 1.0 + 0.5) / 4,
        0.5 * 0.875,
        0.5 * (1 / 1.025 + 1.0 + 0.95 + 1.0) / 4,
    )
    assert event[:3] == pytest.approx(expected)


@pytest.mark.parametrize(("earned", "rounds"), [(500.0, 5), (1000.0, 7)])
def test_unsound_work_earns_nothing_and_excludes(earned: float, rounds: int) -> None:
    # 3/4 R 0.7^k + 500/4 is under 200 when 0.7^k is under 100/R.
    liar = Standing(scores=(earned, earned, earned, 500.0), composite=0.75 * earned + 125)
    for _ in range(rounds):
        assert not is_excluded(liar, CONFIG)
        assert seen(liar, accepted(), soundness=0.0)[1] == (0.0, 0.0, 0.0, None)
        liar = lived(liar, accepted(), soundness=0.0)
    assert is_excluded(liar, CONFIG)


def test_quality_that_others_saw_counts_in_the_event_and_in_the_history() -> None:
    after, event = seen(newcomer(CONFIG), accepted(quality=0.5))
    assert event[1] == pytest.approx((0.5 + 1 + 1 + 0.5) / 4)
    assert after.history == pytest.approx(0.95)
    assert after.success == pytest.approx(1.0)


def test_a_contribution_that_the_rule_measured_is_the_innovation() -> None:
    _, event = seen(newcomer(CONFIG), accepted(figures={"contribution": 1.0}))
    assert event[1] == pytest.approx(1.0)


def test_pace_is_part_of_performance_only() -> None:
    events = [
        observe(newcomer(CONFIG), accepted(), soundness=1.0, pace=pace, config=CONFIG)[1]
        for pace in ((1.0, 1.0), (0.0, 0.0))
    ]
    assert events[0][0] == pytest.approx(1.0)
    assert events[1][0] == pytest.approx(0.5)
    assert events[0][1:] == events[1][1:]


def test_norms_that_jump_are_unstable() -> None:
    first, _ = seen(newcomer(CONFIG), accepted(norm=2.0))
    second, _ = seen(first, accepted(norm=8.0))
    assert first.stability == 1.0  # nothing to compare with yet
    assert second.stability == pytest.approx(0.9 + 0.1 * 0.25)
    assert seen(second, accepted(norm=None))[0].stability > second.stability  # unknown


def test_response_times_are_a_decayed_mean_from_the_first_one_on() -> None:
    first, _ = seen(newcomer(CONFIG), accepted(time_s=4.0))
    second, _ = seen(first, accepted(time_s=14.0))
    assert (first.response, second.response) == pytest.approx((4.0, 5.0))


def test_an_abstention_is_no_event_and_no_penalty() -> None:
    before = standing(700)
    after, event = seen(before, abstained())
    assert event == NO_EVENT
    assert after == replace(before, rounds=1)
    assert lived(before, abstained()).scores == before.scores


def test_a_fault_counts_against_reliability_and_not_against_quality() -> None:
    after, event = seen(standing(700), missing())
    assert event == (0.0, None, 0.0, None)
    assert (after.faults, after.quarantines, after.rounds) == (1, 0, 1)
    assert (after.success, after.attendance) == pytest.approx((0.9, 0.9))
    assert (after.history, after.spread) == (1.0, 0.0)
    assert lived(standing(700), missing()).scores == pytest.approx((490, 700, 490, 700))


def test_an_error_that_came_as_a_reply_is_a_fault_too() -> None:
    facts = ReplyFacts(identity="a", verdict=Verdict.QUARANTINED, reason="OOM", fault=True)
    assert seen(newcomer(CONFIG), facts) == seen(newcomer(CONFIG), missing())


def test_faults_alone_never_exclude() -> None:
    unlucky = newcomer(CONFIG)
    for _ in range(500):
        unlucky = lived(unlucky, missing())
    assert unlucky.composite == pytest.approx(250)
    assert not is_excluded(unlucky, CONFIG)


def test_a_refused_reply_is_no_work_at_all() -> None:
    after, event = seen(standing(700), refused())
    assert event == (0.0, 0.0, 0.0, None)
    assert (after.quarantines, after.faults, after.rounds) == (1, 0, 1)
    assert (after.success, after.history, after.spread) == pytest.approx((0.9, 0.9, 0.1))
    assert after.attendance == 1.0  # it did come
    assert lived(standing(700), refused()).scores == pytest.approx((490, 490, 490, 700))


def test_refusals_exclude_a_newcomer_within_six_rounds() -> None:
    broken = newcomer(CONFIG)
    for _ in range(6):
        broken = lived(broken, refused())
    assert is_excluded(broken, CONFIG)


def test_an_excluded_client_recovers_by_sound_work() -> None:
    sinner = standing(150)
    rounds = 0
    while is_excluded(sinner, CONFIG):
        sinner, rounds = lived(sinner, accepted()), rounds + 1
    assert 1 <= rounds <= 10


@pytest.mark.parametrize(("score", "excluded"), [(199.999, True), (200.0, False)])
def test_the_threshold_itself_is_not_excluded(score: float, excluded: bool) -> None:
    assert is_excluded(standing(score), CONFIG) is excluded


def test_a_ban_outlives_any_score() -> None:
    banned = standing(1000, banned=True)
    assert is_excluded(banned, CONFIG)
    assert is_excluded(lived(banned, accepted()), CONFIG)


def test_settle_takes_the_given_dimension_weights() -> None:
    before = Standing(scores=(800, 400, 200, 500), composite=0)
    after = settle(before, NO_EVENT, dimension_weights=(0.4, 0.3, 0.2, 0.1), config=CONFIG)
    assert after.composite == pytest.approx(530)
    assert after.scores == before.scores
