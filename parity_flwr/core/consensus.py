"""Reputation-weighted consensus over a drawn committee, in integers (P-14 to P-16)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from parity_flwr.core.config import Formula
from parity_flwr.errors import ConfigError

PAPER_THETA = Fraction(67, 100)
"""The paper's theta as printed (Parity, Eq. 15)."""

UNANIMITY_BELOW = 4
"""A smaller committee cannot outvote a liar, so all of it must agree."""


class Vote(StrEnum):
    """What a member says of a result: members on different data share no numbers (P-14)."""

    ACCEPT = "accept"
    REJECT = "reject"
    ABSTAIN = "abstain"


@dataclass(frozen=True, kw_only=True)
class Ballot:
    """A vote with the quantised score that travels, signed, beside it.

    ``loss_rise`` is by how much the member's own loss rose, in millionths; only an
    abstention may come without it.
    """

    vote: Vote
    loss_rise: int | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.vote, Vote):
            raise _refusal("a vote", ascii(self.vote)[:80])
        rise = self.loss_rise
        if rise is not None and (isinstance(rise, bool) or not isinstance(rise, int)):
            raise _refusal("loss_rise as an int or None", ascii(rise)[:80])


@dataclass(frozen=True, kw_only=True)
class ConsensusConfig:
    """How a committee decides."""

    formula: Formula = Formula.DECIDED
    tolerance: int = 0  # a rise of the loss below this (millionths) is good enough
    faulty: int | None = None  # f of P-16, paper mode only; None = theta as printed, 0.67

    def __post_init__(self) -> None:
        for name, value in (("tolerance", self.tolerance), ("faulty", self.faulty or 0)):
            if isinstance(value, bool) or not isinstance(value, int) or value < 0:
                raise _refusal(f"{name} as an int >= 0", ascii(value)[:80])


@dataclass(frozen=True, kw_only=True)
class Consensus:
    """What a committee decided, and who gave cause for it; names are sorted."""

    result: Vote | None  # None: no result has enough weight behind it
    scores: Mapping[Vote, int]  # P-14, in capped weight
    total: int  # capped weight of the whole committee
    dissenters: tuple[str, ...]  # voted against their own scores
    absentees: tuple[str, ...]  # members without a complete ballot
    outsiders: tuple[str, ...]  # sent a ballot without being members; it does not count


def supported_vote(loss_rise: int, *, tolerance: int) -> Vote:
    """Return the vote that an honest member casts: accept if its loss rose by less."""
    return Vote.ACCEPT if loss_rise < tolerance else Vote.REJECT


def decide(
    weights: Mapping[str, int],
    ballots: Mapping[str, Ballot],
    *,
    config: ConsensusConfig | None = None,
) -> Consensus:
    """Decide by the weight of those who agree (P-14 to P-16; Parity, Eqs. 14-16).

    *Decided*: a result is accepted iff 3 * score > 2 * total in integers, where total is
    the weight of the whole drawn committee, absent members included; one member's weight is
    capped (:func:`cap_weights`); fewer than 4 members need unanimity. So liars with less
    than a third of the capped weight never get a wrong result accepted. With the config's
    formula "paper": score / total >= theta over the weights as they are.

    Parameters
    ----------
    weights : mapping of str to int
        The drawn committee; ints >= 0, such as reputation in millionths.
    ballots : mapping of str to Ballot
        What came, by sender.

    Raises
    ------
    ConfigError
        If the committee is empty or has a weight that is not an int >= 0, or if the paper's
        f is above a third of the committee.
    """
    config = config or ConsensusConfig()
    decided = config.formula is Formula.DECIDED
    counted = cap_weights(weights) if decided else _checked(weights)
    valid = {m: b for m, b in ballots.items() if m in weights and _is_complete(b)}
    scores = {vote: _score(vote, counted, valid) for vote in Vote}
    total = sum(counted.values())
    paper = Fraction(0) if decided else paper_threshold(len(weights), faulty=config.faulty)
    winners = [
        vote
        for vote, score in scores.items()
        if (_carries(score, counted) if decided else _reaches(score, total, paper))
    ]
    return Consensus(
        result=winners[0] if winners else None,
        scores=scores,
        total=total,
        dissenters=tuple(sorted(m for m, b in valid.items() if _lies(b, config.tolerance))),
        absentees=tuple(sorted(weights.keys() - valid.keys())),
        outsiders=tuple(sorted(ballots.keys() - weights.keys())),
    )


