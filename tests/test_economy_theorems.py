"""Theorems 9.1 to 9.3 (P section 9.3): where they hold, and the smallest case where not.

Each property states its assumptions; each counterexample drops one of them.
"""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

import journal_records
from parity_flwr.core.config import TrustConfig
from parity_flwr.core.economy.amounts import HIGHEST_REPUTATION, MILLION
from parity_flwr.core.economy.claims import Participation, RewardConfig, round_claims
from parity_flwr.core.economy.equilibrium import CheatingGame, equilibrium
from parity_flwr.core.economy.offences import SlashConfig
from parity_flwr.core.economy.rewards import Claim, split
from parity_flwr.core.economy.settlement import (
    EconomyConfig,
    EconomyState,
    settle,
    stakes_after,
)
from parity_flwr.core.records import ReplyFacts, ReputationState, RoundRecord, Verdict
from parity_flwr.core.rounds import decide

pools = st.integers(0, 10**24)
positive = st.integers(1, MILLION)
names = st.sampled_from("abcdefgh")


def honest(identity: str, *, reputation: int = HIGHEST_REPUTATION, stake: int = 1) -> Claim:
    """Return the claim of sound work."""
    return Claim(identity=identity, quality=MILLION, reputation=reputation, stake=stake)


@st.composite
def crowds(draw: st.DrawFn) -> list[Claim]:
    """Draw a round's claims."""
    chosen = draw(st.lists(names, min_size=1, max_size=6, unique=True))
    return [
        Claim(
            identity=name,
            quality=draw(st.integers(0, MILLION)),
            reputation=draw(st.integers(0, HIGHEST_REPUTATION)),
            participation=draw(st.integers(0, MILLION)),
            stake=draw(st.integers(0, 10**22)),
        )
        for name in chosen
    ]


