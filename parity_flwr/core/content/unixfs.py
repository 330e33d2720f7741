"""A file as a tree of blocks, as ``ipfs add`` cuts it: what its CID is, and back.

The balanced layout: chunks of one size, up to `width` of them under a node, up to `width`
nodes under the next, until one is left. Node defaults differ and move (IPIP-499), so the
profile is always explicit here and its name is stored beside the CID.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from parity_flwr.core.content.cid import DAG_PB, RAW, Cid
from parity_flwr.core.content.dag_pb import Link, Node, decode_node, encode_node
from parity_flwr.errors import ConfigError, ContentError

MAX_DEPTH = 8
"""Five levels of the narrowest tree hold 40 TiB."""


@dataclass(frozen=True, kw_only=True)
class Profile:
    """How a file is cut into blocks; two profiles give one file two CIDs."""

    name: str
    version: int  # of the CIDs; version 1 has raw leaves, version 0 dag-pb ones
    chunk: int  # bytes
    width: int  # links of a node

    def __post_init__(self) -> None:
        if not (self.version in (0, 1) and self.chunk > 0 and self.width > 1):
            raise ConfigError(
                "a profile needs version 0 or 1, chunks of a byte or more, two links or more",
                came=f"version {self.version}, {self.chunk} bytes, {self.width} links",
                action="use one of parity_flwr.core.content.unixfs.PROFILES",
            )


CLASSIC = Profile(name="cid-v1-raw-256k", version=1, chunk=256 << 10, width=174)
"""The default here: ``ipfs add --cid-version 1``."""
V1_2025 = Profile(name="unixfs-v1-2025", version=1, chunk=1 << 20, width=1024)
V0_2015 = Profile(name="unixfs-v0-2015", version=0, chunk=256 << 10, width=174)
PROFILES = {profile.name: profile for profile in (CLASSIC, V1_2025, V0_2015)}

Sink = Callable[[Cid, bytes], None]
"""Takes each block of a file as it is made, children before their parents."""
Fetch = Callable[[Cid], bytes]
"""Returns the block of a CID, not checked yet."""


class FileHasher:
    """Takes a file piece by piece and gives its CID, in memory of a few chunks.

    Parameters
    ----------
    profile : Profile
        How the file is cut.
    sink : callable, optional, keyword-only
        Gets every block, the root last: who stores them in this order has no parent
        without its children.
    """

    def __init__(self, profile: Profile = CLASSIC, *, sink: Sink | None = None) -> None:
        self._profile = profile
        self._sink = sink
        self._waiting = bytearray()
        self._levels: list[list[Link]] = [[]]

    def update(self, piece: bytes | memoryview) -> None:
        """Take the next bytes of the file, any number of them."""
        view = memoryview(piece).cast("B") if len(piece) else memoryview(b"")
        while len(view):
            take = view[: self._profile.chunk - len(self._waiting)]
            self._waiting += take
            view = view[len(take) :]
            if len(self._waiting) == self._profile.chunk:
                self._leaf()

    def cid(self) -> Cid:
        """Close the file and return its CID; the hasher is spent."""
        if self._waiting or not any(self._levels):
            self._leaf()
        # A level with one link alone, and none above it, is the root.
        for level in itertools.count():  # pragma: no branch
            if len(self._levels[level]) == 1 and not any(self._levels[level + 1 :]):
                return self._levels[level][0].cid
            self._close(level)
        raise AssertionError("every level leaves fewer links above it")

    def _leaf(self) -> None:
        chunk = bytes(self._waiting)
        self._waiting.clear()
        raw = self._profile.version == 1
        block, codec = (chunk, RAW) if raw else (encode_node(Node(chunk, ())), DAG_PB)
        self._add(self._put(block, codec, 0, len(chunk)))

    def _add(self, link: Link, level: int = 0) -> None:
        if level == len(self._levels):
            self._levels.append([])
        if len(self._levels[level]) == self._profile.width:
            self._close(level)
        self._levels[level].append(link)

    def _close(self, level: int) -> None:
        links = tuple(self._levels[level])
        self._levels[level] = []
        if links:
            node = Node(b"", links)
            below = sum(link.total for link in links)
            self._add(self._put(encode_node(node), DAG_PB, below, node.size), level + 1)

    def _put(self, block: bytes, codec: int, below: int, size: int) -> Link:
        cid = Cid.of(block, codec=codec, version=self._profile.version)
        if self._sink is not None:
            self._sink(cid, block)
        return Link(cid, len(block) + below, size)


def file_cid(
    pieces: Iterable[bytes | memoryview],
    *,
    profile: Profile = CLASSIC,
    sink: Sink | None = None,
) -> Cid:
    """Return the CID of a file given in pieces of any sizes; see :class:`FileHasher`.

    Examples
    --------
    >>> str(file_cid([b"hello ", b"world"]))
    'bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e'
    """
    hasher = FileHasher(profile, sink=sink)
    for piece in pieces:
        hasher.update(piece)
    return hasher.cid()


def read_file(root: Cid, fetch: Fetch, *, max_bytes: int) -> Iterator[bytes]:
    """Yield the bytes of a file, every block checked against its CID before it is used.

    Any profile will do: the tree says itself where its parts are.

    Parameters
    ----------
    root : Cid
        The file.
    fetch : callable
        Where the blocks come from; nothing that it returns is trusted.
    max_bytes : int, keyword-only
        How large the file may be. The blocks read are bounded too: at most one for each
        KiB allowed and 1024 more.

    Raises
    ------
    ContentError
        If a block is not the one that its CID names, is no part of a file, or the file is
        larger than it may be or than it says. What was yielded before was right.
    """
    return _Reader(fetch, max_bytes).walk(root, None, 0)


class _Reader:
    def __init__(self, fetch: Fetch, max_bytes: int) -> None:
        self._fetch = fetch
        self._left = max_bytes
        self._max_bytes = max_bytes
        self._blocks = 1024 + max_bytes // 1024

    def walk(self, cid: Cid, size: int | None, depth: int) -> Iterator[bytes]:
        """Yield what lies below `cid`, `size` bytes if its parent said how many."""
        node = self._node(cid, depth)
        if size is not None and node.size != size:
            raise _refusal(f"the {size} bytes that its parent names", f"{node.size}", cid)
        if node.size > self._left:
            raise _refusal(f"at most {self._max_bytes} bytes", "more", cid)
        if node.data:
            self._left -= len(node.data)
            yield node.data
        for link in node.links:
            if link.size == 0:
                raise _refusal("parts with bytes in them", "an empty one", cid)
            yield from self.walk(link.cid, link.size, depth + 1)

    def _node(self, cid: Cid, depth: int) -> Node:
        self._blocks -= 1
        if depth > MAX_DEPTH or self._blocks < 0:
            raise _refusal(
                "a tree of no more levels and blocks than its bytes need", "more", cid
            )
        block = self._fetch(cid)
        if not cid.fits(block):
            raise _refusal("the block that it names", f"{len(block)} other bytes", cid)
        return Node(block, ()) if cid.codec == RAW else decode_node(block)


def _refusal(needed: str, came: str, cid: Cid) -> ContentError:
    return ContentError(
        f"the content {cid} needs {needed}",
        came=came,
        action="fetch it again, from another node; it was not used",
    )
