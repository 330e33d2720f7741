"""What holds for any facts under any configuration (P-2 to P-12)."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parity_flwr.core.canonical import dumps, loads
from parity_flwr.core.config import (
    Formula,
    ReputationConfig,
    RobustnessConfig,
    TrustConfig,
    WeightConfig,
)
from parity_flwr.core.evidence import BALANCE, DIRECTION, MEMORY
from parity_flwr.core.records import (
    Action,
    ReplyFacts,
    ReputationState,
    RoundDecision,
    RoundFacts,
    RoundStatus,
    Verdict,
)
from parity_flwr.core.rounds import decide

NEW = ReputationState()

rates = st.floats(0, 1)
sizes = st.floats(0, 1e12)
optional_sizes = st.none() | sizes
figures = st.fixed_dictionaries(
    {}, optional={MEMORY: sizes, DIRECTION: st.floats(-1, 1), BALANCE: rates}
)


@st.composite
def reply_facts(draw: st.DrawFn, identity: str) -> ReplyFacts:
    verdict = draw(st.sampled_from([Verdict.ACCEPTED] * 4 + list(Verdict)))
    if verdict is not Verdict.ACCEPTED:
        return ReplyFacts(identity=identity, verdict=verdict, fault=draw(st.booleans()))
    return ReplyFacts(
        identity=identity,
        verdict=verdict,
        num_examples=draw(st.integers(1, 2**31)),
        norm=draw(optional_sizes),
        rho=draw(optional_sizes),
        deviation=draw(st.none() | rates),
        figures=draw(figures),
        quality=draw(st.none() | rates),
        time_s=draw(st.floats(0, 1e9)),
        public_key=draw(st.sampled_from(["", "aa", "bb"])),
    )


@st.composite
def runs(draw: st.DrawFn) -> list[RoundFacts]:
    rounds = []
    for number in range(1, draw(st.integers(1, 4)) + 1):
        names = sorted(draw(st.sets(st.sampled_from("abcdefgh"))))
        replies = tuple(draw(reply_facts(name)) for name in names)
        kinds = draw(st.lists(st.tuples(st.sampled_from("abz"), st.booleans()), max_size=2))
        actions = tuple(
            Action(kind="ban" if bad else "unban", identity=name, reason="")
            for name, bad in kinds
        )
        rounds.append(RoundFacts(round=number, replies=replies, actions=actions))
    return rounds


configs = st.builds(
    TrustConfig,
    reputation=st.builds(
        ReputationConfig,
        evolution=st.sampled_from(Formula),
        decay_up=rates,
        decay_down=rates,
        history_decay=rates,
        adaptation_rate=st.floats(0, 10),
        weight_floor=st.floats(0, 0.25),
        probation_rounds=st.integers(0, 4),
        probation_share=rates,
    ),
    weights=st.builds(
        WeightConfig,
        formula=st.sampled_from(Formula),
        slope=st.floats(0, 1000),
        max_share=rates,
    ),
    robustness=st.builds(
        RobustnessConfig,
        tau=st.none() | sizes,
        lambda_=st.none() | sizes,
        min_replies=st.integers(2, 5),
    ),
    quorum=rates,
    real_clock=st.booleans(),
)


@settings(max_examples=200)
@given(runs(), configs)
def test_any_facts_give_a_decision_in_range(
    rounds: list[RoundFacts], config: TrustConfig
) -> None:
    state = NEW
    for facts in rounds:
        state, decision = decide(state, facts, config)
        _check_decision(facts, decision, config)
        _check_state(state)
        assert loads(dumps(state), ReputationState) == state
        assert loads(dumps(decision), RoundDecision) == decision


def _check_decision(facts: RoundFacts, decision: RoundDecision, config: TrustConfig) -> None:
    assert [d.identity for d in decision.replies] == [r.identity for r in facts.replies]
    for each in decision.replies:
        shares = (each.alpha, each.beta, each.penalty, each.soundness, *(each.dimensions or ()))
        assert all(0.0 <= share <= 1.0 for share in shares)
        assert 0.0 <= each.weight <= 1.0 + 1e-9
        assert each.weight == 0.0 or not each.excluded
    total = math.fsum(each.weight for each in decision.replies)
    if decision.status is RoundStatus.REJECTED:
        assert decision.reason
        assert total == 0.0
    else:  # what probation and the cap leave over is the old model's
        assert 0.0 < total <= 1.0 + 1e-9


def _check_state(state: ReputationState) -> None:
    assert list(state.standings) == sorted(state.standings)
    assert math.fsum(state.dimension_weights) == pytest.approx(1, abs=1e-9)
    for each in state.standings.values():
        assert all(0.0 <= score <= 1000.0 for score in (*each.scores, each.composite))
        means = (each.history, each.success, each.attendance, each.spread, each.surprise)
        assert all(0.0 <= mean <= 1.0 + 1e-9 for mean in (*means, each.stability))


@given(runs(), configs)
def test_a_replay_gives_the_same_bytes(rounds: list[RoundFacts], config: TrustConfig) -> None:
    """From the same facts, and from what a journal gives back of them and of the states."""
    straight = replayed = NEW
    for facts in rounds:
        straight, decision = decide(straight, facts, config)
        read = loads(dumps(facts), RoundFacts)
        replayed, again = decide(loads(dumps(replayed), ReputationState), read, config)
        assert dumps(again) == dumps(decision)
        assert dumps(replayed) == dumps(straight)


@given(runs())
def test_what_is_given_is_not_changed(rounds: list[RoundFacts]) -> None:
    state = NEW
    for facts in rounds:
        before = dumps(state), dumps(facts)
        after, _ = decide(state, facts, TrustConfig())
        assert (dumps(state), dumps(facts)) == before
        state = after
