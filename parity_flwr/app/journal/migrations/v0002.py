"""Version 0002: the privacy charges."""

from __future__ import annotations

from alembic.operations import Operations
from sqlalchemy import BigInteger, Column, Double, ForeignKey, Text


def upgrade(operations: Operations) -> None:
    """Create the table of charges."""
    operations.create_table(
        "charges",
        Column("run_id", Text, ForeignKey("runs.run_id"), primary_key=True),
        Column("sequence", BigInteger, primary_key=True, autoincrement=False),
        Column("round", BigInteger, nullable=False),
        Column("client", Text, nullable=False),
        Column("mechanism", Text, nullable=False),
        Column("release", BigInteger, nullable=False),
        Column("noise_multiplier", Double, nullable=False),
        Column("sampling", Double, nullable=False),
        Column("count", BigInteger, nullable=False),
        Column("unit", Text, nullable=False),
        Column("relation", Text, nullable=False),
    )
