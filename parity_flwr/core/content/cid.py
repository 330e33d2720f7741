"""Content identifiers: the hash of a block with what it is a hash of.

Only what IPFS nodes make of files: SHA-256, of raw bytes or of a dag-pb node. Two texts may
name the same CID (nodes answer in base32, base58 or base36); its bytes have one form.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from parity_flwr.core.content.bases import (
    BASE36,
    BASE58,
    decode_base32,
    decode_digits,
    encode_base32,
    encode_digits,
)
from parity_flwr.errors import ConfigError

RAW = 0x55
DAG_PB = 0x70
_SHA256 = b"\x12\x20"  # multihash: function, length of the digest
_MAX_TEXT = 128


@dataclass(frozen=True, order=True)
class Cid:
    """One content identifier.

    Parameters
    ----------
    version : int
        0 (dag-pb only, written in base58) or 1.
    codec : int
        :data:`RAW` or :data:`DAG_PB`.
    digest : bytes
        The block's SHA-256, 32 bytes.

    Raises
    ------
    ConfigError
        If it is none of those.

    Examples
    --------
    >>> str(Cid.of(b"", codec=RAW))
    'bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku'
    >>> Cid.parse(str(Cid.of(b"x", codec=DAG_PB, version=0))).version
    0
    """

    version: int
    codec: int
    digest: bytes

    def __post_init__(self) -> None:
        known = (self.version, self.codec) in {(0, DAG_PB), (1, RAW), (1, DAG_PB)}
        if not known or not isinstance(self.digest, bytes) or len(self.digest) != 32:
            raise _refusal("version 0 or 1, raw or dag-pb, SHA-256", ascii(self.__dict__))

    @classmethod
    def of(cls, block: bytes, *, codec: int, version: int = 1) -> Cid:
        """Return the CID of one block."""
        return cls(version, codec, hashlib.sha256(block).digest())

    @classmethod
    def parse(cls, text: str) -> Cid:
        """Return the CID that a text names: ``Qm...``, ``b...``, ``z...`` or ``k...``.

        Raises
        ------
        ConfigError
            If it names none, or one of a kind that files do not have.
        """
        data = _decode(text) if isinstance(text, str) and len(text) <= _MAX_TEXT else None
        if data is None:
            raise _refusal("a text like bafybei... or Qm...", ascii(text)[:80])
        return cls.from_bytes(data)

    @classmethod
    def from_bytes(cls, data: bytes) -> Cid:
        """Return the CID of its binary form, 34 bytes (version 0) or 36 (version 1).

        Raises
        ------
        ConfigError
            If it is no such form.
        """
        if len(data) == 34 and data.startswith(_SHA256):
            return cls(0, DAG_PB, bytes(data[2:]))
        if len(data) == 36 and data[0] == 1 and data[2:4] == _SHA256:
            return cls(1, data[1], bytes(data[4:]))
        raise _refusal(
            "34 or 36 bytes of a SHA-256 CID", f"{len(data)} bytes, 0x{data[:4].hex()}"
        )

    def __bytes__(self) -> bytes:
        """Return the binary form: 36 bytes for version 1, as contracts keep it."""
        prefix = b"" if self.version == 0 else bytes([1, self.codec])
        return prefix + _SHA256 + self.digest

    def __str__(self) -> str:
        """Return the usual text: base58 for version 0, base32 for version 1."""
        if self.version == 0:
            return encode_digits(bytes(self), alphabet=BASE58)
        return "b" + encode_base32(bytes(self))

    def fits(self, block: bytes) -> bool:
        """Say whether a block is the one that this CID names."""
        return hashlib.sha256(block).digest() == self.digest


def _decode(text: str) -> bytes | None:
    if len(text) == 46 and text.startswith("Qm"):
        return decode_digits(text, alphabet=BASE58)
    if text.startswith("b"):
        return _version_1(decode_base32(text[1:]))
    if text.startswith("z"):
        return _version_1(decode_digits(text[1:], alphabet=BASE58))
    if text.startswith("k"):
        return _version_1(decode_digits(text[1:], alphabet=BASE36))
    return None


def _version_1(data: bytes | None) -> bytes | None:
    """Version 0 has no multibase prefix: a second spelling of it is none."""
    return None if data is None or data[:1] != b"\x01" else data


def _refusal(needed: str, came: str) -> ConfigError:
    return ConfigError(
        f"a CID needs {needed}",
        came=came[:120],
        action="copy the CID again from where it stands",
    )
