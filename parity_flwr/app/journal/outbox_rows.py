"""Rows of the tables of the outbox as the plain data that they hold."""

from __future__ import annotations

from typing import Any

from parity_flwr.core.anchoring import (
    Attempt,
    Inclusion,
    Intent,
    OutboxRow,
    OutboxState,
    mined_as,
)
from parity_flwr.errors import JournalError


def parse_outbox_row(row: Any, attempts: tuple[Attempt, ...]) -> OutboxRow:
    """Return the row; JournalError if a column has another form."""
    try:
        return OutboxRow(
            position=row.position,
            intent=Intent(
                key=row.key,
                to=row.to_address,
                data=bytes.fromhex(row.data),
                value=int(row.value),
                gas=row.gas,
                round=row.round,
            ),
            state=OutboxState(row.state),
            chain_id=row.chain_id,
            sender=row.sender,
            nonce=row.nonce,
            attempts=attempts,
            tx_hash=None if row.tx_hash is None else bytes.fromhex(row.tx_hash),
            block_number=row.block_number,
            block_hash=None if row.block_hash is None else bytes.fromhex(row.block_hash),
            gas_used=row.gas_used,
            succeeded=None if row.succeeded is None else bool(row.succeeded),
            created=row.created,
            reason=row.reason,
        )
    except (ValueError, TypeError) as error:
        raise _unreadable(row.position) from error


def parse_attempt(row: Any) -> Attempt:
    """Return the attempt; JournalError if a column has another form."""
    try:
        return Attempt(
            raw=bytes.fromhex(row.raw),
            tx_hash=bytes.fromhex(row.tx_hash),
            max_fee=int(row.max_fee),
            priority_fee=int(row.priority_fee),
            first_seen=int(row.first_seen),
        )
    except (ValueError, TypeError) as error:
        raise _unreadable(row.position) from error


def inclusion_columns(inclusion: Inclusion | None) -> dict[str, Any]:
    """Return the columns that say where a transaction was mined, all NULL without one."""
    return {name: _column(value) for name, value in mined_as(inclusion).items()}


def _column(value: object) -> object:
    """Return a field as the table keeps it: hashes in hex, truth as 0 or 1."""
    if isinstance(value, bytes):
        return value.hex()
    return int(value) if isinstance(value, bool) else value


def _unreadable(position: object) -> JournalError:
    return JournalError(
        f"row {position!r:.40} of the outbox needs to be readable",
        came="a column of another form",
        action="restore the journal from a backup",
    )
