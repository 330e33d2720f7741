"""From evidence and reputation to shares of a round (P-2 to P-4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

import reference
from parity_flwr.core.config import (
    Design,
    Formula,
    ReputationConfig,
    RobustnessConfig,
    TrustConfig,
    WeightConfig,
)
from parity_flwr.core.evidence import Evidence
from parity_flwr.core.records import ReplyDecision, ReplyFacts, Standing
from parity_flwr.core.shares import client_alpha, share_weights
from round_facts import accepted, standing, state_of

CONFIG = TrustConfig()
FREE = TrustConfig(weights=WeightConfig(max_share=1.0))
OLD = 100  # rounds: long off probation


def shares(
    standings: Mapping[str, Standing],
    replies: Sequence[ReplyFacts] | None = None,
    *,
    penalties: Sequence[float] | None = None,
    config: TrustConfig = CONFIG,
) -> Mapping[str, ReplyDecision]:
    given = [accepted(name) for name in standings] if replies is None else list(replies)
    factors = [1.0] * len(given) if penalties is None else penalties
    evidence = [Evidence(each, each) for each in factors]
    return share_weights(state_of(standings), given, evidence, config)


def weights(*arguments: object, **options: object) -> list[float]:
    found = shares(*arguments, **options)  # type: ignore[arg-type]
    return [each.weight for each in found.values()]


def veterans(*scores: float) -> dict[str, Standing]:
    return {f"c{k}": standing(score, rounds=OLD) for k, score in enumerate(scores)}


def test_no_reply_has_no_share() -> None:
    assert shares({}, []) == {}


def test_alpha_beta_and_n_by_hand() -> None:
    standings = {
        "a": standing(500, rounds=OLD),
        "b": standing(500, rounds=OLD, history=0.5),
        "c": standing(500, rounds=OLD),
    }
    replies = [
        accepted("a", num_examples=100),
        accepted("b", num_examples=200),  # beta 1/2
        accepted("c", num_examples=100, deviation=0.5, quality=0.5),  # beta 1/4
    ]
    near = replace(FREE, robustness=RobustnessConfig(design=Design.NEIGHBOUR))
    found = shares(standings, replies, penalties=[1.0, 1.0, 0.5], config=near)
    assert [each.alpha for each in found.values()] == pytest.approx([0.5, 0.5, 0.25])
    assert [each.beta for each in found.values()] == pytest.approx([1, 0.5, 0.25])
    # Products 50, 50 and 6.25.
    assert weights(standings, replies, penalties=[1.0, 1.0, 0.5], config=near) == pytest.approx(
        [50 / 106.25, 50 / 106.25, 6.25 / 106.25]
    )
    assert found["c"].penalty == found["c"].soundness == 0.5


@pytest.mark.parametrize("score", [200.0, 350.0, 500.0, 1000.0])
def test_alpha_by_reputation_alone(score: float) -> None:
    expected = reference.sigmoid(8 * (score - 500) / 500)
    assert client_alpha(standing(score), state_of({}), CONFIG) == pytest.approx(expected)


def test_alpha_takes_the_state_s_dimension_weights() -> None:
    one = Standing(scores=(1000, 500, 500, 500), composite=625)
    whole = state_of({})
    tilted = type(whole)(dimension_weights=(1.0, 0.0, 0.0, 0.0))
    assert client_alpha(one, whole, CONFIG) == pytest.approx(reference.sigmoid(2))
    assert client_alpha(one, tilted, CONFIG) == pytest.approx(reference.sigmoid(8))


@pytest.mark.parametrize(
    "out", [standing(199, rounds=OLD), standing(900, rounds=OLD, banned=True)]
)
def test_the_excluded_and_the_banned_have_nothing(out: Standing) -> None:
    found = shares({**veterans(500, 500, 500), "out": out})
    assert found["out"].weight == found["out"].alpha == 0.0
    assert found["out"].excluded
    assert [found[f"c{k}"].weight for k in range(3)] == pytest.approx([1 / 3] * 3)


def test_nobody_left_is_all_zeros() -> None:
    assert weights(veterans(100, 100)) == [0.0, 0.0]
    assert weights(veterans(500, 500), penalties=[0.0, 0.0]) == [0.0, 0.0]


def test_a_claim_of_examples_buys_at_most_four_medians() -> None:
    replies = [accepted(f"c{k}", num_examples=10) for k in range(6)]
    replies[0] = accepted("c0", num_examples=2**31)
    assert weights(veterans(*[500] * 6), replies)[0] == pytest.approx(4 / 9 * 0.9)  # 0.4
    assert weights(veterans(*[500] * 6), replies, config=FREE)[0] == pytest.approx(4 / 9)


def test_no_veteran_has_more_than_the_cap() -> None:
    found = weights(veterans(1000, 500, 500, 500), penalties=[1, 0.1, 0.1, 0.1])
    assert found == pytest.approx([0.4, 0.2, 0.2, 0.2])


def test_two_replies_cannot_stay_below_the_cap() -> None:
    assert weights(veterans(1000, 500)) == pytest.approx([0.5, 0.5])


def test_a_crowd_of_newcomers_does_not_buy_the_round() -> None:
    crowd = {f"n{k:02}": standing(rounds=4) for k in range(30)}
    found = shares({**veterans(500, 500, 500), **crowd})
    assert sum(found[name].weight for name in crowd) == pytest.approx(0.2)
    assert [found[f"c{k}"].weight for k in range(3)] == pytest.approx([0.8 / 3] * 3)


def test_probation_ends_with_the_fifth_round() -> None:
    crowd = {f"n{k:02}": standing(rounds=5) for k in range(30)}
    found = shares({**veterans(500, 500, 500), **crowd})
    assert sum(found[name].weight for name in crowd) == pytest.approx(30 / 33)


def test_a_round_of_newcomers_alone_is_theirs() -> None:
    assert weights({}, [accepted(name) for name in "abcd"]) == pytest.approx([0.25] * 4)


def test_a_negligible_share_is_not_lifted_by_the_caps() -> None:
    # One veteran whose update P-6 all but rejects, among newcomers: probation alone would
    # hand it 80 percent of the round.
    crowd = {name: standing(rounds=0) for name in "abcd"}
    found = shares({**crowd, **veterans(500)}, penalties=[1, 1, 1, 1, 1e-7])
    assert found["c0"].weight == 0.0
    assert [found[name].weight for name in crowd] == pytest.approx([0.25] * 4)


def test_what_is_dropped_goes_to_the_others() -> None:
    found = weights(veterans(*[500] * 5), penalties=[1, 1, 1, 9e-7, 9e-7])
    assert found[3:] == [0.0, 0.0]
    assert sum(found) == pytest.approx(1, abs=1e-12)


def test_equation_2_as_printed_is_not_normalised() -> None:
    paper = TrustConfig(weights=WeightConfig(formula=Formula.PAPER, max_share=1.0))
    replies = [accepted("c0"), accepted("c1", quality=0.5)]
    # Scores in the sigmoid: alpha 1. beta 1 and 1/2; c = alpha beta n_k / n.
    assert weights(veterans(500, 500), replies, config=paper) == pytest.approx([0.5, 0.25])


standings = st.builds(
    standing,
    st.floats(0, 1000),
    rounds=st.integers(0, 10),
    history=st.floats(0, 1),
    banned=st.booleans(),
)
cases = st.lists(
    st.tuples(standings, st.integers(1, 2**31), st.floats(0, 1), st.floats(0, 1)),
    min_size=1,
    max_size=8,
)


@given(cases, st.sampled_from(Formula), st.floats(0, 1), st.floats(0, 1))
def test_shares_sum_to_at_most_one_and_keep_the_caps(
    given: list[tuple[Standing, int, float, float]],
    formula: Formula,
    max_share: float,
    probation: float,
) -> None:
    config = TrustConfig(
        weights=WeightConfig(formula=formula, max_share=max_share),
        reputation=ReputationConfig(probation_share=probation),
    )
    known = {f"c{k}": each[0] for k, each in enumerate(given)}
    replies = [
        accepted(f"c{k}", num_examples=n, deviation=deviation)
        for k, (_, n, deviation, _) in enumerate(given)
    ]
    found = weights(known, replies, penalties=[each[3] for each in given], config=config)
    total, young = sum(found), [each[0].rounds < 5 for each in given]
    assert all(0.0 <= each <= 1.0 + 1e-9 for each in found)
    assert total <= 1.0 + 1e-9
    if formula is Formula.DECIDED and (all(young) or not any(young)):
        assert total == pytest.approx(1, abs=1e-9) or total == 0.0
    members = max(sum(each > 0 for each in found), 1)
    assert max(found) <= max(max_share, 1 / members) + 1e-9
    theirs = sum(w for w, new in zip(found, young, strict=True) if new)
    if any(w > 0 and not new for w, new in zip(found, young, strict=True)):
        assert theirs <= probation + 1e-9
