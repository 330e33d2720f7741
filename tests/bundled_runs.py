"""Runs whose rounds are published, and bundles of them taken apart and sealed again."""

from __future__ import annotations

import atexit
import functools
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from journal_records import finished, model_of
from parity_flwr.app.bundle.sealed import Bundle, inspect
from parity_flwr.app.bundle.sealing import Source, seal
from parity_flwr.app.bundle.verifying import verify_bundle
from parity_flwr.app.journal import open_journal
from parity_flwr.app.runs.folder import RunFolder
from parity_flwr.app.runs.publications import FolderPublications
from parity_flwr.chain_bridge.content import DirectoryStore, publish_round
from parity_flwr.core.abi import keccak256
from parity_flwr.core.content.records import Publication
from parity_flwr.core.content.scores import score_rows
from parity_flwr.core.economy.reward_tree import Member
from parity_flwr.core.records import RoundRecord

ACCOUNTS = {
    "alice": "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
    "carol": "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
}
MEMBERS = {
    name: Member(identity=keccak256(name.encode()), account=account)
    for name, account in ACCOUNTS.items()
}

EVERY = frozenset(range(1000))


def published_run(
    path: Path, *, only: frozenset[int] = EVERY
) -> tuple[RunFolder, list[Publication]]:
    """Return a completed run of three rounds with all of them published into its folder."""
    folder, published = _template(only)
    shutil.copytree(folder, path)
    return RunFolder(path), list(published)


@functools.cache
def _template(only: frozenset[int]) -> tuple[Path, tuple[Publication, ...]]:
    """Make such a run once; it is removed when the tests end."""
    folder = tempfile.TemporaryDirectory()
    atexit.register(folder.cleanup)
    run = finished(Path(folder.name) / "run")
    return run.path, tuple(publish_all(run, only=only))


def publish_all(run: RunFolder, *, only: frozenset[int] = EVERY) -> list[Publication]:
    """Publish every round as a run with wallets and rewards does."""
    journal = open_journal(run)
    log, store = FolderPublications(run.publications), DirectoryStore(folder=run.content)
    done: list[Publication] = []
    for entry in journal.entries():
        record = entry.record
        if isinstance(record, RoundRecord) and record.round in only:
            rewards = {"alice": 10**18 * record.round, "bob": record.round}
            rows = score_rows(record.state, earned=rewards, members=MEMBERS)
            model = model_of(record.round)
            done.append(
                publish_round(
                    store,
                    run_id=journal.run_id,
                    record=record,
                    model=model,
                    rows=rows,
                    log=log,
                    head=entry.hash,
                )
            )
    return done


def opened(path: Path) -> Bundle:
    """Return an undamaged bundle."""
    bundle, damages = inspect(path)
    assert bundle is not None
    assert damages == []
    return bundle


def sections(path: Path) -> dict[str, bytes]:
    """Return a bundle's sections."""
    bundle = opened(path)
    return {name: bundle.read(name, max_bytes=1 << 30) for name in bundle.names}


def sealed(path: Path, parts: Mapping[str, bytes], *, run_id: str = "run") -> Path:
    """Seal sections as somebody can who wants to deceive."""
    sources: dict[str, Source] = {name: _source(data) for name, data in parts.items()}
    seal(path, run_id=run_id, sources=sources)
    return path


def _source(data: bytes) -> Source:
    return lambda: iter((data,))


def failures(path: Path) -> dict[str, str]:
    """Return what a bundle's verification says fails, by line."""
    found = verify_bundle(path)
    assert found.ok == (not [line for line in found.lines if line.ok is False])
    return {line.name: line.detail for line in found.lines if line.ok is False}