def cap_weights(weights: Mapping[str, int]) -> dict[str, int]:
    """Cap every weight at total/(N/2), where total is the sum after capping.

    N counts the members with a positive weight. *Decided*: capping at a share of the
    uncapped total would leave one heavy member with more than 2/N of what is counted. The
    cap c solves c = 2 (rest + k c) / N for the k members above it, rounded down, so
    N * weight <= 2 * total holds for all.

    Raises
    ------
    ConfigError
        If there is no member, or a weight is not an int >= 0.

    Examples
    --------
    >>> cap_weights({"a": 100, "b": 1, "c": 1, "d": 1})
    {'a': 3, 'b': 1, 'c': 1, 'd': 1}
    """
    descending = sorted((w for w in _checked(weights).values() if w > 0), reverse=True)
    n, rest = len(descending), sum(descending)
    for capped, weight in enumerate(descending):
        # All lighter members fit under this cap as soon as the heaviest of them does; the
        # divisor stays positive, since at capped = ceil(n/2) - 1 the cap is >= rest.
        cap = 2 * rest // (n - 2 * capped)
        if weight <= cap:
            return {member: min(own, cap) for member, own in weights.items()}
        rest -= weight
    return dict(weights)  # nobody has a weight


def paper_threshold(members: int, *, faulty: int | None = None) -> Fraction:
    """Return theta = (N - f)/N, or 0.67 as printed without f (P-16; Parity, Eq. 16).

    Raises
    ------
    ConfigError
        If f is above N/3, the most that the paper tolerates.
    """
    if faulty is None:
        return PAPER_THETA
    if not 0 <= 3 * faulty <= members or members == 0:
        raise _refusal("0 <= f <= N/3 faulty members", f"f={faulty}, N={members}")
    return Fraction(members - faulty, members)


def _checked(weights: Mapping[str, int]) -> Mapping[str, int]:
    if not weights:
        raise _refusal("a member", "none")
    for member, weight in weights.items():
        if isinstance(weight, bool) or not isinstance(weight, int) or weight < 0:
            raise _refusal(
                "weights that are ints >= 0", f"{ascii(weight)[:40]} of {member!a:.40}"
            )
    return weights


def _refusal(needed: str, came: str) -> ConfigError:
    return ConfigError(f"consensus needs {needed}", came=came, action="change the committee")


def _is_complete(ballot: Ballot) -> bool:
    return ballot.vote is Vote.ABSTAIN or ballot.loss_rise is not None


def _lies(ballot: Ballot, tolerance: int) -> bool:
    if ballot.vote is Vote.ABSTAIN or ballot.loss_rise is None:
        return False
    return ballot.vote is not supported_vote(ballot.loss_rise, tolerance=tolerance)


def _score(vote: Vote, weights: Mapping[str, int], ballots: Mapping[str, Ballot]) -> int:
    return sum(weights[member] for member, ballot in ballots.items() if ballot.vote is vote)


def _carries(score: int, weights: Mapping[str, int]) -> bool:
    total = sum(weights.values())
    if sum(weight > 0 for weight in weights.values()) < UNANIMITY_BELOW:
        return 0 < score == total
    return 3 * score > 2 * total


def _reaches(score: int, total: int, theta: Fraction) -> bool:
    return total > 0 and Fraction(score, total) >= theta
