"""The bundle's container: named sections, each byte under a hash that says where it is.

::

    "parity-bundle-v1"   u64 length of the table   SHA-256 of the table   SHA-256 of these 56
    table of contents, canonical JSON: run, sections by name, size, SHA-256 of each 64 KiB
    the sections, one after the other, nothing behind the last

All integers are big-endian. One content has one form: sections ascend by name, the table has
one spelling. The hash of the table stands for all of it: it is the bundle's root.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from parity_flwr.app.files import atomic_file
from parity_flwr.core.canonical import dumps, loads
from parity_flwr.errors import ConfigError, ContentError, DataError, JournalError

MAGIC = b"parity-bundle-v1"
HEADER_BYTES = len(MAGIC) + 8 + 32 + 32
CHUNK_BYTES = 64 << 10
MAX_TABLE_BYTES = 32 << 20
MAX_SECTIONS = 100_000
MAX_BUNDLE_BYTES = 16 << 30

_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_NAME = re.compile(
    r"journal|model|chain/[a-z0-9][a-z0-9._-]{0,100}"
    r"|published/(\d{5}|[1-9]\d{5,17})/(record|scores)"
    r"|updates/(\d{5}|[1-9]\d{5,17})/(base|[0-9a-f]{64})"
)
_DIGEST = re.compile(r"[0-9a-f]{64}")

Source = Callable[[], Iterator[bytes | memoryview]]
"""Gives a section's bytes from the start, the same ones each time it is called."""


