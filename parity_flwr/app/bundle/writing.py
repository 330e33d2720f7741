"""Making the bundle of a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from parity_flwr.app.bundle.held import identity_digest
from parity_flwr.app.bundle.journal_section import encode_entries
from parity_flwr.app.bundle.sealed import Bundle
from parity_flwr.app.bundle.sealing import Source, seal
from parity_flwr.app.journal.opening import open_journal
from parity_flwr.app.journal.sql_journal import SqlJournal
from parity_flwr.app.pace import Steps, unseen
from parity_flwr.app.runs.checkpoint import UpdateStore
from parity_flwr.app.runs.folder import RunFolder
from parity_flwr.app.runs.publications import FolderPublications
from parity_flwr.chain_bridge.content.directory import DirectoryStore
from parity_flwr.core.canonical import MAX_BYTES
from parity_flwr.core.encoding import model_chunks
from parity_flwr.core.protocols import ContentStore
from parity_flwr.core.records import RoundRecord, Verdict
from parity_flwr.core.response_root import ROOT_IDENTITY
from parity_flwr.errors import ConfigError

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, kw_only=True)
class Bundled:
    """What a new bundle holds; whoever keeps `root` or `head` elsewhere can trust it later."""

    bundle: Bundle
    head: str  # hash of the journal's last entry
    rounds: int
    published: int  # rounds whose published content is in it


def bundle_run(
    run: RunFolder,
    output: Path,
    *,
    updates: bool = False,
    store: ContentStore | None = None,
    records: Mapping[str, bytes] | None = None,
    steps: Steps = unseen,
) -> Bundled:
    """Write one file that lets a third party verify a run offline.

    The same run gives the same bytes. Secrets that checkpoints hold (a sketch seed not yet
    revealed, clients' state, a server optimiser) are not in it.

    Parameters
    ----------
    run : RunFolder
        The run, finished or not.
    output : Path
        The file, which is replaced.
    updates : bool, keyword-only
        Include the updates that were kept. They are what clients sent: private data may be
        read out of them.
    store : ContentStore, optional, keyword-only
        Where published content is, by default in the run's folder.
    records : mapping of str to bytes, optional, keyword-only
        What a chain recorded, for whoever checks it: becomes the sections ``chain/NAME``.
    steps : Steps, optional, keyword-only
        Is told how far the writing is.

    Raises
    ------
    JournalError
        There is no journal, or its entries are not one chain.
    CheckpointError, ContentError
        The model, an update or published content is missing or damaged.
    ConfigError
        The run has more than a bundle holds.
    """
    journal = open_journal(run)
    with journal.snapshot():
        head = _head(journal)
        rounds = _rounds(journal) if updates else iter(())
        last = journal.last_round()
        sources: dict[str, Source] = {
            "journal": lambda: encode_entries(journal.entries(), journal.run_id)
        }
        if last is not None:
            sources["model"] = _model_source(journal, last)
        published = _published(run, store, sources)
        for record in rounds:
            sources |= _updates_of(record, UpdateStore(run.updates))
        for name, data in (records or {}).items():
            sources[f"chain/{name}"] = _constant(data)
        bundle = seal(output, run_id=journal.run_id, sources=sources, steps=steps)
    return Bundled(
        bundle=bundle, head=head, rounds=last.round if last else 0, published=published
    )


def _head(journal: SqlJournal) -> str:
    head = ""
    for entry in journal.entries():
        head = entry.hash
    if not head:
        raise journal.unknown()
    return head


def _rounds(journal: SqlJournal) -> Iterator[RoundRecord]:
    for entry in journal.entries():
        record = entry.record
        if isinstance(record, RoundRecord):
            yield record


def _model_source(journal: SqlJournal, last: RoundRecord) -> Source:
    """Give the model after the last round in the form that is hashed; it stays in memory."""
    model = journal.checkpoints.read(last.round, expected_hash=last.model_hash).model
    return lambda: model_chunks(model)


def _published(run: RunFolder, store: ContentStore | None, sources: dict[str, Source]) -> int:
    """Add the published records and scores; a CID leads to each, so they are checked."""
    log = FolderPublications(run.publications)
    content = store or DirectoryStore(folder=run.content)
    count = 0
    for number in log.rounds():
        found = log.published(number)
        if found is not None:
            count += 1
            for name, cid in (("record", found.record), ("scores", found.scores)):
                data = content.get(cid, max_bytes=MAX_BYTES)
                sources[f"published/{number:05d}/{name}"] = _constant(data)
    return count


def _updates_of(record: RoundRecord, kept: UpdateStore) -> dict[str, Source]:
    """Return the sections of a round's updates: as they are hashed, not as they are kept."""
    accepted = [each for each in record.facts.replies if each.verdict is Verdict.ACCEPTED]
    if not accepted:
        return {}
    folder, number = f"updates/{record.round:05d}", record.round
    names = [each.identity for each in accepted]
    names += [ROOT_IDENTITY] if kept.has(number, ROOT_IDENTITY) else []
    sources: dict[str, Source] = {
        f"{folder}/base": lambda: model_chunks(
            kept.base(number, expected_hash=record.base_hash)
        )
    }
    for name in names:
        sources[f"{folder}/{identity_digest(name)}"] = _update_source(kept, number, name)
    return sources


def _update_source(kept: UpdateStore, number: int, name: str) -> Source:
    return lambda: model_chunks(kept.read(number, name))


def _constant(data: bytes) -> Source:
    return lambda: iter((data,))


def require_output(path: Path, *, overwrite: bool) -> None:
    """Raise :class:`ConfigError` if a file is there that was not to be replaced."""
    if path.is_dir() or (path.exists() and not overwrite):
        raise ConfigError(
            "a bundle needs a file of its own",
            came=f"{ascii(str(path))[:200]}, which is there already",
            action="choose another --output, or pass --force",
        )
