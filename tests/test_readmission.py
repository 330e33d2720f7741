"""Lost reputation comes back slower than it goes; no evidence moves nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parity_flwr.core.config import Design, ReputationConfig, RobustnessConfig, TrustConfig
from parity_flwr.core.readmission import term
from parity_flwr.core.records import ReplyFacts, ReputationState, RoundFacts, Standing
from parity_flwr.core.rounds import decide
from round_facts import (
    abstained,
    accepted,
    honest_round,
    missing,
    refused,
    round_of,
    standing,
    state_of,
)

DISTANCES = RobustnessConfig(design=Design.NEIGHBOUR)  # rho alone accuses: easy to make up
CONFIG = TrustConfig(robustness=DISTANCES)
FORGIVING = TrustConfig(robustness=DISTANCES, reputation=ReputationConfig(return_rounds=0))
PEERS = tuple(accepted(f"c{k}") for k in range(6))
CLEAN = accepted("z")
# Five spreads of 0.15 over the median: e^(-1.5 (5 - 2.5)) = 0.024 of the weight is left.
LIE = accepted("z", rho=1.75)


@dataclass
class Story:
    """What z had of every round, whether it was excluded in it, and how it stands."""

    shares: list[float]
    excluded: list[bool]
    standing: Standing


def story(replies: Sequence[ReplyFacts], config: TrustConfig = CONFIG) -> Story:
    state, shares, excluded = ReputationState(), list[float](), list[bool]()
    for number, reply in enumerate(replies, start=1):
        state, decision = decide(state, round_of(*PEERS, reply, number=number), config)
        shares.append(decision.replies[-1].weight)
        excluded.append(decision.replies[-1].excluded)
    return Story(shares, excluded, state.standings["z"])


def test_each_fall_costs_twice_as_much_up_to_a_limit() -> None:
    config = ReputationConfig(return_rounds=3, return_limit=20)
    assert [term(n, config) for n in range(1, 6)] == [3, 6, 12, 20, 20]
    assert term(10**9, config) == 20
    assert term(2, ReputationConfig(return_rounds=30, return_limit=5)) == 30


def test_ten_clean_rounds_bring_a_client_back_and_not_nine() -> None:
    fallen = [LIE] * 12
    assert story(fallen).standing.composite < 200
    after = story(fallen + [CLEAN] * 11)
    # Its score is over the threshold again after three clean rounds, its word counts in the
    # eleventh.
    assert after.excluded[12:] == [True] * 10 + [False]
    assert after.shares[-2] == 0.0 < after.shares[-1]
    assert (after.standing.relapses, after.standing.owed) == (1, 0)
    forgiven = story(fallen + [CLEAN] * 11, FORGIVING)
    assert forgiven.excluded[12:].count(True) == 3


def test_an_honest_client_excluded_by_mistake_has_its_full_say_again() -> None:
    equal = 1 / 7
    back = story([LIE] * 12 + [CLEAN] * 60).shares[12:]
    half = next(k for k, share in enumerate(back, start=1) if share > equal / 2)
    most = next(k for k, share in enumerate(back, start=1) if share > 0.9 * equal)
    assert (half, most) == (20, 33)


def test_a_lie_on_the_way_back_starts_the_term_anew() -> None:
    after = story([LIE] * 12 + [CLEAN] * 9 + [LIE] + [CLEAN] * 11)
    assert after.excluded[12:] == [True] * 20 + [False]
    assert after.standing.relapses == 1  # it had not come back, so it did not fall again


@pytest.mark.parametrize("reply", [missing("z"), abstained("z")])
def test_a_round_without_a_reply_counts_neither_way(reply: ReplyFacts) -> None:
    after = story([LIE] * 12 + [CLEAN] * 5 + [reply] * 3 + [CLEAN] * 5)
    assert after.standing.owed == 0
    assert story([LIE] * 12 + [reply] * 20).standing.owed == 10


def test_a_refused_reply_starts_the_term_anew() -> None:
    assert story([LIE] * 12 + [CLEAN] * 9 + [refused("z")]).standing.owed == 10


def test_who_was_not_selected_owes_what_it_owed() -> None:
    state = state_of({"away": standing(150.0, relapses=2, owed=7)})
    after, _ = decide(state, honest_round(4), CONFIG)
    assert (after.standings["away"].relapses, after.standings["away"].owed) == (2, 7)


def test_who_starts_below_the_threshold_has_not_fallen() -> None:
    config = TrustConfig(robustness=DISTANCES, reputation=ReputationConfig(initial=100.0))
    assert story([CLEAN] * 3, config).standing.owed == 0


def cycles(bad: int, good: int, count: int, config: TrustConfig) -> list[float]:
    """Return what an on-off attacker had in the bad rounds of each cycle, together."""
    prelude = [CLEAN] * 20
    shares = story(prelude + ([LIE] * bad + [CLEAN] * good) * count, config).shares[20:]
    return [sum(shares[k : k + bad]) for k in range(0, len(shares), bad + good)]


@pytest.mark.parametrize(("bad", "good"), [(5, 5), (10, 12), (8, 25), (10, 45)])
def test_an_on_off_attacker_earns_less_and_less(bad: int, good: int) -> None:
    held, forgiven = (cycles(bad, good, 12, config) for config in (CONFIG, FORGIVING))
    assert sum(held[3:]) < 0.75 * sum(forgiven[3:])
    assert sum(held[6:]) <= sum(held[:6]) / 2


def test_a_patient_attacker_pays_eight_times_the_first_price_for_ever() -> None:
    replies = ([CLEAN] * 100 + [LIE] * 8) * 8
    last = story(replies)
    assert last.standing.relapses == 8
    assert last.excluded[-108:].count(True) >= 80


@given(st.lists(st.sampled_from([CLEAN, LIE, missing("z"), refused("z")]), max_size=60))
def test_a_debt_excludes_and_stays_within_its_limit(replies: list[ReplyFacts]) -> None:
    rules = ReputationConfig(return_rounds=4, return_limit=9)
    config = TrustConfig(robustness=DISTANCES, reputation=rules)
    if not replies:
        return
    after = story(replies, config)
    assert 0 <= after.standing.owed <= 9
    assert after.standing.relapses > 0 or after.standing.owed == 0
    assert all(
        share == 0 for share, out in zip(after.shares, after.excluded, strict=True) if out
    )


# a round in which nobody can tell


@pytest.mark.parametrize("design", Design)
@pytest.mark.parametrize("rho", [1.0, 1000.0])
def test_three_replies_neither_reward_nor_punish(design: Design, rho: float) -> None:
    start = state_of({"a": standing(500.0), "b": standing(700.0), "c": standing(900.0)})
    config = TrustConfig(robustness=RobustnessConfig(design=design))
    facts = round_of(accepted("a", rho=rho), accepted("b"), accepted("c"))
    after, decision = decide(start, facts, config)
    assert {name: each.scores for name, each in after.standings.items()} == {
        name: each.scores for name, each in start.standings.items()
    }
    assert [each.history for each in after.standings.values()] == [1.0] * 3
    assert [each.dimensions for each in decision.replies] == [None] * 3
    assert after.standings["a"].rounds == 1


def test_a_fourth_reply_makes_it_evidence() -> None:
    after, _ = decide(ReputationState(), honest_round(4), CONFIG)
    assert after.standings["c00"].composite > 500


def test_a_federation_of_three_forgives_a_refusal_up_to_the_start() -> None:
    state, _ = decide(
        ReputationState(), round_of(accepted("a"), accepted("b"), refused("c")), CONFIG
    )
    assert state.standings["c"].scores == pytest.approx((350, 350, 350, 500))
    state, _ = decide(state, honest_three(2), CONFIG)
    # 0.95 * 350 + 0.05 * 500
    assert state.standings["c"].scores == pytest.approx((357.5, 357.5, 357.5, 500))
    for number in range(3, 400):
        state, _ = decide(state, honest_three(number), CONFIG)
    assert state.standings["c"].scores == pytest.approx((500, 500, 500, 500))


def honest_three(number: int) -> RoundFacts:
    return round_of(accepted("a"), accepted("b"), accepted("c"), number=number)


def test_the_excluded_of_three_comes_back_when_it_passes_the_gate() -> None:
    state = ReputationState()
    for number in range(1, 6):
        facts = round_of(accepted("a"), accepted("b"), refused("c"), number=number)
        state, _ = decide(state, facts, CONFIG)
    assert state.standings["c"].owed == 10
    for number in range(6, 16):
        state, decision = decide(state, honest_three(number), CONFIG)
        assert decision.replies[2].weight == 0
    _, decision = decide(state, honest_three(16), CONFIG)
    assert decision.replies[2].weight > 0


def test_what_others_scored_is_evidence_with_any_number_of_replies() -> None:
    facts = round_of(accepted("a", quality=0.2), accepted("b"))
    after, _ = decide(ReputationState(), facts, CONFIG)
    # P-9: (0.2 + 1 + 1 + 1/2)/4 = 0.675; 0.95 * 500 + 0.05 * 675
    assert after.standings["a"].scores == pytest.approx((500, 508.75, 500, 500))
    assert after.standings["a"].history == pytest.approx(0.92)  # 0.9 + 0.1 * 0.2
