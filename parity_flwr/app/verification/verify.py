"""Verify a run: what the journal says is whole, consistent, and comes out again.

What is trusted is the code that runs here and the head of the chain: whoever can rewrite
the whole journal can write another consistent one. Anchoring the head elsewhere (the chain
bridge does) closes that gap.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from parity_flwr.app.journal.chain import Entry
from parity_flwr.app.journal.opening import open_journal
from parity_flwr.app.journal.sql_journal import SqlJournal
from parity_flwr.app.runs.folder import RunFolder
from parity_flwr.app.verification.chain import ActionCheck, ChainCheck, OrderCheck, SeedCheck
from parity_flwr.app.verification.checks import Check, Line
from parity_flwr.app.verification.decisions import DecisionCheck, SignatureCheck
from parity_flwr.app.verification.files import FilesCheck
from parity_flwr.app.verification.privacy import LedgerCheck
from parity_flwr.app.verification.rows import RowsCheck
from parity_flwr.errors import JournalError


@dataclass(frozen=True)
class Verification:
    """What came out of verifying a run, one line a check."""

    lines: tuple[Line, ...]

    @property
    def ok(self) -> bool:
        """Whether no check failed; one that had nothing to look at does not fail."""
        return all(line.ok is not False for line in self.lines)


def verify(run: RunFolder, *, updates: Path | None = None) -> Verification:
    """Check a run's journal and files.

    Parameters
    ----------
    run : RunFolder
        The run.
    updates : Path, optional, keyword-only
        The folder of the updates that the clients sent: what was measured on them is then
        measured again.

    Raises
    ------
    JournalError
        There is no journal, it cannot be opened, or it holds no entry for this run.
    """
    journal = open_journal(run)
    with journal.snapshot() as connection:
        checks: list[Check] = [
            RowsCheck(connection, journal.run_id),
            DecisionCheck(),
            OrderCheck(),
            ActionCheck(),
            FilesCheck(run),
            SignatureCheck(journal.run_id),
            SeedCheck(),
            LedgerCheck(journal.run_id),
        ]
        if updates is not None:
            # It brings Flower along, which the other checks do not need.
            from parity_flwr.app.verification.updates import UpdatesCheck

            checks.append(UpdatesCheck(updates, seed=_revealed_seed(journal)))
        return Verification(_walk(journal, checks))


def _revealed_seed(journal: SqlJournal) -> bytes:
    """Return the sketches' seed, empty before the run's end or if it cannot be read."""
    try:
        ending = journal.ending()
        return bytes.fromhex(ending.sketch_seed) if ending else b""
    except (JournalError, ValueError):
        return b""


def _walk(journal: SqlJournal, checks: Sequence[Check]) -> tuple[Line, ...]:
    """Show every entry to every check; a body that cannot be read ends the others."""
    chain = ChainCheck(journal.run_id)
    unreadable: JournalError | None = None
    try:
        for entry in journal.entries():
            chain.see_link(entry)
            if unreadable is None:
                unreadable = _show(entry, checks)
    except JournalError as error:
        unreadable = unreadable or error
    if not chain.count and unreadable is None:
        raise journal.unknown()
    if unreadable is not None:
        return chain.line(), Line("entries", False, str(unreadable))
    return chain.line(), *(check.line() for check in checks)


def _show(entry: Entry, checks: Sequence[Check]) -> JournalError | None:
    try:
        record = entry.record
    except JournalError as error:
        return error
    for check in checks:
        check.see(entry, record)
    return None
