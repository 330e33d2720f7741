"""What a round record says about each participant's claim on the pool (P-28)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from parity_flwr.core.economy.amounts import (
    MILLION,
    UNIT,
    millionths,
    reputation_units,
    require_amount,
)
from parity_flwr.core.economy.rewards import Claim, RoundClaims
from parity_flwr.core.records import (
    ReplyDecision,
    ReplyFacts,
    RoundRecord,
    RoundStatus,
    Standing,
    Verdict,
)


class Participation(StrEnum):
    """What F of P-28 is."""

    ATTENDANCE = "attendance"  # decayed share of the rounds in which it replied at all
    WEIGHT = "weight"  # its share of the round, which grows with the n_k that it claims


@dataclass(frozen=True, kw_only=True)
class RewardConfig:
    """What a round pays and for what (P-28).

    *Decided*: Q is the soundness of the reply times the score that validators or the server
    gave it (1 without one), never a figure that the client reports about itself; R is the
    composite reputation after the round; S is what ``stakes`` says, and 1 for all if it
    says nothing. F is
    the attendance by default: with ``Participation.WEIGHT`` whoever claims more examples is
    paid more, and nothing shows that the claim is true (theorem 9.2 fails, docs/economy.md).
    Whoever is not in ``stakes`` has staked nothing and earns nothing, unless it is empty.
    """

    pool: int = 1_000 * UNIT  # base units a round
    participation: Participation = Participation.ATTENDANCE
    stakes: Mapping[str, int] = field(default_factory=dict)  # base units by identity

    def __post_init__(self) -> None:
        require_amount("pool", self.pool)
        for amount in self.stakes.values():
            require_amount("stake", amount)


def round_claims(
    record: RoundRecord, config: RewardConfig, *, stakes: Mapping[str, int] | None = None
) -> RoundClaims:
    """Return the claims of a round on its pool, from the journalled record alone.

    A reply that was quarantined, missing, an abstention, that the record does not judge, or
    whose sender is excluded claims nothing, and a rejected round pays nobody: its pool is
    carried over.

    Parameters
    ----------
    record : RoundRecord
        The round as it stands in the journal.
    config : RewardConfig
        Pool, the meaning of F, and the stakes of the run.
    stakes : Mapping[str, int], optional
        Base units staked when the round began, instead of the run's; an identity that is
        not there has staked nothing and earns nothing. None: those of ``config``.

    Raises
    ------
    ConfigError
        If a figure is outside its range, which a journal that was read back cannot hold.
    """
    if record.decision.status is RoundStatus.REJECTED:
        reason = record.decision.reason or "the round was rejected"
        return RoundClaims(round=record.round, pool=config.pool, claims=(), reason=reason)
    if stakes is None and config.stakes:
        stakes = config.stakes
    decisions = {each.identity: each for each in record.decision.replies}
    standings = record.state.standings
    claims = (
        _claim(reply, decisions[reply.identity], standings[reply.identity], config, stakes)
        for reply in record.facts.replies
        if reply.verdict is Verdict.ACCEPTED
        and reply.identity in standings
        and reply.identity in decisions
        and not decisions[reply.identity].excluded
    )
    ordered = tuple(sorted(claims, key=lambda claim: claim.identity))
    return RoundClaims(round=record.round, pool=config.pool, claims=ordered)


def _claim(
    reply: ReplyFacts,
    decision: ReplyDecision,
    standing: Standing,
    config: RewardConfig,
    stakes: Mapping[str, int] | None,
) -> Claim:
    sound = millionths(min(1.0, decision.soundness), name="soundness")
    scored = millionths(1.0 if reply.quality is None else reply.quality, name="quality")
    by_weight = config.participation is Participation.WEIGHT
    present = decision.weight if by_weight else standing.attendance
    return Claim(
        identity=reply.identity,
        quality=sound * scored // MILLION,
        reputation=reputation_units(standing.composite),
        participation=millionths(min(1.0, present), name="participation"),
        stake=1 if stakes is None else stakes.get(reply.identity, 0),
    )
