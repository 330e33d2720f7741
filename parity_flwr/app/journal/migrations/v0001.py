"""Version 0001: the hash chain of entries and what is derived from it."""

from __future__ import annotations

from typing import Any

from alembic.operations import Operations
from sqlalchemy import BigInteger, Column, Double, ForeignKey, Text


def upgrade(operations: Operations) -> None:
    """Create the six tables."""
    operations.create_table(
        "runs",
        Column("run_id", Text, primary_key=True),
        *_columns("head_sequence:integer head_hash status reason"),
    )
    operations.create_table(
        "entries",
        *_keys("sequence"),
        *_columns("kind body previous_hash hash written_at"),
    )
    operations.create_table(
        "rounds",
        *_keys("round"),
        *_columns("sequence:integer status reason base_hash model_hash"),
        *_columns("n_selected:integer n_accepted:integer"),
    )
    _create_replies(operations)
    operations.create_table(
        "metrics",
        *_keys("sequence position"),
        *_columns("round:integer source name value:number"),
    )
    operations.create_table(
        "actions",
        *_keys("sequence"),
        *_columns("kind identity reason applied_round:integer?"),
    )


def _create_replies(operations: Operations) -> None:
    operations.create_table(
        "replies",
        *_keys("round position"),
        *_columns("identity node_id verdict reason update_hash public_key signature"),
        *_columns("num_examples:integer? norm:number? rho:number? deviation:number?"),
        *_columns("quality:number? time_s:number alpha:number beta:number penalty:number"),
        *_columns("soundness:number weight:number performance:number? quality_score:number?"),
        *_columns("consistency:number? social:number? composite:number? excluded:integer"),
    )
    operations.create_index("replies_by_identity", "replies", ["run_id", "identity"])


def _keys(names: str) -> list[Column[Any]]:
    """Return the run's id and more columns of the primary key."""
    run_id: Column[Any] = Column("run_id", Text, ForeignKey("runs.run_id"), primary_key=True)
    more: list[Column[Any]] = [
        Column(name, BigInteger, primary_key=True, autoincrement=False)
        for name in names.split()
    ]
    return [run_id, *more]


def _columns(described: str) -> list[Column[Any]]:
    """Return columns from ``name``, ``name:integer`` or ``name:number``; ``?`` = nullable."""
    kinds = {"": Text, "integer": BigInteger, "number": Double}
    columns: list[Column[Any]] = []
    for each in described.split():
        name, _, kind = each.partition(":")
        columns.append(Column(name, kinds[kind.rstrip("?")], nullable=kind.endswith("?")))
    return columns
