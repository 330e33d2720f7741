"""The journal's schema, version by version, as alembic operations in plain modules.

A new version is a module ``vNNNN.py`` with ``upgrade(operations)``, one line in
:data:`MIGRATIONS`, and the same change in :mod:`parity_flwr.app.journal.schema`; a test
compares what the migrations build with what the schema declares. There is no way back: a
journal of a newer version is refused, never rewritten.
"""

from __future__ import annotations

from collections.abc import Callable

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Column, Connection, MetaData, Table, Text, inspect, select

from parity_flwr.app.journal.migrations import v0001, v0002, v0003
from parity_flwr.errors import JournalError

Migration = tuple[str, Callable[[Operations], None]]

MIGRATIONS: tuple[Migration, ...] = (
    ("0001", v0001.upgrade),
    ("0002", v0002.upgrade),
    ("0003", v0003.upgrade),
)

_version = Table(
    "parity_journal_version", MetaData(), Column("version", Text, primary_key=True)
)


def current_version(connection: Connection) -> str | None:
    """Return the schema version of a database, None if it holds no journal."""
    if not inspect(connection).has_table(_version.name):
        return None
    versions = connection.execute(select(_version.c.version).limit(2)).scalars().all()
    return str(versions[0]) if len(versions) == 1 else f"{len(versions)} versions"


def upgrade(connection: Connection, migrations: tuple[Migration, ...] = MIGRATIONS) -> None:
    """Bring the database to the newest version, inside the caller's transaction.

    Raises
    ------
    JournalError
        The database has a version that this package does not know.
    """
    current = current_version(connection)
    operations = Operations(MigrationContext.configure(connection))
    if current is None:
        _version.create(connection)
    for version, migrate in _pending(current, migrations):
        migrate(operations)
        connection.execute(_version.delete())
        connection.execute(_version.insert().values(version=version))


def _pending(current: str | None, migrations: tuple[Migration, ...]) -> tuple[Migration, ...]:
    known = [version for version, _ in migrations]
    if current is None:
        return migrations
    if current not in known:
        raise JournalError(
            f"a journal needs schema version {known[-1]} or older",
            came=f"version {current[:40]!r}",
            action="install the parity-flwr that wrote it, or a newer one",
        )
    return migrations[known.index(current) + 1 :]
