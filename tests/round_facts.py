"""Facts on a round's replies, made up in one line each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from parity_flwr.core.records import (
    Action,
    ReplyDecision,
    ReplyFacts,
    ReputationState,
    RoundFacts,
    Standing,
    Verdict,
)


def accepted(identity: str = "a", **changes: Any) -> ReplyFacts:
    """Return an unremarkable reply: 100 examples, norm 1, rho 1."""
    facts: dict[str, Any] = {"num_examples": 100, "norm": 1.0, "rho": 1.0, "deviation": 0.0}
    return ReplyFacts(identity=identity, verdict=Verdict.ACCEPTED, **{**facts, **changes})


def abstained(identity: str = "a") -> ReplyFacts:
    return ReplyFacts(identity=identity, verdict=Verdict.ABSTAINED, num_examples=0)


def refused(identity: str = "a") -> ReplyFacts:
    return ReplyFacts(identity=identity, verdict=Verdict.QUARANTINED, reason="NaN")


def missing(identity: str = "a") -> ReplyFacts:
    return ReplyFacts(identity=identity, verdict=Verdict.MISSING, reason="late", fault=True)


def round_of(
    *replies: ReplyFacts, number: int = 1, actions: tuple[Action, ...] = ()
) -> RoundFacts:
    ordered = sorted(replies, key=lambda each: each.identity)
    return RoundFacts(round=number, replies=tuple(ordered), actions=actions)


def honest_round(n: int, number: int = 1, **changes: Any) -> RoundFacts:
    """Return n replies that nothing tells apart."""
    return round_of(*(accepted(f"c{k:02}", **changes) for k in range(n)), number=number)


def standing(score: float = 500.0, **changes: Any) -> Standing:
    """Return a standing with the same score in every dimension."""
    return Standing(scores=(score, score, score, score), composite=score, **changes)


def state_of(standings: Mapping[str, Standing]) -> ReputationState:
    return ReputationState(standings=standings)


def weights_of(replies: tuple[ReplyDecision, ...]) -> dict[str, float]:
    return {each.identity: each.weight for each in replies}
