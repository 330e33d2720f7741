"""Connections: SQLite in WAL mode or PostgreSQL, and what their errors mean."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from parity_flwr.app.journal.migrations import current_version, upgrade
from parity_flwr.core.canonical import MAX_BYTES
from parity_flwr.errors import ConfigError, JournalError, MissingExtraError
from parity_flwr.files import is_present

_SQLITE = "sqlite:///"
_WRITING = "parity_writing"
_MIGRATION_LOCK = 0x7061726974790001

_ACTIONS = (
    (("locked", "lock timeout"), "wait for the other process, or end it"),
    (("full", "No space"), "free some space, then continue with --resume"),
    (("readonly", "read-only", "unable to open"), "fix the permissions of the run's folder"),
    (("malformed", "not a database", "corrupt", "codec"), "restore the journal from a backup"),
    (("connect", "server"), "check that the server runs and that the URL is right"),
)


class Database:
    """One database that holds journals; connects only while it is used.

    Parameters
    ----------
    url : str
        ``sqlite:////path/to/file`` or ``postgresql://user@host/name``.
    timeout_s : float, keyword-only
        How long to wait for a lock.

    Raises
    ------
    ConfigError
        The URL names neither of the two.
    MissingExtraError
        It is PostgreSQL's and psycopg is not installed.
    """

    def __init__(self, url: str, *, timeout_s: float = 30.0) -> None:
        parsed = _parse(url)
        self.file = Path(str(parsed.database)) if _is_sqlite(parsed) else None
        self.label = str(self.file) if self.file else parsed.render_as_string()
        make = _sqlite_engine if self.file else _postgres_engine
        self._engine = make(parsed, timeout_s)
        self._ready = False

    def create(self) -> None:
        """Make the database, or bring it to the newest schema version."""
        with self._translating():
            if self.file is not None:
                _create_wal(self.file)
            with self._begin(writing=True) as connection:
                if self.file is None:
                    lock = text("SELECT pg_advisory_xact_lock(:key)")
                    connection.execute(lock, {"key": _MIGRATION_LOCK})
                upgrade(connection)
        self._ready = True

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection that sees one state of the database throughout."""
        self._require()
        with self._translating(), self._begin(writing=False) as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Give a connection in a transaction that commits at the end, or never happened."""
        self._require()
        with self._translating(), self._begin(writing=True) as connection:
            yield connection

    @contextmanager
    def _begin(self, *, writing: bool) -> Iterator[Connection]:
        with self._engine.execution_options(**{_WRITING: writing}).begin() as connection:
            yield connection

    def _require(self) -> None:
        """Check once that a journal is there, and upgrade an older one."""
        if self._ready:
            return
        if self.file is not None and not is_present(self.file):
            raise self._missing("no such file")
        with self._translating(), self._begin(writing=False) as connection:
            version = current_version(connection)
        if version is None:
            raise self._missing("a database without one")
        self.create()

    def _missing(self, came: str) -> JournalError:
        return JournalError(
            f"a journal needs to be in {self.label}",
            came=came,
            action="check the run's id, or start the run first",
        )

    @contextmanager
    def _translating(self) -> Iterator[None]:
        try:
            yield
        except (SQLAlchemyError, sqlite3.Error, OSError, OverflowError, UnicodeError) as error:
            cause = _first_line(error)
            raise JournalError(
                f"the journal {self.label} needs to be readable and writable",
                came=cause,
                action=_action(cause),
            ) from error


def without_password(url: str) -> str:
    """Return the URL as it may stand in a file or a message."""
    parsed = _parse(url)
    return parsed.set(password=None).render_as_string() if not _is_sqlite(parsed) else url


def _parse(url: str) -> URL:
    if url.startswith(_SQLITE) and len(url) > len(_SQLITE):
        return URL.create("sqlite", database=url.removeprefix(_SQLITE))
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        parsed = URL.create("unknown")
    if parsed.drivername in {"postgres", "postgresql", "postgresql+psycopg"}:
        return parsed.set(drivername="postgresql+psycopg")
    raise ConfigError(
        "a journal needs a URL like sqlite:////path/to/file or postgresql://user@host/name",
        came=f"one that begins with {parsed.drivername[:40]!r}",
        action="change PARITY_JOURNAL or the option",
    )


def _is_sqlite(url: URL) -> bool:
    return url.drivername == "sqlite"


def _sqlite_engine(url: URL, timeout_s: float) -> Engine:
    engine = create_engine(url, poolclass=NullPool, connect_args={"timeout": timeout_s})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _create_wal(file: Path) -> None:
    """Make the file if it is not there, in WAL mode, which then stays with it."""
    file.touch(mode=0o600)
    connection = sqlite3.connect(file)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
    finally:
        connection.close()


def _prepare_sqlite(connection: sqlite3.Connection, _: object) -> None:
    # Without this the driver begins transactions itself, too late for BEGIN IMMEDIATE.
    connection.isolation_level = None
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_BYTES + 4096)
    for pragma in ("synchronous=FULL", "foreign_keys=ON", "trusted_schema=OFF"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that reads first and writes later can fail as "locked" in between.
    writing = connection.get_execution_options().get(_WRITING, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")


def _postgres_engine(url: URL, timeout_s: float) -> Engine:
    try:
        import psycopg  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("a journal in PostgreSQL", extra="postgres") from error
    engine = create_engine(url, poolclass=NullPool, connect_args={"connect_timeout": 10})

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writing = connection.get_execution_options().get(_WRITING, False)
        mode = "READ COMMITTED" if writing else "REPEATABLE READ"
        connection.exec_driver_sql(f"SET TRANSACTION ISOLATION LEVEL {mode}")
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = {round(1000 * timeout_s)}")

    return engine


def _first_line(error: Exception) -> str:
    cause = getattr(error, "orig", None) or error
    lines = str(cause).strip().splitlines()
    return (lines[0] if lines else type(cause).__name__)[:200]


def _action(cause: str) -> str:
    for words, action in _ACTIONS:
        if any(word in cause for word in words):
            return action
    return "run 'parity doctor', or restore the journal from a backup"
