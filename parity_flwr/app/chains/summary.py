"""A run on a chain in a few figures, from its folder alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from parity_flwr.app.chains.places import ChainPlaces
from parity_flwr.app.chains.terms import read_terms
from parity_flwr.app.journal.outbox import SqlOutbox
from parity_flwr.app.journal.sql_journal import SqlJournal
from parity_flwr.chain_bridge.deployment import Deployment
from parity_flwr.core.anchoring import OutboxRow, OutboxState
from parity_flwr.core.economy.amounts import tokens
from parity_flwr.core.economy.claims import RewardConfig, round_claims
from parity_flwr.core.economy.rewards import RewardState, step
from parity_flwr.core.records import RoundRecord


@dataclass(frozen=True, kw_only=True)
class ChainSummary:
    """Where a run's rounds are, what they cost in gas, and what everybody earned."""

    deployment: Deployment
    embedded: bool
    anchored: int  # rounds in a block that stays
    rounds: int  # rounds in the journal
    gas: int  # of all transactions
    round_gas: int  # of the last round's transaction; 0 before one
    waiting: int  # transactions
    failed: str  # why one was refused, empty for none
    rewards: RewardState

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data; amounts are decimal tokens."""
        made = self.deployment
        return {
            "chain_id": made.chain_id,
            "embedded": self.embedded,
            "token": made.token,
            "ledger": made.ledger,
            "rewards_contract": made.rewards,
            "registry": made.registry,
            "anchored": self.anchored,
            "rounds": self.rounds,
            "gas": self.gas,
            "round_gas": self.round_gas,
            "waiting": self.waiting,
            "failed": self.failed,
            "rewards": {name: tokens(paid) for name, paid in self.rewards.earned.items()},
            "carried": tokens(self.rewards.carried),
        }


def earnings(records: Iterable[RoundRecord], config: RewardConfig) -> RewardState:
    """Return what everybody has earned after these rounds (P-28)."""
    state = RewardState()
    for record in records:
        state, _ = step(state, round_claims(record, config))
    return state


def chain_summary(journal: SqlJournal) -> ChainSummary | None:
    """Return the figures of a run, None if it was not published to a chain.

    Raises
    ------
    JournalError, ConfigError
        Journal, deployment or terms cannot be read.
    """
    places = ChainPlaces(journal.folder.path)
    deployment, terms = places.only(), read_terms(places)
    if deployment is None or terms is None:
        return None
    rows = SqlOutbox(journal.database, journal.run_id).rows()
    records = journal.rounds()
    anchored = [row for row in rows if row.intent.round is not None and _is_final(row)]
    failed = [row for row in rows if row.state is OutboxState.FAILED]
    return ChainSummary(
        deployment=deployment,
        embedded=places.embedded.is_dir(),
        anchored=len(anchored),
        rounds=len(records),
        gas=sum(row.gas_used or 0 for row in rows),
        round_gas=(anchored[-1].gas_used or 0) if anchored else 0,
        waiting=sum(not _is_final(row) for row in rows) - len(failed),
        failed=f"{failed[0].intent.key}: {failed[0].reason}" if failed else "",
        rewards=earnings(records, terms.rewards),
    )


def _is_final(row: OutboxRow) -> bool:
    return row.state is OutboxState.FINAL
