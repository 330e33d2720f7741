"""Checks of a run's own folder: its outbox is settled, its published models are there."""

from __future__ import annotations

from collections import Counter

from parity_flwr.app.chains.evidence import ChainEvidence
from parity_flwr.app.journal.chain import Entry, Record
from parity_flwr.app.journal.outbox import SqlOutbox
from parity_flwr.app.runs.folder import RunFolder
from parity_flwr.app.runs.publications import FolderPublications
from parity_flwr.app.verification.checks import Findings, Line
from parity_flwr.chain_bridge.content.directory import DirectoryStore
from parity_flwr.core.anchoring import OutboxRow, OutboxState
from parity_flwr.core.content.safetensors import decode_safetensors
from parity_flwr.core.encoding import ModelLimits, model_hash
from parity_flwr.core.records import RoundRecord
from parity_flwr.errors import ParityError


class SettledOutbox:
    """Every transaction of a run is in a block that stays, each round's exactly once.

    Parameters
    ----------
    outbox : SqlOutbox
    evidence : ChainEvidence
    """

    def __init__(self, outbox: SqlOutbox, evidence: ChainEvidence) -> None:
        self._findings = Findings("outbox")
        self._outbox = outbox
        self._evidence = evidence

    def see(self, entry: Entry, record: Record) -> None:
        """Look at nothing: the outbox is no entry."""

    def line(self) -> Line:
        """Return the outcome."""
        events = self._evidence.events("RoundLedger", "RoundRecorded")
        sent = {event["round"]: log.tx_hash for log, event in events}
        rows = self._outbox.rows()
        nonces = Counter((row.sender, row.nonce) for row in rows if row.nonce is not None)
        for row in rows:
            problem = _problem(row, sent)
            if not problem and row.nonce is not None and nonces[row.sender, row.nonce] > 1:
                problem = "shares its nonce with another"
            self._findings.require(not problem, f"{row.intent.key:.80} {problem}")
        return self._findings.line("transactions are final, each once")


class PublishedModels:
    """The model of every published round is there, under its CID, with its hash.

    Parameters
    ----------
    run : RunFolder
    """

    def __init__(self, run: RunFolder) -> None:
        self._findings = Findings("published models")
        self._log = FolderPublications(run.publications)
        self._store = DirectoryStore(folder=run.content)

    def see(self, entry: Entry, record: Record) -> None:
        """Look at the next entry."""
        if isinstance(record, RoundRecord):
            try:
                problem = self._problem(record)
            except ParityError as error:
                problem = str(error)[:300]
            self._findings.require(not problem, f"round {record.round}: {problem}")

    def line(self) -> Line:
        """Return the outcome."""
        return self._findings.line("models have their CID and hash", otherwise="no round yet")

    def _problem(self, record: RoundRecord) -> str:
        found = self._log.published(record.round)
        if found is None:
            return "it is not published"
        data = self._store.get(found.model, max_bytes=ModelLimits().max_bytes)
        model = decode_safetensors(data)
        same = model_hash(model) == record.model_hash
        return "" if same else f"its model is {model_hash(model)[:16]}, not the journal's"


def _problem(row: OutboxRow, sent: dict[int, bytes]) -> str:
    if row.state is not OutboxState.FINAL:
        return f"is {row.state.value}: {row.reason or 'run parity chain drain'}"
    if row.intent.round is not None and sent.get(row.intent.round) != row.tx_hash:
        return "is not the transaction that the chain has"
    return ""
