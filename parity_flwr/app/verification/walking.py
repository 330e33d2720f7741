"""Showing a chain of entries to every check, wherever the entries come from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from parity_flwr.app.journal.chain import Entry
from parity_flwr.app.verification.chain import ChainCheck
from parity_flwr.app.verification.checks import Check, Line
from parity_flwr.errors import JournalError


def walk(
    chain: ChainCheck, entries: Iterable[Entry], checks: Sequence[Check]
) -> tuple[Line, ...]:
    """Return the lines of all checks; a body that cannot be read ends all but the chain's."""
    unreadable: JournalError | None = None
    try:
        for entry in entries:
            chain.see_link(entry)
            if unreadable is None:
                unreadable = _show(entry, checks)
    except JournalError as error:
        unreadable = unreadable or error
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
