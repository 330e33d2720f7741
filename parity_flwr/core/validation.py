"""The validators' word on a candidate model, and what it does to their reputation.

A committee drawn from the clients in proportion to reputation evaluates the candidate on its
own data; P-14 to P-16 decide by reputation weight whether the round is accepted, else the
model stays. Serving is the one social event of P-11 that a federation records.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from parity_flwr.core.config import TrustConfig
from parity_flwr.core.consensus import Ballot, Consensus, ConsensusConfig, Vote, decide
from parity_flwr.core.dimensions import NEUTRAL
from parity_flwr.core.records import (
    BallotFacts,
    CommitteeDecision,
    ReputationState,
    RoundDecision,
    RoundFacts,
    RoundStatus,
)
from parity_flwr.core.reputation import settle, standing_of

MILLION = 1_000_000

WORST_RISE = 1_000_000 * MILLION
"""What a loss that is not finite any more counts as, and the most that any rise does."""

_VOTES = frozenset(vote.value for vote in Vote)  # anything else is no ballot


def millionths(value: float) -> int:
    """Return a number in millionths, an integer as the wire and the chain carry it.

    Examples
    --------
    >>> millionths(-0.25), millionths(650.0)
    (-250000, 650000000)
    """
    return round(value * MILLION)


def loss_rise(before: float, after: float) -> int | None:
    """Return by how much a loss rose, in millionths; None if nobody can say.

    Examples
    --------
    >>> loss_rise(1.0, 0.5), loss_rise(1.0, float("nan")) == WORST_RISE
    (-500000, True)
    >>> loss_rise(float("inf"), 1.0)
    """
    if not math.isfinite(before):
        return None
    if not math.isfinite(after):
        return WORST_RISE
    bound = WORST_RISE / MILLION
    return millionths(min(max(after - before, -bound), bound))


def validate(
    before: ReputationState,
    after: ReputationState,
    *,
    facts: RoundFacts,
    decision: RoundDecision,
    config: TrustConfig,
) -> tuple[ReputationState, RoundDecision]:
    """Return state and decision after the validators' word (P-14 to P-16).

    Parameters
    ----------
    before, after : ReputationState
        Reputation before the round, which gives the votes their weight, and after the
        training part of it.
    facts : RoundFacts
        The ballots, one per drawn validator.
    decision : RoundDecision
        What the training part decided.
    config : TrustConfig
        Constants.
    """
    weights = {
        ballot.identity: millionths(
            standing_of(before, ballot.identity, config.reputation).composite
        )
        for ballot in facts.ballots
    }
    consensus = _consensus(weights, facts.ballots, config)
    return (
        _settle_validators(after, facts.ballots, consensus, config),
        _with_committee(decision, consensus),
    )


def _consensus(
    weights: Mapping[str, int], ballots: Sequence[BallotFacts], config: TrustConfig
) -> Consensus:
    cast = {
        each.identity: Ballot(vote=Vote(each.vote), loss_rise=each.loss_rise)
        for each in ballots
        if each.vote in _VOTES
    }
    rules = ConsensusConfig(
        formula=config.committee.formula, tolerance=millionths(config.committee.tolerance)
    )
    return decide(weights, cast, config=rules)


def _with_committee(decision: RoundDecision, consensus: Consensus) -> RoundDecision:
    committee = CommitteeDecision(
        result=consensus.result.value if consensus.result else "none",
        accept=consensus.scores[Vote.ACCEPT],
        reject=consensus.scores[Vote.REJECT],
        abstain=consensus.scores[Vote.ABSTAIN],
        total=consensus.total,
        dissenters=consensus.dissenters,
        absentees=consensus.absentees,
    )
    if consensus.result is Vote.ACCEPT:
        return replace(decision, committee=committee)
    return replace(
        decision,
        status=RoundStatus.REJECTED,
        reason=f"validators: {committee.accept} of {committee.total} for it, 2/3 needed",
        replies=tuple(replace(each, weight=0.0) for each in decision.replies),
        committee=committee,
    )


def _settle_validators(
    state: ReputationState,
    ballots: Sequence[BallotFacts],
    consensus: Consensus,
    config: TrustConfig,
) -> ReputationState:
    """Move the social score of each validator (P-11, *decided*).

    1 for a vote with the result, 1/2 for an honest one against it (minorities exist), 0 for
    one against its own scores or none at all; times the soundness of the client's own work,
    so that a poisoner cannot vote itself back.
    """
    standings = dict(state.standings)
    for ballot in ballots:
        standing = standing_of(state, ballot.identity, config.reputation)
        event = _service(ballot, consensus) * standing.success
        standings[ballot.identity] = settle(
            standing,
            (None, None, None, event),
            dimension_weights=state.dimension_weights,
            config=config.reputation,
        )
    return replace(state, standings=dict(sorted(standings.items())))


def _service(ballot: BallotFacts, consensus: Consensus) -> float:
    if ballot.identity in consensus.absentees or ballot.identity in consensus.dissenters:
        return 0.0
    agrees = consensus.result is None or ballot.vote == consensus.result.value
    return 1.0 if agrees else NEUTRAL
