"""An ``ipfshttpclient`` client that an application has already, as a store.

The library's last release is 0.8.0a2 of 2021; 0.7.0's ``connect()`` refuses every daemon
since. Nothing here imports it: whatever has its ``add``, ``cat`` and ``pin`` will do.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from parity_flwr.chain_bridge.content.kubo import checked, require_same
from parity_flwr.core.content.cid import Cid
from parity_flwr.core.content.unixfs import CLASSIC, Profile, file_cid
from parity_flwr.errors import ConfigError, ContentError


@dataclass(frozen=True)
class IpfsHttpClientStore:
    """Files through an existing client object (implements ``ContentStore``).

    A file passes through memory whole: the library reads its argument to the end.

    Parameters
    ----------
    client : ipfshttpclient.Client
        Connected; its timeouts are its own.
    profile : Profile, keyword-only
        How files are cut; one with 174 links, the library sends no other number.

    Raises
    ------
    ConfigError
        The profile has another number of links.
    """

    client: Any
    profile: Profile = CLASSIC

    def __post_init__(self) -> None:
        if self.profile.width != CLASSIC.width:
            raise ConfigError(
                "ipfshttpclient needs a profile with 174 links",
                came=self.profile.name,
                action="use KuboStore for it",
            )

    def put(self, data: bytes | Iterable[bytes | memoryview]) -> str:
        """Add and pin a file, and return its CID; ContentError if the node names another."""
        whole = data if isinstance(data, bytes) else b"".join(data)
        # raw_leaves too: the library sends False unless told, which changes the CID.
        answer = _asked(
            self.client.add,
            io.BytesIO(whole),
            pin=True,
            chunker=f"size-{self.profile.chunk}",
            cid_version=self.profile.version,
            raw_leaves=self.profile.version == 1,
        )
        cid = file_cid([whole], profile=self.profile)
        try:
            named = answer["Hash"]
        except (KeyError, TypeError, IndexError):
            named = None
        require_same(cid, named)
        return str(cid)

    def get(self, cid: str, *, max_bytes: int) -> bytes:
        """Return the bytes of a CID; ContentError if they are others or too many."""
        wanted = Cid.parse(cid)
        data = _asked(self.client.cat, str(wanted), length=max_bytes + 1)
        return checked([data], wanted, max_bytes=max_bytes)

    def pin(self, cid: str) -> None:
        """Make the node keep a file; ContentError if it does not."""
        wanted = Cid.parse(cid)
        answer = _asked(self.client.pin.add, str(wanted))
        try:
            named = answer["Pins"][0]
        except (KeyError, TypeError, IndexError):
            named = None
        require_same(wanted, named)


def _asked(method: Any, *arguments: Any, **options: Any) -> Any:
    try:
        return method(*arguments, **options)
    # a process boundary: the library raises its own and its HTTP library's errors
    except Exception as error:
        raise ContentError(
            "an IPFS node needs to answer its client",
            came=f"{type(error).__name__}: {ascii(str(error))[:120]}",
            action="check that the node runs, then try again",
        ) from error
