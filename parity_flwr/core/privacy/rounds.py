"""A round under central differential privacy, as the journal holds it.

It names no client: who was sampled must stay secret for sampling to amplify, and verdicts,
norms, hashes and metrics of updates without noise are what the ledger does not cover.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from parity_flwr.core.config import TrustConfig
from parity_flwr.core.records import ReputationState, RoundDecision, RoundFacts, RoundStatus
from parity_flwr.core.rounds import apply_actions
from parity_flwr.errors import JournalError

PRIVACY = "privacy"
"""Key of the privacy settings in the configuration of a run's header."""

CLIENT_PRIVACY = "client-privacy"
"""Key of what the clients of a run promise by themselves; their ledgers are theirs."""


def ledger_delta(settings: Mapping[str, Any]) -> float:
    """Return the delta that ledgers are added up at: less the part that is in no charge.

    Examples
    --------
    >>> ledger_delta({"delta": 1e-5})
    1e-05
    """
    delta: float = settings["delta"] - settings.get("naming_delta", 0.0)
    return delta


def is_private(config: Mapping[str, Any]) -> bool:
    """Say whether a header's configuration is that of a run under central DP."""
    return PRIVACY in config


def decide_private(
    state: ReputationState, facts: RoundFacts, config: TrustConfig
) -> tuple[ReputationState, RoundDecision]:
    """Return the state after bans and pardons, and a decision without weights.

    The round is always accepted: whether it has enough replies depends on the updates.

    Raises
    ------
    JournalError
        If the facts hold replies or ballots.
    """
    if facts.replies or facts.ballots:
        raise JournalError(
            "a private round needs facts without replies",
            came=f"{len(facts.replies)} replies",
            action="run 'parity verify' and restore the journal from a backup",
        )
    after = apply_actions(state, facts.actions, config)
    return replace(after, round=facts.round), RoundDecision(status=RoundStatus.ACCEPTED)
