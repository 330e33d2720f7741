"""A whole round as a pure function (P-2 to P-12, Algorithm 1)."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from parity_flwr.core.config import Formula, ReputationConfig, RobustnessConfig, TrustConfig
from parity_flwr.core.records import (
    Action,
    ReputationState,
    RoundDecision,
    RoundFacts,
    RoundStatus,
    Standing,
)
from parity_flwr.core.rounds import apply_actions, decide, excluded_identities
from parity_flwr.errors import JournalError
from round_facts import (
    abstained,
    accepted,
    honest_round,
    missing,
    refused,
    round_of,
    standing,
    state_of,
    weights_of,
)

CONFIG = TrustConfig()
NEW = ReputationState()
REAL = TrustConfig(real_clock=True, robustness=RobustnessConfig(min_replies=3))


def play(
    *rounds: RoundFacts, config: TrustConfig = CONFIG, start: ReputationState = NEW
) -> tuple[ReputationState, RoundDecision]:
    state, decision = start, RoundDecision(status=RoundStatus.REJECTED)
    for facts in rounds:
        state, decision = decide(state, facts, config)
    return state, decision


def test_an_unremarkable_round_by_hand() -> None:
    state, decision = decide(NEW, honest_round(4, number=7), CONFIG)
    assert (decision.status, decision.reason) == (RoundStatus.ACCEPTED, "")
    assert [each.weight for each in decision.replies] == pytest.approx([0.25] * 4)
    assert [each.alpha for each in decision.replies] == [0.5] * 4
    assert decision.replies[0].dimensions == pytest.approx((0.75, 0.875, 1.0, 0.5))
    assert state.standings["c00"].scores == pytest.approx((512.5, 518.75, 525.0, 500.0))
    assert state.round == 7
    assert state.dimension_weights == NEW.dimension_weights
    assert list(state.standings) == ["c00", "c01", "c02", "c03"]


def test_weights_follow_the_reputation_before_the_round() -> None:
    start = state_of({f"c{k:02}": standing(500 + 50 * k, rounds=9) for k in range(4)})
    _, decision = decide(start, honest_round(4), CONFIG)
    alpha = [1 / (1 + math.exp(-8 * 50 * k / 500)) for k in range(4)]
    assert [each.weight for each in decision.replies] == pytest.approx(
        [each / sum(alpha) for each in alpha]
    )


def test_decisions_stand_in_the_order_of_the_facts() -> None:
    facts = round_of(accepted("b"), refused("a"), missing("d"), abstained("c"), accepted("e"))
    _, decision = decide(NEW, facts, replace(CONFIG, quorum=0.1))
    assert [each.identity for each in decision.replies] == list("abcde")
    assert [each.weight for each in decision.replies] == pytest.approx([0, 0.5, 0, 0, 0.5])
    by_name = {each.identity: each.dimensions for each in decision.replies}
    assert by_name["a"] == (0, 0, 0, 0.5)
    assert by_name["c"] is None  # no event
    assert by_name["d"] == (0, 0.5, 0, 0.5)  # a fault says nothing about quality


def test_a_refused_reply_changes_nothing_for_the_others() -> None:
    five = honest_round(5)
    _, with_it = decide(NEW, replace(five, replies=(*five.replies, refused("z"))), CONFIG)
    _, without = decide(NEW, five, CONFIG)
    assert with_it.replies[:5] == without.replies


# quorum and rejection


@pytest.mark.parametrize(
    ("quorum", "came", "selected", "status"),
    [
        (0.5, 5, 10, RoundStatus.ACCEPTED),
        (0.5, 4, 10, RoundStatus.REJECTED),
        (0.5, 5, 11, RoundStatus.REJECTED),
        (1.0, 10, 10, RoundStatus.ACCEPTED),
        (0.0, 1, 10, RoundStatus.ACCEPTED),
        (0.0, 0, 10, RoundStatus.REJECTED),
        (0.07, 7, 100, RoundStatus.ACCEPTED),  # 0.07 * 100 is 7.000000000000001
        (0.07, 6, 100, RoundStatus.REJECTED),
    ],
)
def test_quorum(quorum: float, came: int, selected: int, status: RoundStatus) -> None:
    replies = [accepted(f"c{k:02}") for k in range(came)]
    absent = [missing(f"m{k:02}") for k in range(selected - came)]
    facts = round_of(*replies, *absent)
    _, decision = decide(NEW, facts, replace(CONFIG, quorum=quorum))
    assert decision.status is status
    if status is RoundStatus.REJECTED:
        assert decision.reason.startswith("quorum: ")
        assert not any(each.weight for each in decision.replies)


def test_the_reason_counts_the_replies() -> None:
    _, decision = decide(NEW, round_of(accepted("a"), missing("b"), missing("c")), CONFIG)
    assert decision.reason == "quorum: 2 of 3 replies needed, 1 came"


def test_a_round_that_selected_nobody_is_rejected() -> None:
    state, decision = decide(NEW, round_of(number=3), CONFIG)
    assert decision.status is RoundStatus.REJECTED
    assert state == ReputationState(round=3)


def test_a_round_without_any_weight_is_rejected() -> None:
    start = state_of({f"c{k:02}": standing(100) for k in range(4)})
    state, decision = decide(start, honest_round(4), CONFIG)
    assert (decision.status, decision.reason) == (
        RoundStatus.REJECTED,
        "no reply has any weight",
    )
    assert state.standings["c00"].composite > 100  # it did work, and recovers


def test_reputation_moves_in_a_rejected_round() -> None:
    state, decision = decide(NEW, round_of(refused("a"), refused("b")), CONFIG)
    assert decision.status is RoundStatus.REJECTED
    assert state.standings["a"].scores == pytest.approx((350, 350, 350, 500))


def test_few_replies_are_a_weighted_mean_and_the_decision_says_so() -> None:
    _, decision = decide(NEW, honest_round(3), CONFIG)
    assert decision.reason == "3 replies: capped weighted mean"


# what moves and what does not


def test_who_was_not_selected_keeps_everything() -> None:
    start = state_of({"away": standing(321, rounds=4, norm=2.0)})
    state, _ = play(honest_round(4, 1), honest_round(4, 2), start=start)
    assert state.standings["away"] == start.standings["away"]


def test_equation_7_as_printed_forgets_who_was_not_selected() -> None:
    paper = TrustConfig(reputation=ReputationConfig(evolution=Formula.PAPER))
    start = state_of({"away": standing(0.0)})
    state, _ = decide(start, honest_round(4), paper)
    assert state.standings["away"].scores == pytest.approx((25.0,) * 4)  # A: -500, -475


def test_quality_that_others_saw_moves_the_dimension_weights() -> None:
    known = Standing(scores=(900, 100, 500, 500), composite=500)
    start = state_of({f"c{k:02}": known for k in range(4)})
    state, _ = decide(start, honest_round(4, quality=0.9), CONFIG)
    v = state.dimension_weights
    assert v[0] > v[2] == v[3] > v[1]  # performance predicted 0.9, quality did not
    assert sum(v) == pytest.approx(1)
    composites = [each.composite for each in state.standings.values()]
    scores = state.standings["c00"].scores
    assert composites == pytest.approx([sum(a * b for a, b in zip(v, scores, strict=True))] * 4)


def test_without_quality_the_dimension_weights_stay() -> None:
    state, _ = play(*(honest_round(5, k) for k in range(1, 6)))
    assert state.dimension_weights == NEW.dimension_weights


def test_new_dimension_weights_count_for_the_absent_too() -> None:
    tilted = Standing(scores=(900, 100, 500, 500), composite=500)
    start = state_of({"away": tilted, **{f"c{k:02}": tilted for k in range(4)}})
    state, _ = decide(start, honest_round(4, quality=0.9), CONFIG)
    assert state.standings["away"].scores == tilted.scores
    assert state.standings["away"].composite > 500


# the clock


def timed(number: int, scale: float = 1.0) -> RoundFacts:
    replies = [accepted(f"c{k:02}", time_s=scale * 4.0**k) for k in range(5)]
    return round_of(*replies, number=number)


def test_a_real_clock_favours_the_quick_in_the_next_round() -> None:
    _, decision = play(timed(1), timed(2), config=REAL)
    weights = [each.weight for each in decision.replies]
    assert weights == sorted(weights, reverse=True)
    assert weights[0] > weights[4]


def test_a_virtual_clock_favours_nobody() -> None:
    _, decision = play(timed(1), timed(2), timed(3))
    assert [each.weight for each in decision.replies] == pytest.approx([0.2] * 5)
    slow, slow_decision = play(timed(1, 9.0), timed(2, 9.0), timed(3, 9.0))
    assert slow_decision == decision
    assert slow.standings["c00"].response == pytest.approx(9)  # recorded all the same


def test_paces_by_hand() -> None:
    facts = round_of(
        accepted("a", time_s=1.0, num_examples=100),
        accepted("b", time_s=3.0, num_examples=100),
        accepted("c", time_s=0.0),  # unknown
    )
    _, decision = decide(NEW, facts, REAL)
    performance = [each.dimensions[0] for each in decision.replies if each.dimensions]
    # Mean time 2, mean rate 200/3. a: min(2, 2/1)/2 = 1 and min(2, 100/66.7)/2 = 3/4;
    # b: (2/3)/2 = 1/3 and (33.3/66.7)/2 = 1/4; c: 1/2 and 1/2.
    expected = [(2 + 1 + 0.75) / 4, (2 + 1 / 3 + 1 / 4) / 4, (2 + 0.5 + 0.5) / 4]
    assert performance == pytest.approx(expected)


def test_a_claim_of_examples_does_not_make_all_others_look_idle() -> None:
    honest = [accepted(f"c{k}", time_s=1.0) for k in range(9)]
    liar = accepted("z", time_s=1.0, num_examples=2**31)
    _, decision = decide(NEW, round_of(*honest, liar), REAL)
    dimensions = decision.replies[0].dimensions
    assert dimensions is not None
    assert dimensions[0] == pytest.approx((2 + 0.5 + 1 / 1.3 / 2) / 4)  # rate 1 of 1.3


# bans, keys


def ban(identity: str, kind: str = "ban") -> Action:
    return Action(kind=kind, identity=identity, reason="seen lying")


def test_a_ban_takes_the_weight_and_a_pardon_gives_it_back() -> None:
    facts = honest_round(5)
    banned, decision = decide(NEW, replace(facts, actions=(ban("c00"),)), CONFIG)
    assert weights_of(decision.replies)["c00"] == 0.0
    assert decision.replies[0].excluded
    assert excluded_identities(banned, CONFIG) == ("c00",)
    still, decision = decide(banned, facts, CONFIG)
    assert weights_of(decision.replies)["c00"] == 0.0
    free, decision = decide(still, replace(facts, actions=(ban("c00", "unban"),)), CONFIG)
    assert weights_of(decision.replies)["c00"] == pytest.approx(0.2)
    assert excluded_identities(free, CONFIG) == ()


def test_the_last_action_counts_and_the_state_given_stays() -> None:
    start = state_of({"a": standing()})
    after = apply_actions(start, (ban("a", "unban"), ban("a"), ban("unseen")), CONFIG)
    assert excluded_identities(after, CONFIG) == ("a", "unseen")
    assert after.standings["unseen"].composite == 500
    assert not start.standings["a"].banned


@pytest.mark.parametrize("kind", ["Ban", "", "pardon"])
def test_an_unknown_action_neither_bans_nor_pardons(kind: str) -> None:
    with pytest.raises(JournalError, match="'ban' or 'unban'"):
        decide(NEW, replace(honest_round(4), actions=(ban("c00", kind),)), CONFIG)


def test_the_first_key_that_signed_for_an_identity_is_bound() -> None:
    first = round_of(accepted("a", public_key="aa"), accepted("b"), refused("c"))
    second = round_of(accepted("a", public_key="bb"), accepted("b", public_key="cc"))
    state, _ = play(first, second)
    keys = {name: each.public_key for name, each in state.standings.items()}
    assert keys == {"a": "aa", "b": "cc", "c": ""}


def test_a_refused_reply_binds_no_key() -> None:
    facts = round_of(replace(refused("a"), public_key="aa"), accepted("b"))
    assert decide(NEW, facts, CONFIG)[0].standings["a"].public_key == ""
