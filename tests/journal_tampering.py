"""Changing a journal behind its back, as a curious or hostile owner of the file can."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from typing import Any

from parity_flwr.app.journal.chain import genesis, link
from parity_flwr.app.runs.folder import RunFolder
from parity_flwr.app.verification.verify import Verification


def execute(run: RunFolder, statement: str, *values: object) -> None:
    """Change the database behind the journal's back."""
    connection = sqlite3.connect(run.database)
    try:
        connection.execute(statement, values)
        connection.commit()
    finally:
        connection.close()


def query(run: RunFolder, statement: str) -> list[tuple[object, ...]]:
    """Ask the database behind the journal's back."""
    connection = sqlite3.connect(run.database)
    try:
        return connection.execute(statement).fetchall()
    finally:
        connection.close()


def failures(verification: Verification) -> dict[str, str]:
    """Return the failed lines."""
    return {line.name: line.detail for line in verification.lines if line.ok is False}


def rehash(run: RunFolder) -> None:
    """Make the chain consistent again, as somebody who rewrites all of it can."""
    head = genesis(run.id)
    entries = query(run, "SELECT sequence, kind, body FROM entries ORDER BY sequence")
    for sequence, kind, body in entries:
        new = link(head, str(kind), str(body))
        execute(
            run,
            "UPDATE entries SET previous_hash = ?, hash = ? WHERE sequence = ?",
            head,
            new,
            sequence,
        )
        head = new
    execute(run, "UPDATE runs SET head_hash = ?", head)


def edit(run: RunFolder, kind: str, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the last body of a kind and make the chain consistent again."""
    chosen = f"SELECT max(sequence), body FROM entries WHERE kind = '{kind}'"
    sequence, body = query(run, chosen)[0]
    plain = json.loads(str(body))
    change(plain)
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"))
    execute(run, "UPDATE entries SET body = ? WHERE sequence = ?", text, sequence)
    rehash(run)