@dataclass(frozen=True, kw_only=True)
class Section:
    """One section; `chunks` are the SHA-256 of each 64 KiB of it, hex."""

    name: str
    size: int
    chunks: tuple[str, ...]

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise _refusal("sections of known names", ascii(self.name)[:60])
        whole = self.size >= 0 and len(self.chunks) == -(-self.size // CHUNK_BYTES)
        if not whole or not all(_DIGEST.fullmatch(each) for each in self.chunks):
            raise _refusal("one SHA-256 for each 64 KiB of a section", self.name)


@dataclass(frozen=True, kw_only=True)
class Contents:
    """The table of contents."""

    run_id: str
    sections: tuple[Section, ...]

    def __post_init__(self) -> None:
        names = [section.name for section in self.sections]
        if not _RUN_ID.fullmatch(self.run_id):
            raise _refusal("a run's id", ascii(self.run_id)[:60])
        if names != sorted(set(names)) or len(names) > MAX_SECTIONS:
            raise _refusal(f"at most {MAX_SECTIONS} sections that ascend by name", "others")
        if sum(section.size for section in self.sections) > MAX_BUNDLE_BYTES:
            raise _refusal(f"at most {MAX_BUNDLE_BYTES} bytes", "more")


@dataclass(frozen=True)
class Damage:
    """A place of the file, bytes `start` up to `stop`, that is not what was sealed."""

    where: str
    start: int
    stop: int

    def __str__(self) -> str:
        """Say it for people."""
        return f"{self.where} (bytes {self.start} to {self.stop - 1}) is not what was sealed"


@dataclass(frozen=True)
class Bundle:
    """A bundle whose table is whole; every chunk is checked again when it is read.

    Build one with :func:`inspect`.
    """

    path: Path
    contents: Contents
    root: str  # SHA-256 of the table, hex
    start: int  # where the first section begins

    @property
    def end(self) -> int:
        """How long the file is."""
        return self.start + sum(section.size for section in self.contents.sections)

    @property
    def names(self) -> frozenset[str]:
        """The sections' names."""
        return frozenset(section.name for section in self.contents.sections)

    def pieces(self, name: str) -> Iterator[bytes]:
        """Yield a section's bytes, chunk by chunk.

        Raises
        ------
        ContentError
            There is none of that name, or a chunk is not what was sealed.
        """
        with self.path.open("rb") as file:
            for where, start, digest, stop in self._places(name):
                piece = _read(file, start, stop)
                if hashlib.sha256(piece).hexdigest() != digest:
                    raise _damaged(self.path, Damage(where, start, stop))
                yield piece

    def read(self, name: str, *, max_bytes: int) -> bytes:
        """Return a whole section; ContentError as :meth:`pieces`, or if it is larger."""
        size = next((s.size for s in self.contents.sections if s.name == name), 0)
        if size > max_bytes:
            raise ContentError(
                f"section {name} of {self.path} needs at most {max_bytes} bytes",
                came=str(size),
                action="ask for a bundle made by parity-flwr",
            )
        return b"".join(self.pieces(name))

    def damages(self) -> list[Damage]:
        """Return every chunk that is not what was sealed, and what stands behind the last."""
        with self.path.open("rb") as file:
            found = [
                Damage(where, start, stop)
                for section in self.contents.sections
                for where, start, digest, stop in self._places(section.name)
                if hashlib.sha256(_read(file, start, stop)).hexdigest() != digest
            ]
            size = file.seek(0, 2)
        if size > self.end:
            found.append(Damage("what follows the last section", self.end, size))
        return found

    def _places(self, name: str) -> Iterator[tuple[str, int, str, int]]:
        """Yield (where, first byte, digest, one after the last byte) of a section's chunks."""
        at = self.start
        for section in self.contents.sections:
            if section.name == name:
                for index, digest in enumerate(section.chunks):
                    first = at + index * CHUNK_BYTES
                    last = min(first + CHUNK_BYTES, at + section.size)
                    yield f"section {name}", first, digest, last
                return
            at += section.size
        raise ContentError(
            f"the bundle {self.path} needs the section {name}",
            came="none",
            action="ask for a complete bundle",
        )


def seal(path: Path, *, run_id: str, sources: Mapping[str, Source]) -> Bundle:
    """Write a bundle, atomically; each source is read twice.

    Raises
    ------
    ContentError
        A source gave other bytes the second time, or the file cannot be written.
    ConfigError
        A name or a size has no place in a bundle.
    """
    sections = tuple(_measured(name, sources[name]) for name in sorted(sources))
    table = dumps(Contents(run_id=run_id, sections=sections))
    root = hashlib.sha256(table).digest()
    head = MAGIC + len(table).to_bytes(8, "big") + root
    start = HEADER_BYTES + len(table)
    bundle = Bundle(path, Contents(run_id=run_id, sections=sections), root.hex(), start)
    try:
        with atomic_file(path) as file:
            file.write(head + hashlib.sha256(head).digest() + table)
            for section in sections:
                for piece in sources[section.name]():
                    file.write(piece)
        damages = bundle.damages()
    except OSError as error:
        raise ContentError(
            f"a bundle needs to be written to {path}",
            came=error.strerror or type(error).__name__,
            action="choose another --output",
        ) from error
    if damages:
        raise _damaged(path, damages[0])
    return bundle


def inspect(path: Path) -> tuple[Bundle | None, list[Damage]]:
    """Return the bundle in a file, None if its table cannot be read, and all damage.

    Raises
    ------
    DataError
        The file cannot be read.
    """
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(0)
            found = _opened(path, file, size)
        return (None, [found]) if isinstance(found, Damage) else (found, found.damages())
    except OSError as error:
        raise DataError(
            "a bundle needs a file that can be read",
            came=f"{error.strerror or type(error).__name__} for {ascii(str(path))[:200]}",
            action="check the path",
        ) from error


def _opened(path: Path, file: BinaryIO, size: int) -> Bundle | Damage:
    header = file.read(HEADER_BYTES)
    head, seal_ = header[:-32], header[-32:]
    whole = len(header) == HEADER_BYTES and hashlib.sha256(head).digest() == seal_
    if not whole or not head.startswith(MAGIC):
        return Damage("the header", 0, HEADER_BYTES)
    length = int.from_bytes(head[16:24], "big")
    place = Damage("the table of contents", HEADER_BYTES, HEADER_BYTES + length)
    if length > min(MAX_TABLE_BYTES, size):
        return place
    table = file.read(length)
    if hashlib.sha256(table).digest() != head[24:]:
        return place
    try:
        contents = loads(table, Contents)
    except JournalError as error:
        problem = f"{error.needed.partition('needs ')[2]}; got {error.came}"[:160]
        return Damage(f"the table of contents, {problem}", place.start, place.stop)
    return Bundle(path, contents, head[24:].hex(), place.stop)


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


def _read(file: BinaryIO, start: int, stop: int) -> bytes:
    file.seek(start)
    return file.read(stop - start)


def _refusal(needed: str, came: str) -> ConfigError:
    return ConfigError(f"a bundle needs {needed}", came=came, action="make it again")


def _damaged(path: Path, damage: Damage) -> ContentError:
    return ContentError(
        f"the bundle {path} needs to be as it was sealed",
        came=str(damage),
        action="fetch it again; nothing of it was used",
    )
