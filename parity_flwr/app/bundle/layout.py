"""The bundle's container: named sections, each byte under a hash that says where it is.

::

    "parity-bundle-v1"   u64 length of the table   SHA-256 of the table   SHA-256 of these 56
    table of contents, canonical JSON: run, sections by name, size, SHA-256 of each 64 KiB
    the sections, one after the other, nothing behind the last

All integers are big-endian. One content has one form: sections ascend by name, the table has
one spelling. The hash of the table stands for all of it: it is the bundle's root.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from parity_flwr.errors import ConfigError, ContentError

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


def damaged(path: Path, damage: Damage) -> ContentError:
    """Return the error for a damaged place."""
    return ContentError(
        f"the bundle {path} needs to be as it was sealed",
        came=str(damage),
        action="fetch it again; nothing of it was used",
    )


def _refusal(needed: str, came: str) -> ConfigError:
    return ConfigError(f"a bundle needs {needed}", came=came, action="make it again")
