"""Reading a bundle: whatever is read out of it has the hash that was sealed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from errno import EINVAL
from pathlib import Path
from typing import BinaryIO

from parity_flwr.app.bundle.layout import (
    CHUNK_BYTES,
    HEADER_BYTES,
    MAGIC,
    MAX_TABLE_BYTES,
    Contents,
    Damage,
    damaged,
)
from parity_flwr.app.pace import Steps, counted, unseen
from parity_flwr.core.canonical import loads
from parity_flwr.errors import ContentError, DataError, JournalError


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
                    raise damaged(self.path, Damage(where, start, stop))
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

    def damages(self, steps: Steps = unseen) -> list[Damage]:
        """Return every chunk that is not what was sealed, and what stands behind the last."""
        names = [section.name for section in self.contents.sections]
        places = (place for name in names for place in self._places(name))
        total = sum(len(section.chunks) for section in self.contents.sections)
        with self.path.open("rb") as file:
            found = [
                Damage(where, start, stop)
                for where, start, digest, stop in counted(places, steps, total=total)
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


def inspect(path: Path, steps: Steps = unseen) -> tuple[Bundle | None, list[Damage]]:
    """Return the bundle in a file, None if its table cannot be read, and all damage.

    Raises
    ------
    DataError
        The file cannot be read.
    """
    try:
        if path.exists() and not path.is_file():
            raise OSError(EINVAL, "not a regular file")  # a pipe would wait, or never end
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(0)
            found = _opened(path, file, size)
        return (None, [found]) if isinstance(found, Damage) else (found, found.damages(steps))
    except OSError as error:
        raise DataError(
            "a bundle needs a file that can be read",
            came=f"{error.strerror or type(error).__name__} for {ascii(str(path))[:200]}",
            action="check the path",
        ) from error


def open_whole(path: Path) -> Bundle:
    """Return the bundle in a file; nothing of it is used if one bit is wrong.

    Raises
    ------
    DataError
        The file cannot be read.
    ContentError
        It is not as it was sealed.
    """
    bundle, damages = inspect(path)
    if bundle is None or damages:
        raise damaged(path, damages[0])
    return bundle


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


def _read(file: BinaryIO, start: int, stop: int) -> bytes:
    file.seek(start)
    return file.read(stop - start)
