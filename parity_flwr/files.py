"""Files that are either there, whole, or not there at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

TEMPORARY = ".partial"


@contextmanager
def atomic_file(path: Path, *, mode: int = 0o600) -> Iterator[BinaryIO]:
    """Write a file, private by default, that appears under its name only when it is whole.

    Data, then name, then directory are flushed to the disk, so that after a crash at any
    point the old file or the new one is there, never half of one.

    Raises
    ------
    OSError
        The disk is full, the directory is read-only, and so on; the old file is untouched.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{secrets.token_hex(4)}{TEMPORARY}")
    try:
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
        _flush_directory(path.parent)
    except BaseException:
        with suppress(OSError):
            partial.unlink()
        raise


def is_present(path: Path) -> bool:
    """Say whether a file can be seen; one behind a closed door cannot."""
    try:
        return path.is_file()
    except OSError:
        return False


def remove_partial_files(folder: Path) -> None:
    """Remove what a killed process left half-written."""
    for partial in folder.glob(f"*{TEMPORARY}"):
        with suppress(OSError):
            partial.unlink()


def _flush_directory(folder: Path) -> None:
    """Make a rename durable; Windows can neither open nor flush a directory."""
    with suppress(PermissionError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
