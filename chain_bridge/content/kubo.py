"""Files on an IPFS node through Kubo's RPC, which js-ipfs and Helia's servers speak too.

A node's defaults differ and move, so every parameter is sent; and nothing it says is
believed: the CID it returns is compared with the one computed here, as bytes, and what it
sends is hashed again.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from parity_flwr.chain_bridge.content.http import Service
from parity_flwr.core.content.cid import Cid
from parity_flwr.core.content.unixfs import CLASSIC, PROFILES, FileHasher, Profile
from parity_flwr.errors import ConfigError, ContentError

_DEFAULT_WIDTH = 174
_SENT_BYTES = 1 << 20


@dataclass(frozen=True, kw_only=True)
class KuboStore:
    """Files on one IPFS node (implements ``ContentStore``).

    Parameters
    ----------
    service : Service
        The node's RPC, such as ``Service(url="http://127.0.0.1:5001")``.
    profile : Profile
        How files are cut; ``unixfs-v1-2025`` needs a node that knows it.
    """

    service: Service
    profile: Profile = CLASSIC

    def put(self, data: bytes | Iterable[bytes | memoryview]) -> str:
        """Add and pin a file, whole or in pieces, and return its CID.

        Raises
        ------
        ContentError
            The node fails, or names the file otherwise than it is named here.
        """
        hasher = FileHasher(self.profile)
        boundary = secrets.token_hex(16)
        answers = self.service.ask(
            "POST",
            "/api/v0/add",
            query=add_parameters(self.profile),
            content=_multipart(data, hasher, boundary),
            content_type=f"multipart/form-data; boundary={boundary}",
        )
        cid = hasher.cid()
        require_same(cid, answers[-1].get("Hash") if answers else None)
        return str(cid)

    def get(self, cid: str, *, max_bytes: int) -> bytes:
        """Return the bytes of a CID.

        Raises
        ------
        ContentError
            The node fails, or sends another file or more than `max_bytes`. A file that was
            cut as no known profile cuts counts as another.
        ConfigError
            `cid` is none.
        """
        wanted = Cid.parse(cid)
        query = {"arg": str(wanted), "length": str(max_bytes + 1), "progress": "false"}
        with self.service.stream("POST", "/api/v0/cat", query=query) as pieces:
            return checked(pieces, wanted, max_bytes=max_bytes)

    def pin(self, cid: str) -> None:
        """Make the node keep a file, all of its blocks included.

        Raises
        ------
        ContentError
            The node fails, or cannot find it in time.
        """
        wanted = Cid.parse(cid)
        query = {"arg": str(wanted), "recursive": "true", "progress": "false"}
        answers = self.service.ask("POST", "/api/v0/pin/add", query=query)
        pins = answers[-1].get("Pins") if answers else None
        require_same(wanted, pins[0] if isinstance(pins, list) and pins else None)


def add_parameters(profile: Profile) -> dict[str, str]:
    """Return every parameter of ``add`` that decides a file's CID, and that it is pinned."""
    wide = {} if profile.width == _DEFAULT_WIDTH else {"max-file-links": str(profile.width)}
    return {
        "cid-version": str(profile.version),
        "raw-leaves": "true" if profile.version else "false",
        "chunker": f"size-{profile.chunk}",
        "hash": "sha2-256",
        "trickle": "false",
        "inline": "false",
        "wrap-with-directory": "false",
        "pin": "true",
        "progress": "false",
        "cid-base": "base32" if profile.version else "base58btc",
        **wide,
    }


def require_same(cid: Cid, answer: object) -> None:
    """Raise :class:`ContentError` unless a node's answer is this CID, in whatever base."""
    try:
        same = isinstance(answer, str) and bytes(Cid.parse(answer)) == bytes(cid)
    except ConfigError:
        same = False
    if not same:
        raise ContentError(
            f"an IPFS node needs to name the file {cid}",
            came=ascii(answer)[:120],
            action="use a node and a profile that cut files alike; nothing was published",
        )


def checked(pieces: Iterable[bytes], wanted: Cid, *, max_bytes: int) -> bytes:
    """Return the pieces as one file if some profile gives it the CID that was wanted.

    Raises
    ------
    ContentError
        None does, or they are more than `max_bytes`.
    """
    alike = [each for each in PROFILES.values() if each.version == wanted.version]
    hashers = [FileHasher(profile) for profile in alike]
    data = bytearray()
    for piece in pieces:
        data += piece
        if len(data) > max_bytes:
            raise _wrong(wanted, f"at most {max_bytes} bytes", "more")
        for hasher in hashers:
            hasher.update(piece)
    if all(bytes(hasher.cid()) != bytes(wanted) for hasher in hashers):
        raise _wrong(wanted, "the file that it names", f"{len(data)} other bytes")
    return bytes(data)


def _multipart(
    data: bytes | Iterable[bytes | memoryview], hasher: FileHasher, boundary: str
) -> Iterator[bytes]:
    """Yield the body of a form with one file, hashing it on its way."""
    yield (
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="file"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    ).encode("ascii")
    for piece in [data] if isinstance(data, bytes) else data:
        view = memoryview(piece)
        for start in range(0, len(view), _SENT_BYTES):  # an array may be all of a model
            hasher.update(view[start : start + _SENT_BYTES])
            yield bytes(view[start : start + _SENT_BYTES])
    yield f"\r\n--{boundary}--\r\n".encode("ascii")


def _wrong(cid: Cid, needed: str, came: str) -> ContentError:
    return ContentError(
        f"the content {cid} needs {needed}",
        came=came,
        action="fetch it from another node; it was not used",
    )
