"""A directory and a node behind it: published content is here and out there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from parity_flwr.chain_bridge.content.directory import DirectoryStore
from parity_flwr.core.content.cid import Cid
from parity_flwr.core.content.unixfs import Profile
from parity_flwr.core.protocols import ContentStore
from parity_flwr.errors import ConfigError, ContentError


@dataclass(frozen=True, kw_only=True)
class MirroringStore:
    """Everything in a directory first, then on another store (implements ``ContentStore``).

    Parameters
    ----------
    local : DirectoryStore
        What a run keeps, so that it can be bundled when the node is away.
    remote : ContentStore
        Where others read it, such as a :class:`KuboStore`.

    Raises
    ------
    ConfigError
        The two cut files differently.
    """

    local: DirectoryStore
    remote: ContentStore

    def __post_init__(self) -> None:
        if self.local.profile != self.remote.profile:
            raise ConfigError(
                "a mirror needs two stores that cut files alike",
                came=f"{self.local.profile.name} and {self.remote.profile.name}",
                action="give both one profile",
            )

    @property
    def profile(self) -> Profile:
        """How files are cut."""
        return self.local.profile

    def put(self, data: bytes | Iterable[bytes | memoryview]) -> str:
        """Store a file in both; ContentError if one fails or they name it differently."""
        cid = self.local.put(data)
        found = self.remote.put(self.local.pieces(cid, max_bytes=1 << 62))
        if bytes(Cid.parse(found)) != bytes(Cid.parse(cid)):
            raise ContentError(
                f"a mirror needs the CID {cid}", came=found, action="check the other store"
            )
        return cid

    def get(self, cid: str, *, max_bytes: int) -> bytes:
        """Return the bytes of a CID from the directory, else from the other store."""
        try:
            return self.local.get(cid, max_bytes=max_bytes)
        except ContentError:
            return self.remote.get(cid, max_bytes=max_bytes)

    def pin(self, cid: str) -> None:
        """Keep a file in both."""
        self.local.pin(cid)
        self.remote.pin(cid)
