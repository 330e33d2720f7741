"""The report's section on the chain: contracts, anchored rounds, rewards, gas."""

from __future__ import annotations

from dataclasses import dataclass

from parity_flwr.app.chains.summary import ChainSummary
from parity_flwr.app.report.tables import MAX_CLIENTS, NAME_LENGTH
from parity_flwr.app.text import printable
from parity_flwr.core.economy.amounts import tokens


@dataclass(frozen=True, kw_only=True)
class ChainSection:
    """What the template shows."""

    summary: str
    trouble: str
    facts: tuple[tuple[str, str], ...]
    rewards: tuple[tuple[str, str], ...]  # name, tokens; the highest first
    left_out: int


def chain_section(found: ChainSummary) -> ChainSection:
    """Turn a run's figures into what is shown."""
    made = found.deployment
    where = "the embedded chain" if found.embedded else f"the chain {made.chain_id}"
    paid = sorted(found.rewards.earned.items(), key=lambda pair: (-pair[1], pair[0]))
    return ChainSection(
        summary=f"{found.anchored} of {found.rounds} rounds are recorded on {where}.",
        trouble=printable(found.failed)
        or (f"{found.waiting} transactions wait" if found.waiting else ""),
        facts=(
            ("RoundLedger", made.ledger),
            ("Rewards", made.rewards),
            ("ReputationRegistry", made.registry),
            ("token", made.token),
            ("chain id", str(made.chain_id)),
            ("gas of the last round", str(found.round_gas)),
            ("gas of everything", str(found.gas)),
            ("carried over, not paid yet (tokens)", tokens(found.rewards.carried)),
        ),
        rewards=tuple(
            (printable(name, limit=NAME_LENGTH), tokens(amount))
            for name, amount in paid[:MAX_CLIENTS]
        ),
        left_out=max(0, len(paid) - MAX_CLIENTS),
    )
