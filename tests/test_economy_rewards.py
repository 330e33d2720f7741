"""P-28: the pool is divided exactly, round after round, and claimed by Merkle proof."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

import journal_records
from parity_flwr.core.economy.amounts import (
    HIGHEST_REPUTATION,
    MAX_AMOUNT,
    MILLION,
    millionths,
    reputation_units,
)
from parity_flwr.core.economy.claims import Participation, RewardConfig, round_claims
from parity_flwr.core.economy.reward_tree import (
    LEAF_TYPES,
    NO_LEAVES,
    Member,
    reward_tree,
)
from parity_flwr.core.economy.rewards import Claim, RewardState, RoundClaims, split, step
from parity_flwr.core.merkle import verify
from parity_flwr.core.records import ReputationState, RoundStatus, Standing, Verdict
from parity_flwr.errors import ConfigError

factors = st.integers(0, MILLION)
pools = st.integers(0, MAX_AMOUNT)
claim_lists = st.lists(
    st.builds(
        Claim,
        identity=st.text(max_size=4),
        quality=factors,
        reputation=st.integers(0, HIGHEST_REPUTATION),
        participation=factors,
        stake=st.integers(0, 10**24),
    ),
    max_size=12,
    unique_by=lambda claim: claim.identity,
)


def claim(
    identity: str,
    quality: int = MILLION,
    *,
    reputation: int = HIGHEST_REPUTATION,
    participation: int = MILLION,
    stake: int = 1,
) -> Claim:
    """Return a claim in which every factor is 1 unless told."""
    return Claim(
        identity=identity,
        quality=quality,
        reputation=reputation,
        participation=participation,
        stake=stake,
    )


def test_split_by_hand() -> None:
    # Products 6 : 3 : 1, pool 11: 6.6, 3.3, 1.1; the unit left goes to the remainder 0.6.
    claims = [claim("a", 600_000), claim("b", 300_000), claim("c", 100_000)]
    assert split(11, claims) == {"a": 7, "b": 3, "c": 1}


def test_every_factor_counts_alike() -> None:
    half = [claim("x"), claim("y", 500_000)]
    assert split(900, [claim("x"), claim("y", participation=500_000)]) == split(900, half)
    assert split(900, [claim("x"), claim("y", reputation=500_000_000)]) == split(900, half)
    assert split(900, [claim("x", stake=6), claim("y", stake=3)]) == split(900, half)


def test_ties_go_to_the_identity_that_sorts_first() -> None:
    assert split(2, [claim("c"), claim("b"), claim("a")]) == {"a": 1, "b": 1, "c": 0}


def test_nobody_is_paid_when_every_product_is_zero() -> None:
    assert split(9, [claim("a", 0), claim("b", stake=0)]) == {"a": 0, "b": 0}
    assert split(9, []) == {}


@given(pools, claim_lists)
def test_the_parts_sum_to_the_pool_and_are_within_one_unit_of_exact(
    pool: int, claims: list[Claim]
) -> None:
    parts = split(pool, claims)
    total = sum(each.product for each in claims)
    assert sum(parts.values()) == (pool if total else 0)
    for each in claims:
        exact = Fraction(pool * each.product, total) if total else Fraction(0)
        assert abs(parts[each.identity] - exact) < 1


@given(pools, claim_lists, st.randoms(use_true_random=False))
def test_the_order_of_claims_does_not_matter(pool: int, claims: list[Claim], random) -> None:  # type: ignore[no-untyped-def]
    shuffled = list(claims)
    random.shuffle(shuffled)
    assert split(pool, shuffled) == split(pool, claims)


@given(st.lists(st.tuples(st.integers(0, 10**24), claim_lists), max_size=6))
def test_money_is_conserved_over_rounds(history: list[tuple[int, list[Claim]]]) -> None:
    state = RewardState()
    for number, (pool, claims) in enumerate(history, 1):
        before = state
        inputs = RoundClaims(round=number, pool=pool, claims=tuple(claims))
        state, paid = step(state, inputs)
        assert step(before, inputs) == (state, paid)
        assert before.total + sum(paid.rewards.values()) == state.total
    assert state.total + state.carried == sum(pool for pool, _ in history)


def test_a_round_pays_once() -> None:
    state, _ = step(RewardState(), RoundClaims(round=3, pool=5, claims=(claim("a"),)))
    with pytest.raises(ConfigError, match="round after round 3"):
        step(state, RoundClaims(round=3, pool=5, claims=(claim("a"),)))


@pytest.mark.parametrize(
    "changes", [{"quality": MILLION + 1}, {"reputation": -1}, {"stake": True}, {"stake": 1.0}]
)
def test_factors_out_of_range_are_refused(changes: dict[str, int]) -> None:
    with pytest.raises(ConfigError):
        claim("a", **changes)


def test_an_identity_claims_once() -> None:
    with pytest.raises(ConfigError, match="one claim for each identity"):
        split(5, [claim("a"), claim("a")])


def test_a_float_is_taken_for_exactly_what_it_is() -> None:
    assert millionths(0.1, name="x") == 100_000
    assert millionths(1 / 128, name="x") == 7812  # 7812.5 exactly: ties to even
    assert millionths(3 / 128, name="x") == 23438
    for value in (float("nan"), -1e-9, 1.0000001):
        with pytest.raises(ConfigError):
            millionths(value, name="x")


def test_claims_come_from_the_record_alone() -> None:
    record = journal_records.record(1, ReputationState())
    inputs = round_claims(record, RewardConfig(pool=10**6))
    accepted = {r.identity for r in record.facts.replies if r.verdict is Verdict.ACCEPTED}
    assert [each.identity for each in inputs.claims] == sorted(accepted)
    decided = {each.identity: each for each in record.decision.replies}
    for each in inputs.claims:
        standing = record.state.standings[each.identity]
        assert each.quality == round(decided[each.identity].soundness * MILLION)
        assert each.reputation == reputation_units(standing.composite)
        assert each.participation == MILLION
        assert each.stake == 1
    state, paid = step(RewardState(), inputs)
    assert state.total == 10**6
    assert min(paid.rewards.values()) > 0


def test_stakes_and_weights_count_when_asked() -> None:
    record = journal_records.record(1, ReputationState())
    config = RewardConfig(participation=Participation.WEIGHT)
    staked = record.facts.replies[-1].identity
    inputs = round_claims(record, config, stakes={staked: 7})
    assert {each.identity for each in inputs.claims if each.stake} == {staked}
    weights = {each.identity: each.weight for each in record.decision.replies}
    for each in inputs.claims:
        assert each.participation == round(weights[each.identity] * MILLION)


def test_a_rejected_round_carries_its_pool_over() -> None:
    record = journal_records.record(1, ReputationState())
    refused = replace(
        record, decision=replace(record.decision, status=RoundStatus.REJECTED, reason="why")
    )
    inputs = round_claims(refused, RewardConfig(pool=10))
    state, paid = step(RewardState(), inputs)
    assert (inputs.reason, state.carried, paid.rewards) == ("why", 10, {})


def test_an_excluded_client_claims_nothing() -> None:
    record = journal_records.record(1, ReputationState())
    name = round_claims(record, RewardConfig()).claims[0].identity
    decisions = tuple(
        replace(each, excluded=True) if each.identity == name else each
        for each in record.decision.replies
    )
    without = replace(record, decision=replace(record.decision, replies=decisions))
    assert name not in {c.identity for c in round_claims(without, RewardConfig()).claims}


def test_a_reply_that_the_record_does_not_judge_claims_nothing() -> None:
    record = journal_records.record(1, ReputationState())
    unjudged = replace(record, decision=replace(record.decision, replies=()))
    unknown = replace(record, state=ReputationState())
    for each in (unjudged, unknown):
        assert round_claims(each, RewardConfig()).claims == ()


MEMBERS = {
    name: Member(identity=bytes([number]) * 32, account="0x" + f"{number:040x}")
    for number, name in enumerate("abcd", 10)
}


def reputations(**composites: float) -> ReputationState:
    """Return a state with these composites."""
    return ReputationState(
        standings={
            name: Standing(scores=(value, value, value, value), composite=value)
            for name, value in composites.items()
        }
    )


def test_every_identity_proves_what_it_earned() -> None:
    state = RewardState(round=1, earned={"a": 5, "c": 7, "nobody": 3})
    tree = reward_tree(state, reputations(c=500.0, a=1000.0, b=0.0, nobody=9.0), MEMBERS)
    assert [(leaf.name, leaf.cumulative) for leaf in tree.leaves] == [
        ("a", 5),
        ("b", 0),
        ("c", 7),
    ]
    assert (tree.total, tree.leaves[2].reputation) == (12, 500_000_000)
    for name in "abc":
        leaf, proof = tree.find(name)
        assert verify(tree.root, leaf.values, proof, types=LEAF_TYPES)
        greedy = replace(leaf, cumulative=leaf.cumulative + 1)
        assert not verify(tree.root, greedy.values, proof, types=LEAF_TYPES)
    with pytest.raises(ConfigError, match="registered and was seen"):
        tree.find("nobody")


def test_an_identity_that_registers_late_gets_everything() -> None:
    earned = RewardState(round=1, earned={"a": 5, "nobody": 3})
    account = MEMBERS["a"].account.upper().replace("X", "x")
    late = {**MEMBERS, "nobody": Member(identity=b"n" * 32, account=account)}
    tree = reward_tree(earned, reputations(a=1.0, nobody=1.0), late)
    assert {leaf.member.account for leaf in tree.leaves} == {MEMBERS["a"].account}
    assert tree.find("nobody")[0].cumulative == 3


def test_without_leaves_the_root_is_one_that_proves_nothing() -> None:
    assert reward_tree(RewardState(), ReputationState(), MEMBERS).root == NO_LEAVES
    assert any(NO_LEAVES)


def test_bad_accounts_and_identities_are_refused() -> None:
    with pytest.raises(ConfigError, match="40 hex digits"):
        Member(identity=bytes(32), account="0x12")
    with pytest.raises(ConfigError, match="32 bytes"):
        Member(identity=b"short", account=MEMBERS["a"].account)
