"""Version 0003: the outbox of transactions and the index of a blockchain's events."""

from __future__ import annotations

from typing import Any

from alembic.operations import Operations
from sqlalchemy import BigInteger, Column, ForeignKey, Text


def upgrade(operations: Operations) -> None:
    """Create the four tables and their indices."""
    operations.create_table(
        "outbox",
        *_keys("position"),
        *_columns("key round:integer? to_address? data value gas:integer? state reason"),
        *_columns("chain_id:integer? sender? nonce:integer? tx_hash? block_number:integer?"),
        *_columns("block_hash? gas_used:integer? succeeded:integer? created?"),
    )
    operations.create_index("outbox_by_key", "outbox", ["run_id", "key"], unique=True)
    operations.create_index("outbox_by_state", "outbox", ["run_id", "state", "position"])
    operations.create_table(
        "outbox_attempts",
        *_keys("position attempt"),
        *_columns("raw tx_hash max_fee:integer priority_fee:integer first_seen:integer"),
    )
    operations.create_table("chain_blocks", *_keys("number"), *_columns("hash"))
    operations.create_table(
        "chain_logs",
        _run_id(),
        Column("tx_hash", Text, primary_key=True),
        Column("log_index", BigInteger, primary_key=True, autoincrement=False),
        *_columns("block_number:integer block_hash address topics data"),
    )
    operations.create_index("chain_logs_by_block", "chain_logs", ["run_id", "block_number"])


def _run_id() -> Column[Any]:
    return Column("run_id", Text, ForeignKey("runs.run_id"), primary_key=True)


def _keys(names: str) -> list[Column[Any]]:
    """Return the run's id and more columns of the primary key."""
    more: list[Column[Any]] = [
        Column(name, BigInteger, primary_key=True, autoincrement=False)
        for name in names.split()
    ]
    return [_run_id(), *more]


def _columns(described: str) -> list[Column[Any]]:
    """Return columns from ``name`` or ``name:integer``; ``?`` = nullable."""
    columns: list[Column[Any]] = []
    for each in described.split():
        name, _, kind = each.rstrip("?").partition(":")
        type_ = BigInteger if kind == "integer" else Text
        columns.append(Column(name, type_, nullable=each.endswith("?")))
    return columns
