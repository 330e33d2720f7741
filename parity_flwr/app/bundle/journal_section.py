"""The journal in a bundle: its entries one after the other, in the order of the chain.

Each is three fields after their lengths (8 bytes, big-endian): kind, body, hash. Its number
and the hash before it follow from its place; when it was written is in no hash and left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from parity_flwr.app.journal.chain import Entry, genesis, unreadable
from parity_flwr.core.canonical import MAX_BYTES
from parity_flwr.core.integrity import length_prefixed
from parity_flwr.errors import JournalError

_MAX_KIND = 32
_LIMITS = (_MAX_KIND, MAX_BYTES, 32)  # of kind, body and hash


def encode_entries(entries: Iterable[Entry], run_id: str) -> Iterator[bytes]:
    """Yield the section.

    Raises
    ------
    JournalError
        The entries are not one chain from the run's start: a bundle could not hold them.
    """
    head = genesis(run_id)
    for count, entry in enumerate(entries, start=1):
        if entry.sequence != count or entry.previous_hash != head:
            raise _broken(entry.sequence)
        try:
            digest = bytes.fromhex(entry.hash)
        except ValueError:
            raise _broken(entry.sequence) from None
        if digest.hex() != entry.hash or not entry.body.isascii() or not entry.kind.isascii():
            raise _broken(entry.sequence)
        yield length_prefixed(entry.kind.encode("ascii"), entry.body.encode("ascii"), digest)
        head = entry.hash


def decode_entries(pieces: Iterable[bytes], run_id: str) -> Iterator[Entry]:
    """Yield the entries of :func:`encode_entries`; nothing about them is checked yet.

    Raises
    ------
    JournalError
        The bytes are no sequence of entries; the message names the entry.
    """
    fields = _fields(pieces)
    head = genesis(run_id)
    for sequence, kind in enumerate(fields, start=1):
        try:
            body, digest = next(fields), next(fields)
            entry = Entry(
                sequence=sequence,
                kind=kind.decode("ascii"),
                body=body.decode("ascii"),
                previous_hash=head,
                hash=digest.hex(),
                written_at="",
            )
        except (StopIteration, UnicodeDecodeError):
            raise unreadable(sequence, "three fields that are not an entry") from None
        yield entry
        head = entry.hash


def _fields(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the length-prefixed fields, in memory of the largest one."""
    waiting, source, count = bytearray(), iter(pieces), 0
    while True:
        if not _fill(waiting, source, 8):
            if waiting:
                raise unreadable(count // 3 + 1, "an end in the middle of it")
            return
        length = int.from_bytes(waiting[:8], "big")
        if length > _LIMITS[count % 3]:
            raise unreadable(count // 3 + 1, f"a field of {length} bytes")
        if not _fill(waiting, source, 8 + length):
            raise unreadable(count // 3 + 1, "an end in the middle of it")
        yield bytes(waiting[8 : 8 + length])
        del waiting[: 8 + length]
        count += 1


def _fill(waiting: bytearray, source: Iterator[bytes], size: int) -> bool:
    while len(waiting) < size:
        piece = next(source, None)
        if piece is None:
            return False
        waiting += piece
    return True


def _broken(sequence: int) -> JournalError:
    return JournalError(
        "a bundle needs a journal that is one chain",
        came=f"entry {sequence} that does not follow the one before it",
        action="run 'parity verify' on the run, and restore the journal from a backup",
    )
