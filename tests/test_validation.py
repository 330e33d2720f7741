"""The validators' word: who outvotes whom, and what a vote does to its caster."""

from dataclasses import replace

import numpy as np
import pytest

from parity_flwr.core import canonical
from parity_flwr.core.config import CommitteeConfig, ReputationConfig, TrustConfig
from parity_flwr.core.consensus import cap_weights
from parity_flwr.core.records import (
    BallotFacts,
    ReplyFacts,
    ReputationState,
    RoundDecision,
    RoundFacts,
    RoundStatus,
    Verdict,
)
from parity_flwr.core.reputation import newcomer
from parity_flwr.core.rounds import decide
from parity_flwr.core.signatures import ballot_payload
from parity_flwr.core.validation import millionths
from parity_flwr.errors import ConfigError

CONFIG = TrustConfig()


def replies(n: int = 4) -> tuple[ReplyFacts, ...]:
    return tuple(
        ReplyFacts(
            identity=f"c{k}",
            verdict=Verdict.ACCEPTED,
            num_examples=10,
            norm=1.0,
            rho=1.0,
            deviation=0.0,
        )
        for k in range(n)
    )


def ballot(name: str, vote: str, rise: int | None = None) -> BallotFacts:
    natural = {"accept": -1000, "reject": 1000}.get(vote)
    return BallotFacts(identity=name, vote=vote, loss_rise=natural if rise is None else rise)


def judged(
    *ballots: BallotFacts, state: ReputationState | None = None
) -> tuple[ReputationState, RoundDecision]:
    facts = RoundFacts(round=1, replies=replies(), ballots=ballots, candidate_hash="0" * 64)
    return decide(state or ReputationState(), facts, CONFIG)


def test_a_carried_candidate_is_accepted() -> None:
    _, decision = judged(*(ballot(f"c{k}", "accept") for k in range(4)))
    assert decision.status is RoundStatus.ACCEPTED
    assert decision.committee is not None
    assert decision.committee.result == "accept"
    assert decision.committee.accept == decision.committee.total == 4 * 500_000_000


def test_without_two_thirds_the_model_stays() -> None:
    _, decision = judged(
        *(ballot(f"c{k}", "accept") for k in range(4)),
        *(ballot(f"d{k}", "reject") for k in range(2)),
    )  # 4 of 6 is not more than 2/3
    assert decision.status is RoundStatus.REJECTED
    assert all(each.weight == 0 for each in decision.replies)
    assert decision.reason == "validators: 2000000000 of 3000000000 for it, 2/3 needed"


def test_absence_counts_in_the_total() -> None:
    _, decision = judged(*(ballot(f"c{k}", "accept") for k in range(3)), ballot("c3", ""))
    assert decision.status is RoundStatus.ACCEPTED  # 3 of 4
    assert decision.committee is not None
    assert decision.committee.absentees == ("c3",)
    _, decision = judged(*(ballot(f"c{k}", "accept") for k in range(2)), ballot("c3", ""))
    assert decision.status is RoundStatus.REJECTED  # three members need unanimity


def test_an_unknown_vote_is_an_absence() -> None:
    _, decision = judged(*(ballot(f"c{k}", "accept") for k in range(3)), ballot("c3", "maybe"))
    assert decision.committee is not None
    assert decision.committee.absentees == ("c3",)


def test_what_serving_does_to_reputation() -> None:
    state, _ = judged(
        *(ballot(f"v{k}", "accept") for k in range(8)),
        ballot("minority", "reject"),
        ballot("liar", "reject", rise=-5000),
        ballot("silent", ""),
    )
    social = {name: standing.scores[3] for name, standing in state.standings.items()}
    assert social["v0"] == pytest.approx(525)  # 0.95 * 500 + 0.05 * 1000
    assert social["minority"] == pytest.approx(500)  # an honest vote against the result
    assert social["liar"] == social["silent"] == pytest.approx(350)  # 0.7 * 500
    assert state.standings["v0"].scores[:3] == (500.0, 500.0, 500.0)


def test_a_poisoner_cannot_vote_itself_back() -> None:
    poisoner = replace(newcomer(ReputationConfig()), success=0.0)
    state, _ = judged(
        *(ballot(f"v{k}", "accept") for k in range(4)),
        ballot("p", "accept"),
        state=ReputationState(standings={"p": poisoner}),
    )
    assert state.standings["p"].scores[3] == pytest.approx(350)


def test_a_rejected_round_asks_nobody_twice() -> None:
    facts = RoundFacts(round=1, replies=(), ballots=(ballot("a", "accept"),))
    _, decision = decide(ReputationState(), facts, CONFIG)
    assert decision.status is RoundStatus.REJECTED
    assert decision.committee is None


def test_the_facts_survive_the_journal() -> None:
    ballots = (ballot("a", "accept"), ballot("b", ""))
    facts = RoundFacts(round=3, replies=replies(), ballots=ballots, candidate_hash="f" * 64)
    again = canonical.loads(canonical.dumps(facts), RoundFacts)
    assert again == facts
    assert decide(ReputationState(), again, CONFIG) == decide(ReputationState(), facts, CONFIG)


def test_a_tolerance_must_be_a_number() -> None:
    with pytest.raises(ConfigError, match="tolerance"):
        CommitteeConfig(tolerance=float("nan"))


def payload(
    *, round: int = 1, candidate: str = "a", vote: str = "accept", rise: int | None = -5
) -> bytes:
    return ballot_payload(
        run_id="r", round=round, candidate_hash=candidate * 64, vote=vote, loss_rise=rise
    )


def test_a_signature_binds_vote_score_and_candidate() -> None:
    others = {
        payload(rise=5),
        payload(rise=None),
        payload(vote="reject"),
        payload(round=2),
        payload(candidate="b"),
    }
    assert len(others) == 5
    assert payload() not in others


def test_a_thousand_rounds_with_liars_under_a_third() -> None:
    """No wrong candidate is accepted and no good one refused."""
    rng = np.random.default_rng(2026)
    for _ in range(1000):
        size = int(rng.integers(4, 15))
        composites = rng.uniform(200, 1000, size)
        standings = {
            f"v{k:02}": replace(newcomer(ReputationConfig()), composite=float(each))
            for k, each in enumerate(composites)
        }
        weights = {name: millionths(each.composite) for name, each in standings.items()}
        liars = _largest_minority(cap_weights(weights), rng)
        good = bool(rng.integers(2))
        honest, lie = ("accept", "reject") if good else ("reject", "accept")
        moods = [lie, "", "abstain"]
        votes = tuple(
            ballot(name, moods[rng.integers(3)] if name in liars else honest)
            for name in sorted(standings)
        )
        _, decision = judged(*votes, state=ReputationState(standings=standings))
        assert (decision.status is RoundStatus.ACCEPTED) is good


def _largest_minority(weights: dict[str, int], rng: np.random.Generator) -> set[str]:
    """Return members drawn until one more would hold a third of the capped weight."""
    liars: set[str] = set()
    for name in rng.permutation(sorted(weights)):
        if 3 * (sum(weights[each] for each in liars) + weights[name]) < sum(weights.values()):
            liars.add(str(name))
    return liars
