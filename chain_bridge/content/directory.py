"""A directory of blocks, each a file named by its CID: IPFS's own blocks without a daemon."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from parity_flwr.core.content.cid import Cid
from parity_flwr.core.content.dag_pb import MAX_NODE_BYTES
from parity_flwr.core.content.unixfs import CLASSIC, Profile, file_cid, read_file
from parity_flwr.errors import ContentError
from parity_flwr.files import atomic_file

MAX_BLOCK_BYTES = MAX_NODE_BYTES


@dataclass(frozen=True, kw_only=True)
class DirectoryStore:
    """Files as blocks below one directory (implements ``ContentStore``).

    A block appears under its name only when it is whole, children before their parents, and
    every one is checked again whenever it is read.

    Parameters
    ----------
    folder : Path
        Where the blocks lie, as ``ku/bafk...vyku``; made when something is stored.
    profile : Profile
        How files are cut; reading needs none.

    Examples
    --------
    >>> import tempfile
    >>> store = DirectoryStore(folder=Path(tempfile.mkdtemp()))
    >>> store.get(store.put(b"hello world"), max_bytes=100)
    b'hello world'
    """

    folder: Path
    profile: Profile = CLASSIC

    def put(self, data: bytes | Iterable[bytes | memoryview]) -> str:
        """Store a file, whole or in pieces, and return its CID.

        Raises
        ------
        ContentError
            The directory cannot be written.
        """
        pieces = [data] if isinstance(data, bytes) else data
        return str(file_cid(pieces, profile=self.profile, sink=self._store))

    def get(self, cid: str, *, max_bytes: int) -> bytes:
        """Return the bytes of a CID.

        Raises
        ------
        ContentError
            A block is missing, or another than its name says (the message names it), or
            the file is larger than `max_bytes`.
        ConfigError
            `cid` is none.
        """
        return b"".join(self.pieces(cid, max_bytes=max_bytes))

    def pieces(self, cid: str, *, max_bytes: int) -> Iterator[bytes]:
        """Yield the bytes of a CID, chunk by chunk, each one checked; see :meth:`get`."""
        return read_file(Cid.parse(cid), self.block, max_bytes=max_bytes)

    def pin(self, cid: str) -> None:
        """Check that a file is there, whole; nothing here is ever collected."""
        for _ in self.pieces(cid, max_bytes=1 << 62):
            pass

    def path(self, cid: Cid) -> Path:
        """Return the file of one block."""
        name = str(cid)
        return self.folder / name[-2:] / name

    def block(self, cid: Cid) -> bytes:
        """Return one block, checked against its CID.

        Raises
        ------
        ContentError
            It is missing, cannot be read, or is another.
        """
        path = self.path(cid)
        try:
            with path.open("rb") as file:
                block = file.read(MAX_BLOCK_BYTES + 1)
        except OSError as error:
            raise _failed(f"the block {path} to be readable", error) from error
        if len(block) > MAX_BLOCK_BYTES or not cid.fits(block):
            raise ContentError(
                f"the block {path} needs the content that its name says",
                came=f"{len(block)} other bytes",
                action="delete it and store the file again; it was not used",
            )
        return block

    def _store(self, cid: Cid, block: bytes) -> None:
        path = self.path(cid)
        with suppress(ContentError):
            self.block(cid)
            return  # there already, and whole
        try:
            with atomic_file(path, mode=0o644) as file:
                file.write(block)
        except OSError as error:
            raise _failed(f"to write the block {path}", error) from error


def _failed(needed: str, error: OSError) -> ContentError:
    return ContentError(
        f"a store of content needs {needed}",
        came=error.strerror or type(error).__name__,
        action="check the directory, or publish the content again",
    )
