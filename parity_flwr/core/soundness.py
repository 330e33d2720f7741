"""How far each reply of a round counts as sound work, and where nobody can tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from parity_flwr.core.config import Formula, TrustConfig
from parity_flwr.core.records import ReplyDecision, ReplyFacts, Verdict

CLEAN = 0.5
"""A round is clean for a client whose reply is at least this sound."""


def soundness_of(
    weighed: Mapping[str, ReplyDecision], config: TrustConfig
) -> Mapping[str, float | None]:
    """Return how far each accepted reply counts as sound work, None where nobody can tell.

    In the paper's words all work counts.
    """
    if config.reputation.merit is Formula.PAPER:
        return dict.fromkeys(weighed, 1.0)
    if len(weighed) < config.robustness.min_replies:
        return dict.fromkeys(weighed)
    return {name: each.soundness for name, each in weighed.items()}


def clean_replies(
    replies: Sequence[ReplyFacts], soundness: Mapping[str, float | None]
) -> Mapping[str, bool]:
    """Return who gave cause to be believed in this round, and who did not.

    Where nobody can tell, the gate's word counts: a reply that passed it is clean.
    """
    told = {
        reply.identity: False
        for reply in replies
        if reply.verdict is Verdict.QUARANTINED and not reply.fault
    }
    return {**told, **{k: s is None or s >= CLEAN for k, s in soundness.items()}}
