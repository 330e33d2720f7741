"""Checks of the chain itself: its hashes, its headers, its models, its secrets."""

from __future__ import annotations

from parity_flwr.app.journal.agreement import continued
from parity_flwr.app.journal.chain import Ending, Entry, Record, genesis, link
from parity_flwr.app.verification.checks import Findings, Line
from parity_flwr.core.records import Action, RoundRecord, RunHeader
from parity_flwr.core.sketch import commitment
from parity_flwr.errors import JournalError


class ChainCheck:
    """Every entry follows the one before; does not look into the bodies.

    Parameters
    ----------
    run_id : str
        What the first entry is bound to.
    """

    def __init__(self, run_id: str) -> None:
        self._findings = Findings("hash chain")
        self.head = genesis(run_id)
        self.count = 0
        self._broken = False

    def see_link(self, entry: Entry) -> None:
        """Look at the next entry, readable or not; stop at the first broken one."""
        if self._broken:
            return
        self.count += 1
        problem = self._problem(entry)
        self._broken = not self._findings.require(not problem, problem)
        self.head = entry.hash

    def _problem(self, entry: Entry) -> str:
        if entry.sequence != self.count:
            return f"entry {self.count} is missing: entry {entry.sequence} comes instead"
        if entry.previous_hash != self.head:
            return f"entry {entry.sequence} does not follow the entry before it"
        try:
            expected = link(entry.previous_hash, entry.kind, entry.body)
        except JournalError as error:
            return f"entry {entry.sequence}: {error}"
        if entry.hash != expected:
            return f"entry {entry.sequence} ({entry.kind:.20}) is not what was hashed"
        return ""

    def line(self) -> Line:
        """Return the outcome."""
        return self._findings.line("entries")


class OrderCheck:
    """Headers agree, rounds follow each other from the model that the last one left."""

    def __init__(self) -> None:
        self._findings = Findings("model chain")
        self._header: RunHeader | None = None
        self._round = 0
        self._model = ""

    def see(self, entry: Entry, record: Record) -> None:
        """Look at the next entry."""
        if isinstance(record, RunHeader):
            self._see_header(entry, record)
        elif self._header is None:
            self._findings.require(False, f"entry {entry.sequence} stands before any header")
        if isinstance(record, RoundRecord):
            self._see_round(record)

    def _see_header(self, entry: Entry, header: RunHeader) -> None:
        if self._header is None or not self._round:
            self._model = header.model_hash
        else:
            problem = _disagreement(self._header, header)
            self._findings.require(not problem, f"entry {entry.sequence}: {problem}")
        self._header = header

    def _see_round(self, record: RoundRecord) -> None:
        number, expected = record.round, self._round + 1
        in_order = record.facts.round == record.state.round == number == expected
        self._findings.require(in_order, f"round {number} comes where {expected} should")
        self._findings.require(
            record.base_hash == self._model,
            f"round {number} starts from {record.base_hash[:16]}, "
            f"the model before it is {self._model[:16]}",
        )
        self._round, self._model = number, record.model_hash

    def line(self) -> Line:
        """Return the outcome."""
        line = self._findings.line("links", otherwise="no round yet")
        return Line(line.name, line.ok, f"{self._round} rounds" if line.ok else line.detail)


class ActionCheck:
    """Every ban that a round applied stands in the chain before it, and applies once."""

    def __init__(self) -> None:
        self._findings = Findings("actions")
        self._known: dict[int, Action] = {}
        self._count = 0

    def see(self, entry: Entry, record: Record) -> None:
        """Look at the next entry."""
        if isinstance(record, Action):
            self._count += 1
            self._known[entry.sequence] = record
            self._findings.require(
                record.sequence == entry.sequence,
                f"entry {entry.sequence} claims another place",
            )
        elif isinstance(record, RoundRecord):
            for action in record.facts.actions:
                self._findings.require(
                    self._known.pop(action.sequence, None) == action,
                    f"round {record.round} applied a {action.kind} of "
                    f"{action.identity!r:.60} that nobody journalled before it",
                )

    def line(self) -> Line:
        """Return the outcome."""
        line = self._findings.line("checks", otherwise="no bans or pardons")
        return Line(line.name, line.ok, f"{self._count} actions" if line.ok else line.detail)


class SeedCheck:
    """The sketches' seed, revealed at the end, is the one committed to at the start."""

    def __init__(self) -> None:
        self._findings = Findings("sketch seed")
        self._commitment = ""

    def see(self, entry: Entry, record: Record) -> None:
        """Look at the next entry."""
        if isinstance(record, RunHeader):
            self._commitment = record.sketch_commitment
        elif isinstance(record, Ending) and self._commitment and record.sketch_seed:
            found = _digest_of_hex(record.sketch_seed)
            self._findings.require(
                found == self._commitment,
                f"entry {entry.sequence} reveals another seed than was committed to",
            )

    def line(self) -> Line:
        """Return the outcome."""
        return self._findings.line("seed revealed", otherwise="not revealed yet")


def _disagreement(before: RunHeader, header: RunHeader) -> str:
    try:
        expected = continued(before, header)
    except JournalError as error:
        return str(error)
    return "" if expected == header else "the header changes what the run started with"


def _digest_of_hex(text: str) -> str:
    try:
        return commitment(bytes.fromhex(text))
    except ValueError:
        return ""
