"""Finding the journal of a run, and making the one of a run that starts."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

from sqlalchemy import select

from parity_flwr.app.environment import Environment
from parity_flwr.app.journal.database import Database, without_password
from parity_flwr.app.journal.schema import runs
from parity_flwr.app.journal.sql_journal import SqlJournal
from parity_flwr.app.runs.folder import RunFolder
from parity_flwr.core.config import TrustConfig
from parity_flwr.core.records import ReputationState
from parity_flwr.core.rounds import apply_actions
from parity_flwr.core.wire import REPUTATION_FROM, RESUME
from parity_flwr.errors import ConfigError, JournalError
from parity_flwr.files import atomic_file, is_present

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def from_environment(*, resume: str = "", reputation_from: str = "") -> SqlJournal:
    """Return the journal of the run that is under way (``PARITY_RUN_DIR``), else of a new one.

    This is the entry point ``parity_flwr.journal``: strategies load it by that name.

    Parameters
    ----------
    resume, reputation_from : str
        What the run config asks for, "parity-resume" and "parity-reputation-from": a run of
        this machine by id or ``latest``, never by path, since whoever may submit an app may
        not choose files. They go before the environment.

    Raises
    ------
    ConfigError
        No run goes by that name, or the environment has chosen another.
    JournalError
        The run's folder cannot be made.
    """
    environment = Environment.read()
    if resume and (environment.run_dir is not None or reputation_from):
        raise ConfigError(
            "a resumed run needs its own folder and reputation",
            came=f"{RESUME} with {REPUTATION_FROM if reputation_from else 'PARITY_RUN_DIR'}",
            action="leave one of them out",
        )
    if resume:
        folder = _by_id(resume, environment.home)
    elif environment.run_dir is None:
        folder = RunFolder.create(environment.home)
    else:
        folder = RunFolder(environment.run_dir).make()
    journal = start_journal(
        folder, url=environment.journal_url, keep_updates=environment.keep_updates
    )
    journal.baseline = not environment.trust
    if environment.publish:
        folder.to_be_published()
    if reputation_from:
        journal.carried = last_reputation(_by_id(reputation_from, environment.home))
    elif environment.reputation_from is not None and not resume:
        earlier = RunFolder.find(environment.reputation_from, environment.home)
        journal.carried = last_reputation(earlier)
    return journal


def _by_id(reference: str, home: Path) -> RunFolder:
    """Return the run that a run config names."""
    if not _NAME.fullmatch(reference):
        raise ConfigError(
            "a run config needs a run's id",
            came=repr(reference[:80]),
            action="run 'parity runs' where the ServerApp runs",
        )
    return RunFolder.find(reference, home)


def last_reputation(folder: RunFolder) -> ReputationState:
    """Return the reputation with which a run ended, to start another from.

    Bans and pardons journalled after the last round count too.

    Raises
    ------
    JournalError
        The run has no journal, or no round.
    """
    journal = open_journal(folder)
    last = journal.last_round()
    if last is None:
        raise JournalError(
            f"carrying reputation over needs a round in {folder.id}",
            came="none",
            action="choose a run that got further",
        )
    state = apply_actions(last.state, journal.actions(), TrustConfig())
    return replace(state, round=0)


def start_journal(
    folder: RunFolder, *, url: str | None = None, keep_updates: bool = False
) -> SqlJournal:
    """Return the journal of a run that starts or continues in ``folder``.

    ``url`` names a database that several runs share; the folder then remembers which, but
    never its password.
    """
    if url is None or is_present(folder.database):
        journal = open_journal(folder)
        journal.keep_updates = keep_updates
        return journal
    journal = SqlJournal(url, _shared_id(folder), folder, keep_updates)
    _note(folder, without_password(url), journal.run_id)
    return journal


def open_journal(folder: RunFolder, *, url: str | None = None) -> SqlJournal:
    """Return the journal of a run that exists, for reading or for an action.

    Parameters
    ----------
    folder : RunFolder
        The run.
    url : str, optional, keyword-only
        Its database, if that is not in the folder; by default ``PARITY_JOURNAL``. The
        folder's own note of it is only shown, never followed: a folder from somebody else
        must not send our password to their server.

    Raises
    ------
    JournalError
        There is none.
    """
    if is_present(folder.database) or not is_present(folder.pointer):
        return SqlJournal(folder.journal_url, _own_id(folder), folder)
    noted = _read_pointer(folder.pointer)
    url = url or Environment.read().journal_url
    if url is None:
        raise JournalError(
            f"the run {folder.id} needs its database",
            came=f"a journal outside its folder, at {noted.get('url', 'unknown')!r:.200}",
            action="set PARITY_JOURNAL to that URL",
        )
    return SqlJournal(url, _shared_id(folder), folder)


def _own_id(folder: RunFolder) -> str:
    """Return the id in the folder's own journal: the folder may have been renamed."""
    if not is_present(folder.database):
        return folder.id
    try:
        with Database(folder.journal_url).reading() as connection:
            found = connection.execute(select(runs.c.run_id).limit(2)).scalars().all()
    except JournalError:
        return folder.id  # whoever uses the journal meets the error where it matters
    return found[0] if len(found) == 1 and isinstance(found[0], str) else folder.id


def _shared_id(folder: RunFolder) -> str:
    return _read_pointer(folder.pointer).get("run_id", folder.id)


def _note(folder: RunFolder, url: str, run_id: str) -> None:
    """Write down where the journal lies."""
    try:
        with atomic_file(folder.pointer) as file:
            file.write(json.dumps({"url": url, "run_id": run_id}).encode())
    except OSError as error:
        raise JournalError(
            f"a run needs to write to {folder.path}",
            came=error.strerror or str(error),
            action="fix its permissions, or set PARITY_HOME",
        ) from error


def _read_pointer(path: Path) -> dict[str, str]:
    """Return what the folder notes of its database; damaged notes count as none."""
    try:
        with path.open("rb") as file:
            noted = json.loads(file.read(65536))
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(noted, dict):
        return {}
    return {name: value for name, value in noted.items() if isinstance(value, str)}
