"""The blocks of a UnixFS file: dag-pb nodes, written and read byte for byte.

dag-pb (IPLD) is a small protobuf: links first, each a CID, an empty name and the size of
what it leads to; then UnixFS's own message with the file's size and those of its parts.
What is read here is exactly what is written here: a node with any other spelling is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from parity_flwr.core.content.cid import Cid
from parity_flwr.errors import ConfigError, ContentError

MAX_NODE_BYTES = 2 << 20
"""No node is larger: IPFS nodes exchange no block above 2 MiB."""

_MAX_VARINT_BYTES = 9
_FILE = b"\x08\x02"
_LINKS, _DATA = 0x12, 0x0A
_UNIXFS_DATA, _UNIXFS_SIZE, _UNIXFS_PART = 0x12, 0x18, 0x20


@dataclass(frozen=True)
class Link:
    """One part of a file: its block, the bytes of all blocks below, the bytes of the file."""

    cid: Cid
    total: int
    size: int


@dataclass(frozen=True)
class Node:
    """A dag-pb node of a file: its own bytes, or links to its parts, never both."""

    data: bytes
    links: tuple[Link, ...]

    @property
    def size(self) -> int:
        """How many bytes of the file are here and below."""
        return len(self.data) + sum(link.size for link in self.links)


def encode_node(node: Node) -> bytes:
    """Return the block of a node.

    Examples
    --------
    >>> encode_node(Node(b"", ())).hex()
    '0a0408021800'
    """
    links = b"".join(_field(_LINKS, _link(link)) for link in node.links)
    data = _field(_UNIXFS_DATA, node.data) if node.data else b""
    parts = b"".join(_number(_UNIXFS_PART, link.size) for link in node.links)
    return links + _field(_DATA, _FILE + data + _number(_UNIXFS_SIZE, node.size) + parts)


def decode_node(block: bytes) -> Node:
    """Return the node of :func:`encode_node`.

    Raises
    ------
    ContentError
        If the block is over 2 MiB or anything but exactly one encoding of a file's node.
    """
    if len(block) > MAX_NODE_BYTES:
        raise _refusal(f"a block of {len(block)} bytes")
    try:
        node = _decode(block)
    except (ConfigError, IndexError, OverflowError) as error:
        raise _refusal(ascii(str(error))[:80]) from None
    if (node.data and node.links) or encode_node(node) != block:
        raise _refusal("another form of one")
    return node


def _decode(block: bytes) -> Node:
    entries: list[bytes] = []
    message = b""
    for tag, value in _fields(block):
        if tag == _LINKS and isinstance(value, bytes):
            entries.append(value)
        elif tag == _DATA and isinstance(value, bytes):
            message = value
    data, parts = b"", list[int]()
    for tag, value in _fields(message):
        if tag == _UNIXFS_DATA and isinstance(value, bytes):
            data = value
        elif tag == _UNIXFS_PART and isinstance(value, int):
            parts.append(value)
    if len(parts) != len(entries):
        raise IndexError(f"{len(entries)} links, {len(parts)} sizes")
    links = tuple(_read_link(*pair) for pair in zip(entries, parts, strict=True))
    return Node(data, links)


def _read_link(entry: bytes, size: int) -> Link:
    found = dict(_fields(entry))
    cid, total = found.get(0x0A), found.get(0x18)
    if not isinstance(cid, bytes) or not isinstance(total, int):
        raise IndexError("a link without its CID or its size")
    return Link(Cid.from_bytes(cid), total, size)


def _link(link: Link) -> bytes:
    return _field(0x0A, bytes(link.cid)) + _field(0x12, b"") + _number(0x18, link.total)


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield the fields of a protobuf message; IndexError where it ends too early."""
    at = 0
    while at < len(data):
        tag = data[at]
        value, at = _varint(data, at + 1)
        if tag & 7 == 0:
            yield tag, value
        elif tag & 7 == 2 and value <= len(data) - at:
            yield tag, data[at : at + value]
            at += value
        else:
            raise IndexError(f"field {tag} of {value} bytes")


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for place in range(_MAX_VARINT_BYTES):
        byte = data[at + place]
        value |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            return value, at + place + 1
    raise IndexError("a number of more than 63 bits")


def _number(tag: int, value: int) -> bytes:
    return bytes([tag]) + _digits(value)


def _field(tag: int, data: bytes) -> bytes:
    return bytes([tag]) + _digits(len(data)) + data


def _digits(value: int) -> bytes:
    digits = bytearray()
    while value > 0x7F:
        digits.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*digits, value])


def _refusal(came: str) -> ContentError:
    return ContentError(
        "a block of a file needs to be a dag-pb node as IPFS writes it",
        came=came,
        action="fetch the content again, from another node",
    )