class TestIndividualRationality:
    """9.1: an honest participant does not lose."""

    @given(pools, crowds())
    def test_without_costs_nobody_loses(self, pool: int, claims: list[Claim]) -> None:
        assert all(amount >= 0 for amount in split(pool, claims).values())

    @given(st.integers(1, 50), st.integers(0, 10**20), st.integers(0, 10**20))
    def test_equals_cover_their_cost_if_the_pool_covers_everybody_s(
        self, participants: int, cost: int, more: int
    ) -> None:
        claims = [honest(str(k)) for k in range(participants)]
        parts = split(participants * cost + more, claims)
        assert all(amount >= cost for amount in parts.values())

    @given(pools, crowds(), st.integers(0, 10**20))
    def test_who_has_a_share_of_the_claims_gets_that_share_of_the_pool(
        self, pool: int, claims: list[Claim], cost: int
    ) -> None:
        total = sum(claim.product for claim in claims)
        parts = split(pool, claims)
        for claim in claims:
            if total and pool * claim.product >= cost * total:
                assert parts[claim.identity] >= cost

    def test_counterexample_a_pool_smaller_than_the_costs(self) -> None:
        assert split(1, [honest("a"), honest("b")])["b"] < 1

    def test_counterexample_a_newcomer_beside_the_trusted(self) -> None:
        # The pool covers everybody's cost of 3 a round, but pays by reputation.
        newcomer = honest("new", reputation=HIGHEST_REPUTATION // 2)
        assert split(6, [honest("old"), newcomer]) == {"new": 2, "old": 4}

    def test_counterexample_a_network_that_drops_k_replies(self) -> None:
        lost = 0
        state, stakes = EconomyState(), {"alice": 10**21}
        config = EconomyConfig(slashing=SlashConfig(repeats=2))
        for number in (1, 2):
            record = dropped(number, "alice")
            state, done = settle(state, record, stakes=stakes, config=config)
            lost += done.slashed
        assert (state.rewards.earned.get("alice", 0), lost > 0) == (0, True)


class TestIncentiveCompatibility:
    """9.2: nothing that a participant says about itself pays."""

    @given(st.integers(1, 2**31), st.integers(0, 4))
    def test_no_claimed_number_of_examples_changes_a_reward(
        self, claimed: int, index: int
    ) -> None:
        record = journal_records.record(1, ReputationState())
        replies = list(record.facts.replies)
        replies[index] = replace(replies[index], num_examples=claimed)
        told = replace(record, facts=replace(record.facts, replies=tuple(replies)))
        assert round_claims(told, RewardConfig()) == round_claims(record, RewardConfig())

    @given(pools, crowds(), st.data())
    def test_better_work_never_pays_less(
        self, pool: int, claims: list[Claim], data: st.DataObject
    ) -> None:
        first = claims[0]
        better = replace(first, quality=data.draw(st.integers(first.quality, MILLION)))
        name = first.identity
        assert split(pool, [better, *claims[1:]])[name] >= split(pool, claims)[name]

    @given(pools, crowds(), st.data())
    def test_with_stakes_more_names_pay_at_most_a_unit_a_name(
        self, pool: int, claims: list[Claim], data: st.DataObject
    ) -> None:
        first = claims[0]
        part = data.draw(st.integers(0, first.stake))
        one = replace(first, identity="x1", stake=part)
        other = replace(first, identity="x2", stake=first.stake - part)
        alone = split(pool, claims)[first.identity]
        parts = split(pool, [one, other, *claims[1:]])
        assert abs(parts["x1"] + parts["x2"] - alone) <= 2

    def test_counterexample_two_names_without_stakes(self) -> None:
        assert split(6, [honest("a"), honest("b")])["a"] == 3
        twice = split(6, [honest("a1"), honest("a2"), honest("b")])
        assert twice["a1"] + twice["a2"] == 4

    def test_counterexample_pay_by_claimed_examples(self) -> None:
        config = RewardConfig(pool=10**6, participation=Participation.WEIGHT)
        told = {n: paid(judged(n), config)["b"] for n in (100, 400)}
        assert told[400] > told[100]

    def test_counterexample_a_copy_that_nobody_detects(self) -> None:
        # Work costs 1 of the 2 that it earns; a copy earns the same and costs nothing.
        mimic = CheatingGame(
            detection=(0,), honest_reward=1, cheating_reward=2, gain=0, horizon=1
        )
        assert not equilibrium(mimic).holds
        assert equilibrium(replace(mimic, detection=(MILLION,))).holds


class TestBudgetBalance:
    """9.3: no more is paid out than was paid in."""

    @given(st.lists(st.tuples(pools, st.integers(1, 30)), max_size=5))
    def test_paid_is_earned_or_carried_to_the_unit(self, rounds: list[tuple[int, int]]) -> None:
        state = EconomyState()
        stakes: dict[str, int] = dict.fromkeys(journal_records.CLIENTS, 10**22)
        deposited = sum(stakes.values())
        slashed = 0
        for number, (pool, seed) in enumerate(rounds, 1):
            record = replace(journal_records.record(seed, ReputationState()), round=number)
            config = EconomyConfig(rewards=RewardConfig(pool=pool))
            state, done = settle(state, record, stakes=stakes, config=config)
            stakes = dict(stakes_after(stakes, done.slashes))
            slashed += done.slashed
        assert state.rewards.total + state.rewards.carried == sum(p for p, _ in rounds)
        assert sum(stakes.values()) + slashed == deposited
        assert min(stakes.values()) >= 0

    def test_counterexample_each_part_rounded_on_its_own(self) -> None:
        half_up = [(2 * 1 * product + 2) // (2 * 2) for product in (1, 1)]  # of a pool of 1
        assert sum(half_up) == 2
        assert sum(split(1, [honest("a"), honest("b")]).values()) == 1


def dropped(number: int, identity: str) -> RoundRecord:
    """Return a round in which this identity's reply was lost."""
    record = journal_records.record(number, ReputationState())
    replies = tuple(
        ReplyFacts(identity=identity, verdict=Verdict.MISSING, fault=True)
        if reply.identity == identity
        else reply
        for reply in record.facts.replies
    )
    return replace(record, facts=replace(record.facts, replies=replies))


def judged(claimed: int) -> RoundRecord:
    """Return a round of equals that were there before, in which "b" claims so many examples."""
    record = journal_records.record(1, ReputationState())
    sound = record.facts.replies[-1]
    replies = tuple(
        replace(sound, identity=name, num_examples=claimed if name == "b" else 100)
        for name in "abcdef"
    )
    facts = replace(record.facts, replies=replies)
    state, decision = decide(ReputationState(), facts, TrustConfig())
    for number in range(2, 10):
        state, decision = decide(state, replace(facts, round=number), TrustConfig())
    return replace(record, round=9, facts=facts, decision=decision, state=state)


def paid(record: RoundRecord, config: RewardConfig) -> dict[str, int]:
    """Return what the round pays."""
    return dict(split(config.pool, round_claims(record, config).claims))
