"""Verify a run: what the journal says is whole, consistent, and comes out again.

What is trusted is the code that runs here and the head of the chain: whoever can rewrite
the whole journal can write another consistent one. Anchoring the head elsewhere (the chain
bridge does) closes that gap.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from parity_flwr.app.chains.evidence import run_evidence
from parity_flwr.app.journal.opening import open_journal
from parity_flwr.app.journal.outbox import SqlOutbox
from parity_flwr.app.journal.sql_journal import SqlJournal
from parity_flwr.app.pace import Steps, counted, unseen
from parity_flwr.app.runs.checkpoint import UpdateStore
from parity_flwr.app.runs.folder import RunFolder
from parity_flwr.app.verification.anchors import anchor_lines, unasked_lines
from parity_flwr.app.verification.chain import ActionCheck, ChainCheck, OrderCheck, SeedCheck
from parity_flwr.app.verification.checks import Check, Line
from parity_flwr.app.verification.decisions import DecisionCheck, SignatureCheck
from parity_flwr.app.verification.files import FilesCheck
from parity_flwr.app.verification.onchain import RecordedRounds, RegisteredMembers
from parity_flwr.app.verification.privacy import LedgerCheck
from parity_flwr.app.verification.published import FolderPublished, PublishedCheck
from parity_flwr.app.verification.rows import RowsCheck
from parity_flwr.app.verification.settled import PublishedModels, SettledOutbox
from parity_flwr.app.verification.stakes import CountedStakes
from parity_flwr.app.verification.trust import Trust
from parity_flwr.app.verification.walking import walk
from parity_flwr.errors import JournalError


@dataclass(frozen=True)
class Verification:
    """What came out of verifying a run, one line a check."""

    lines: tuple[Line, ...]

    @property
    def ok(self) -> bool:
        """Whether no check failed; one that had nothing to look at does not fail."""
        return all(line.ok is not False for line in self.lines)


def verify(
    run: RunFolder,
    *,
    updates: Path | None = None,
    trust: Trust | None = None,
    url: str | None = None,
    steps: Steps = unseen,
) -> Verification:
    """Check a run's journal and files.

    Parameters
    ----------
    run : RunFolder
        The run.
    updates : Path, optional, keyword-only
        The folder of the updates that the clients sent: what was measured on them is then
        measured again.
    trust : Trust, optional, keyword-only
        The head of the journal, or the CID of the last published round, as it was kept
        elsewhere.
    steps : Steps, optional, keyword-only
        Is told how many of the journal's entries were looked at.

    Raises
    ------
    JournalError
        There is no journal, it cannot be opened, or it holds no entry for this run.
    """
    journal = open_journal(run)
    evidence = run_evidence(run.path, url=url)
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
        files = FolderPublished(run)
        published = PublishedCheck(files, run_id=journal.run_id)
        if run.publications.is_dir():
            checks.extend((published, PublishedModels(run)))
        if evidence is not None:
            rounds = RecordedRounds(evidence, files)
            outbox = SqlOutbox(journal.database, journal.run_id)
            checks.extend((rounds, RegisteredMembers(evidence, rounds)))
            checks.append(CountedStakes(evidence, rounds))
            checks.append(SettledOutbox(outbox, evidence))
        if updates is not None:
            # It brings Flower along, which the other checks do not need.
            from parity_flwr.app.verification.updates import UpdatesCheck

            checks.append(UpdatesCheck(UpdateStore(updates), seed=_revealed_seed(journal)))
        chain = ChainCheck(journal.run_id)
        entries = counted(journal.entries(), steps, total=journal.length())
        lines = walk(chain, entries, checks)
        if not chain.count and len(lines) > 2:  # no entry, and none that cannot be read
            raise journal.unknown()
        roots = {"the journal's head": chain.head, "the last published round": published.root}
        lines = (*lines, *unasked_lines(run.path, evidence))
        return Verification((*lines, *anchor_lines(trust, evidence, roots)))


def _revealed_seed(journal: SqlJournal) -> bytes:
    """Return the sketches' seed, empty before the run's end or if it cannot be read."""
    try:
        ending = journal.ending()
        return bytes.fromhex(ending.sketch_seed) if ending else b""
    except (JournalError, ValueError):
        return b""
