"""Writing a bundle."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from parity_flwr.app.bundle.layout import (
    CHUNK_BYTES,
    HEADER_BYTES,
    MAGIC,
    Contents,
    Section,
    damaged,
)
from parity_flwr.app.bundle.sealed import Bundle
from parity_flwr.app.pace import Steps, counted, unseen
from parity_flwr.core.canonical import dumps
from parity_flwr.errors import ContentError
from parity_flwr.files import atomic_file

Source = Callable[[], Iterator[bytes | memoryview]]
"""Gives a section's bytes from the start, the same ones each time it is called."""


def seal(
    path: Path, *, run_id: str, sources: Mapping[str, Source], steps: Steps = unseen
) -> Bundle:
    """Write a bundle, atomically; each source is read twice, which is a step each time.

    Raises
    ------
    ContentError
        A source gave other bytes the second time, or the file cannot be written.
    ConfigError
        A name or a size has no place in a bundle.
    """
    names, total = sorted(sources), 2 * len(sources)
    sections = tuple(
        _measured(name, sources[name]) for name in counted(names, steps, total=total)
    )
    table = dumps(Contents(run_id=run_id, sections=sections))
    root = hashlib.sha256(table).digest()
    head = MAGIC + len(table).to_bytes(8, "big") + root
    start = HEADER_BYTES + len(table)
    bundle = Bundle(path, Contents(run_id=run_id, sections=sections), root.hex(), start)
    try:
        with atomic_file(path) as file:
            file.write(head + hashlib.sha256(head).digest() + table)
            for done, section in enumerate(sections, start=len(sections) + 1):
                for piece in sources[section.name]():
                    file.write(piece)
                steps(done, total)
        damages = bundle.damages()
    except OSError as error:
        raise ContentError(
            f"a bundle needs to be written to {path}",
            came=error.strerror or type(error).__name__,
            action="choose another --output",
        ) from error
    if damages:
        raise damaged(path, damages[0])
    return bundle


def _measured(name: str, source: Source) -> Section:
    size, chunks, waiting = 0, list[str](), bytearray()
    for piece in source():
        waiting += piece
        size += len(piece)
        while len(waiting) >= CHUNK_BYTES:
            chunks.append(hashlib.sha256(waiting[:CHUNK_BYTES]).hexdigest())
            del waiting[:CHUNK_BYTES]
    if waiting:
        chunks.append(hashlib.sha256(waiting).hexdigest())
    return Section(name=name, size=size, chunks=tuple(chunks))
