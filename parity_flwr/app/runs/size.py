"""Bytes: of a folder, beside it, and as people write them."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from parity_flwr.errors import ConfigError

_SIZE = re.compile(r"(\d{1,15}(?:\.\d{1,6})?)\s*([kKMGT]?)(i?)B?")
_STEPS = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4}
_UNITS = ("kB", "MB", "GB", "TB")


def folder_bytes(folder: Path) -> int:
    """Return how many bytes the files below a folder hold; links are not followed.

    A file that goes away meanwhile counts as none.
    """
    total, open_folders = 0, [os.fspath(folder)]
    while open_folders:
        try:
            with os.scandir(open_folders.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        open_folders.append(entry.path)
                    elif entry.is_file(follow_symlinks=False):
                        total += entry.stat(follow_symlinks=False).st_size
        except OSError:
            continue
    return total


def free_bytes(folder: Path) -> int:
    """Return how many bytes are free where a folder is, or would be made."""
    there = next((path for path in (folder, *folder.parents) if path.exists()), Path("/"))
    return shutil.disk_usage(there).free


def parse_size(text: str, *, name: str) -> int:
    """Return the bytes that a text names: ``500MB``, ``2GB`` (powers of 1000), ``2GiB``.

    Raises
    ------
    ConfigError
        It names no size from 1 byte; ``name`` says which setting it was.

    Examples
    --------
    >>> parse_size("2GB", name="--disk-cap"), parse_size("1.5 MiB", name="--disk-cap")
    (2000000000, 1572864)
    """
    found = _SIZE.fullmatch(text.strip())
    size = 0
    if found is not None:
        base = 1024 if found[3] else 1000
        size = int(float(found[1]) * base ** _STEPS[found[2].upper()])
    if found is None or size < 1 or (found[3] and not found[2]):
        raise ConfigError(
            f"{name} needs a size from 1 byte, such as 500MB, 2GB or 2GiB",
            came=repr(text[:40]),
            action=f"change {name}",
        )
    return size


def shown_size(count: int) -> str:
    """Return a size as people read it, in powers of 1000.

    Examples
    --------
    >>> shown_size(999), shown_size(4_154_167)
    ('999 B', '4.2 MB')
    """
    if count < 1000:
        return f"{count} B"
    value, unit = count / 1000, 0
    while value >= 999.95 and unit + 1 < len(_UNITS):
        value, unit = value / 1000, unit + 1
    return f"{value:.1f} {_UNITS[unit]}"
