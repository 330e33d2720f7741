"""A key-value store in memory whose changes are appended to one file, segment by segment.

A segment is what one block changed. Each carries the SHA-256 of the segment before it and
of itself, so a flipped bit anywhere is found, and a segment that a crash cut short at the
end of the file never happened. There is no pickle: lengths and bytes, nothing else.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from parity_flwr.errors import ChainError

MAGIC = b"parity-chain/v1\n"
MAX_SEGMENT = 256 << 20
_GONE = 0xFFFFFFFF
_DIGEST = 32


class StateLog:
    """The file of a chain's state, opened by one process at a time.

    Parameters
    ----------
    path : Path
        The file; it and its folder are made where they are missing, mode 0600 and 0700.

    Raises
    ------
    ChainError
        Another process has it, it is no such file, or a byte of it was changed.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        self._file: BinaryIO = os.fdopen(descriptor, "r+b", buffering=0)
        try:
            _lock(self._file, path)
            self.values, self._digest, end = _replay(self._file, path)
            self._file.truncate(end)
        except BaseException:
            self._file.close()
            raise
        self._end = end

    def append(self, changes: Mapping[bytes, bytes | None]) -> None:
        """Write one segment and flush it to the disk; None stands for a deleted key.

        Raises
        ------
        OSError
            The disk is full, and so on; the file is as it was before.
        """
        body = b"".join(_pack(key, value) for key, value in changes.items())
        digest = hashlib.sha256(self._digest + body).digest()
        record = struct.pack(">I", len(body)) + digest + body
        prefix = b"" if self._end else MAGIC
        try:
            self._write(prefix + record)
        except OSError:
            self._file.truncate(self._end)
            raise
        self._digest = digest
        self._end += len(prefix) + len(record)

    def close(self) -> None:
        """Release the file for others."""
        self._file.close()

    def _write(self, data: bytes) -> None:
        self._file.seek(self._end)
        view = memoryview(data)
        while view:
            view = view[self._file.write(view) :]
        os.fsync(self._file.fileno())


def _pack(key: bytes, value: bytes | None) -> bytes:
    size = _GONE if value is None else len(value)
    return struct.pack(">II", len(key), size) + key + (value or b"")


def _lock(file: BinaryIO, path: Path) -> None:
    try:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise ChainError(
            f"the embedded chain in {path} needs to belong to one process",
            came="another process that has it open",
            action="end that process, or use another folder",
        ) from None


def _replay(file: BinaryIO, path: Path) -> tuple[dict[bytes, bytes], bytes, int]:
    """Return the values, the last digest and where the sound part of the file ends."""
    values: dict[bytes, bytes] = {}
    digest = hashlib.sha256(MAGIC).digest()
    size = os.fstat(file.fileno()).st_size
    head = _read(file, len(MAGIC))
    if head != MAGIC:
        if MAGIC.startswith(head):
            return values, digest, 0
        raise _damaged(path, 0)
    end = len(MAGIC)
    while end < size:
        header = _read(file, 4 + _DIGEST)
        length = struct.unpack(">I", header[:4])[0] if len(header) == 4 + _DIGEST else 0
        if len(header) < 4 + _DIGEST or end + len(header) + length > size:
            break
        body = _read(file, length) if length <= MAX_SEGMENT else b""
        if hashlib.sha256(digest + body).digest() != header[4:]:
            raise _damaged(path, end)
        digest = header[4:]
        _apply(values, body, path, end)
        end += len(header) + length
    return values, digest, end


def _apply(values: dict[bytes, bytes], body: bytes, path: Path, end: int) -> None:
    for key, value in _unpack(body, path, end):
        if value is None:
            values.pop(key, None)
        else:
            values[key] = value


def _unpack(body: bytes, path: Path, end: int) -> Iterator[tuple[bytes, bytes | None]]:
    at = 0
    while at < len(body):
        if at + 8 > len(body):
            raise _damaged(path, end)
        key_size, size = struct.unpack_from(">II", body, at)
        middle = at + 8 + key_size
        at = middle + (0 if size == _GONE else size)
        if at > len(body):
            raise _damaged(path, end)
        yield body[middle - key_size : middle], None if size == _GONE else body[middle:at]


def _read(file: BinaryIO, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = file.read(size - len(data))
        if not more:
            break
        data += more
    return data


def _damaged(path: Path, end: int) -> ChainError:
    return ChainError(
        f"the embedded chain's file {path} needs to be as it was written",
        came=f"other bytes in the segment at {end}",
        action="restore it from a backup, or deploy to a new chain",
    )
