"""P-14 to P-16: less than a third of the weight never gets its way."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from parity_flwr.core.config import Formula
from parity_flwr.core.consensus import (
    PAPER_THETA,
    Ballot,
    ConsensusConfig,
    Vote,
    cap_weights,
    decide,
    paper_threshold,
    supported_vote,
)
from parity_flwr.errors import ConfigError

GOOD = Ballot(vote=Vote.ACCEPT, loss_rise=-1)
BAD = Ballot(vote=Vote.REJECT, loss_rise=5)
SHRUG = Ballot(vote=Vote.ABSTAIN)
PAPER = ConsensusConfig(formula=Formula.PAPER)

WEIGHTS = st.lists(st.integers(0, 10**6), min_size=1, max_size=12).map(
    lambda values: {f"m{i}": value for i, value in enumerate(values)}
)


def equal(n: int, weight: int = 1_000_000) -> dict[str, int]:
    return {f"m{i}": weight for i in range(n)}


def votes(spec: str) -> dict[str, Ballot]:
    """One letter per member: a(ccept), r(eject), s(hrug), anything else: absent."""
    kinds = {"a": GOOD, "r": BAD, "s": SHRUG}
    return {f"m{i}": kinds[letter] for i, letter in enumerate(spec) if letter in kinds}


@pytest.mark.parametrize(
    ("spec", "result"),
    [
        ("aaaa", Vote.ACCEPT),
        ("aaar", Vote.ACCEPT),
        ("aaa.", Vote.ACCEPT),
        ("aarr", None),
        ("aas.", None),
        ("aaaarr", None),  # 3 * 4 = 2 * 6: exactly two thirds is not more than two thirds
        ("aaaaar", Vote.ACCEPT),
        ("aaaa..", None),  # the absent count in the total
        ("rrrrra", Vote.REJECT),
        ("sssssa", Vote.ABSTAIN),
        ("......", None),
        ("a", Vote.ACCEPT),
        ("s", Vote.ABSTAIN),
        (".", None),
        ("aa", Vote.ACCEPT),
        ("a.", None),
        ("aaa", Vote.ACCEPT),
        ("aar", None),
        ("aas", None),
        ("rrr", Vote.REJECT),
    ],
)
def test_equal_weights_by_hand(spec: str, result: Vote | None) -> None:
    consensus = decide(equal(len(spec)), votes(spec))
    assert consensus.result is result
    assert consensus.total == len(spec) * 1_000_000
    assert consensus.scores[Vote.ACCEPT] == spec.count("a") * 1_000_000
    assert consensus.absentees == tuple(f"m{i}" for i, x in enumerate(spec) if x == ".")


@pytest.mark.parametrize("weights", [(3, 2, 1), (3, 3, 1), (9, 9, 1)])
def test_three_members_of_any_weight_must_agree(weights: tuple[int, ...]) -> None:
    # Two of these hold more than two thirds of the weight, and one of them may lie.
    committee = {f"m{i}": weight for i, weight in enumerate(weights)}
    assert decide(committee, votes("aar")).result is None
    assert decide(committee, votes("aa.")).result is None
    assert decide(committee, votes("aaa")).result is Vote.ACCEPT


def test_one_heavy_member_does_not_decide_alone() -> None:
    weights = {"m0": 10**9, "m1": 1, "m2": 1, "m3": 1}
    assert cap_weights(weights) == {"m0": 3, "m1": 1, "m2": 1, "m3": 1}
    assert decide(weights, votes("a...")).result is None
    assert decide(weights, votes("arrr")).result is None
    assert decide(weights, votes("aaar")).result is Vote.ACCEPT  # 15 > 12


@given(WEIGHTS)
def test_no_capped_weight_is_over_total_by_half_n(weights: dict[str, int]) -> None:
    capped = cap_weights(weights)
    n, total = sum(w > 0 for w in weights.values()), sum(capped.values())
    assert all(n * weight <= 2 * total for weight in capped.values())
    assert all(capped[m] <= weights[m] for m in weights)
    # only the heaviest are cut, all to the same weight, and none that fitted
    cut = {capped[m] for m in weights if capped[m] < weights[m]}
    assert len(cut) <= 1
    if not any(n * w > 2 * sum(weights.values()) for w in weights.values()):
        assert capped == weights


@given(WEIGHTS, st.integers(2, 1000))
def test_the_cap_is_the_largest_that_holds(weights: dict[str, int], scale: int) -> None:
    capped = cap_weights(weights)
    cut = [m for m in weights if capped[m] < weights[m]]
    if cut:
        n = sum(w > 0 for w in weights.values())
        more = {m: min(w, capped[cut[0]] + 1) for m, w in weights.items()}
        assert any(n * w > 2 * sum(more.values()) for w in more.values())


@given(WEIGHTS, st.data())
def test_liars_under_a_third_never_pass_a_wrong_result(
    weights: dict[str, int], data: st.DataObject
) -> None:
    capped = cap_weights(weights)
    liars = data.draw(st.sets(st.sampled_from(sorted(weights))))
    total = sum(capped.values())
    assume(3 * sum(capped[m] for m in liars) < total)
    wrong, right = data.draw(st.permutations(list(Vote)))[:2]
    # The honest say what is right or are not there; the liars say anything.
    ballots = {
        member: Ballot(
            vote=data.draw(st.sampled_from(list(Vote))) if member in liars else right,
            loss_rise=0,
        )
        for member in weights
        if member in liars or data.draw(st.booleans())
    }
    result = decide(weights, ballots).result
    assert result in (right, None)
    assert result is not wrong


@given(st.integers(4, 10), st.data())
def test_all_honest_members_present_outvote_liars(n: int, data: st.DataObject) -> None:
    weights = {f"m{i}": data.draw(st.integers(1, 10**6)) for i in range(n)}
    capped = cap_weights(weights)
    liars = data.draw(st.sets(st.sampled_from(sorted(weights))))
    assume(3 * sum(capped[m] for m in liars) < sum(capped.values()))
    ballots = {m: BAD if m in liars else GOOD for m in weights}
    assert decide(weights, ballots).result is Vote.ACCEPT


@given(WEIGHTS, st.data())
def test_at_most_one_result_has_the_weight(
    weights: dict[str, int], data: st.DataObject
) -> None:
    ballots = {
        m: data.draw(st.sampled_from([GOOD, BAD, SHRUG]))
        for m in weights
        if data.draw(st.booleans())
    }
    for config in (ConsensusConfig(), PAPER):
        consensus = decide(weights, ballots, config=config)
        assert sum(consensus.scores.values()) <= consensus.total
        if consensus.result is not None:
            assert 3 * consensus.scores[consensus.result] > 2 * consensus.total


def test_nobody_with_weight_decides_nothing() -> None:
    assert decide(equal(5, 0), votes("aaaaa")).result is None
    assert decide(equal(2, 0), votes("aa")).result is None
    assert decide(equal(2, 0), votes("aa"), config=PAPER).result is None


def test_members_without_weight_do_not_help_a_small_committee() -> None:
    weights = {"m0": 1, "m1": 1, "m2": 0, "m3": 0}
    assert decide(weights, votes("a.aa")).result is None
    assert decide(weights, votes("aarr")).result is Vote.ACCEPT


def test_dissenters_absentees_and_outsiders_are_named() -> None:
    ballots = {
        "m0": Ballot(vote=Vote.ACCEPT, loss_rise=9),
        "m1": Ballot(vote=Vote.ACCEPT, loss_rise=10),  # its own loss rose: a lie
        "m2": Ballot(vote=Vote.REJECT, loss_rise=9),  # its own loss did not: a lie
        "m3": Ballot(vote=Vote.REJECT, loss_rise=10),  # the minority, but honestly
        "m4": Ballot(vote=Vote.ABSTAIN, loss_rise=99),
        "m5": Ballot(vote=Vote.ACCEPT),  # without its scores it is no ballot
        "x": GOOD,
    }
    consensus = decide(equal(7), ballots, config=ConsensusConfig(tolerance=10))
    assert consensus.dissenters == ("m1", "m2")
    assert consensus.absentees == ("m5", "m6")
    assert consensus.outsiders == ("x",)
    assert consensus.scores == {
        Vote.ACCEPT: 2_000_000,
        Vote.REJECT: 2_000_000,
        Vote.ABSTAIN: 1_000_000,
    }


def test_an_honest_member_votes_by_its_loss() -> None:
    assert supported_vote(9, tolerance=10) is Vote.ACCEPT
    assert supported_vote(10, tolerance=10) is Vote.REJECT


def test_the_papers_threshold_as_printed() -> None:
    assert Fraction(67, 100) == PAPER_THETA
    assert decide(equal(100), votes("a" * 67), config=PAPER).result is Vote.ACCEPT
    assert decide(equal(100), votes("a" * 66), config=PAPER).result is None
    # no cap: one heavy member decides alone
    heavy = {"m0": 99, "m1": 1, "m2": 1, "m3": 1}
    assert decide(heavy, votes("arrr"), config=PAPER).result is Vote.ACCEPT


def test_the_papers_threshold_for_f_faulty_members() -> None:
    config = ConsensusConfig(formula=Formula.PAPER, faulty=1)
    assert paper_threshold(3, faulty=1) == Fraction(2, 3)
    assert decide(equal(3), votes("aar"), config=config).result is Vote.ACCEPT  # 2/3 >= 2/3
    assert decide(equal(4), votes("aaar"), config=config).result is Vote.ACCEPT
    assert decide(equal(10), votes("a" * 8), config=config).result is None  # theta = 9/10
    assert paper_threshold(5, faulty=0) == 1


@pytest.mark.parametrize(("members", "faulty"), [(3, 2), (2, 1), (0, 0), (3, -1)])
def test_the_paper_tolerates_a_third_at_most(members: int, faulty: int) -> None:
    with pytest.raises(ConfigError, match="0 <= f <= N/3"):
        paper_threshold(members, faulty=faulty)


@pytest.mark.parametrize("weight", [-1, 1.0, True, None, float("nan")])
def test_weights_are_integers(weight: Any) -> None:
    for config in (None, PAPER):
        with pytest.raises(ConfigError, match="ints >= 0"):
            decide({"a": 1, "b": weight}, {}, config=config)


def test_bad_input_is_refused() -> None:
    bad: Any = "accept"
    with pytest.raises(ConfigError, match="a member"):
        decide({}, {})
    with pytest.raises(ConfigError, match="a vote"):
        Ballot(vote=bad)
    with pytest.raises(ConfigError, match="loss_rise"):
        Ballot(vote=Vote.ACCEPT, loss_rise=True)
    with pytest.raises(ConfigError, match="tolerance"):
        ConsensusConfig(tolerance=-1)
    with pytest.raises(ConfigError, match="faulty"):
        ConsensusConfig(faulty=-1)
