"""What one check of ``parity verify`` is: it sees every entry once, then concludes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from parity_flwr.app.journal.chain import Entry, Record


@dataclass(frozen=True)
class Line:
    """The outcome of one check; ``ok`` is None when it was skipped."""

    name: str
    ok: bool | None
    detail: str


class Check(Protocol):
    """One thing to verify about a journal."""

    def see(self, entry: Entry, record: Record) -> None:
        """Look at the next entry."""
        ...

    def line(self) -> Line:
        """Return the outcome, after the last entry."""
        ...


class Findings:
    """Counts what held and keeps the first thing that did not.

    Parameters
    ----------
    name : str
        The check's name.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.held = 0
        self._broken: list[str] = []

    def require(self, holds: bool, problem: str) -> bool:
        """Note one comparison; return whether it held."""
        if holds:
            self.held += 1
        else:
            self._broken.append(problem)
        return holds

    def line(self, what: str, *, otherwise: str = "nothing to check") -> Line:
        """Return the outcome: failed, ok with ``N what``, or skipped if there was nothing."""
        if self._broken:
            more = f" (and {len(self._broken) - 1} more)" if len(self._broken) > 1 else ""
            return Line(self.name, False, self._broken[0] + more)
        if not self.held:
            return Line(self.name, None, otherwise)
        return Line(self.name, True, f"{self.held} {what}")
