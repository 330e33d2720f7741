"""The bytes of an encrypted vector: a checked header and ciphertexts of bounded length.

Layout, integers little-endian::

    "parityH1"   16 bytes plan   16 bytes key   u64 size   u32 addends   u32 ciphertexts
    per ciphertext: u32 length, bytes

Nothing in it reaches the library that parses ciphertexts before every length is checked.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from parity_flwr.core.encryption.plan import DEGREE, BfvPlan
from parity_flwr.errors import DataError

_HEADER = struct.Struct("<8s16s16sQII")
_MAGIC = b"parityH1"
_LENGTH = struct.Struct("<I")
_OVERHEAD = 512  # SEAL writes under 200 bytes around the coefficients

SEEDED_BYTES = DEGREE * 8 + _OVERHEAD
"""The longest fresh symmetric ciphertext: its second half is a seed."""

FULL_BYTES = 2 * DEGREE * 8 + _OVERHEAD
"""The longest ciphertext of any other kind."""


@dataclass(frozen=True, kw_only=True)
class Envelope:
    """Ciphertexts of one vector.

    Parameters
    ----------
    plan, key_id : bytes
        16 bytes each: which parameters, which key.
    size : int
        How many numbers the vector has.
    addends : int
        How many ciphertexts were added; 1 when fresh.
    blobs : tuple of bytes
        One serialised ciphertext each.
    """

    plan: bytes
    key_id: bytes
    size: int
    addends: int
    blobs: tuple[bytes, ...]

    def to_bytes(self) -> bytes:
        """Return the encoding."""
        parts = [
            _HEADER.pack(
                _MAGIC, self.plan, self.key_id, self.size, self.addends, len(self.blobs)
            )
        ]
        for blob in self.blobs:
            parts += (_LENGTH.pack(len(blob)), blob)
        return b"".join(parts)


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What an encrypted vector must be.

    Parameters
    ----------
    plan, key_id, size
        As in :class:`Envelope`.
    addends : int
        The most that may have been added.
    count : int
        How many ciphertexts.
    longest : int
        Bytes of one ciphertext at most.
    """

    plan: bytes
    key_id: bytes
    size: int
    addends: int
    count: int
    longest: int

    @property
    def max_bytes(self) -> int:
        """The most bytes of such a vector."""
        return _HEADER.size + self.count * (_LENGTH.size + self.longest)


def bfv_shape(plan: BfvPlan, *, size: int, key_id: bytes, fresh: bool) -> Shape:
    """Return the shape of one client's vector (fresh) or of a sum of them."""
    return Shape(
        plan=plan.digest,
        key_id=key_id,
        size=size,
        addends=1 if fresh else plan.addends,
        count=plan.ciphertexts_for(size),
        longest=SEEDED_BYTES if fresh and not plan.public_key else FULL_BYTES,
    )


def parse_envelope(data: bytes | memoryview, shape: Shape) -> Envelope:
    """Return the parts of an encrypted vector after checking every length.

    Parameters
    ----------
    data : bytes
        From a client or the server: hostile.
    shape : Shape
        What it must be.

    Raises
    ------
    DataError
        With the reason, if it is anything but that.
    """
    view = memoryview(data)
    if view.nbytes < _HEADER.size or bytes(view[:8]) != _MAGIC:
        raise _refusal("an encrypted vector", "other bytes")
    if view.nbytes > shape.max_bytes:
        raise _refusal(f"{shape.max_bytes} bytes at most", str(view.nbytes))
    _, plan, key_id, size, addends, count = _HEADER.unpack_from(view)
    if plan != shape.plan:
        raise _refusal("the round's parameters", "others")
    if key_id != shape.key_id:
        raise _refusal("the round's key", "another")
    if size != shape.size:
        raise _refusal(f"{shape.size} numbers", str(size))
    if not 1 <= addends <= shape.addends:
        raise _refusal(f"1 to {shape.addends} addends", str(addends))
    if count != shape.count:
        raise _refusal(f"{shape.count} ciphertexts", str(count))
    blobs = _read_blobs(view[_HEADER.size :], count, shape.longest)
    return Envelope(plan=plan, key_id=key_id, size=size, addends=addends, blobs=blobs)


def _read_blobs(rest: memoryview, count: int, longest: int) -> tuple[bytes, ...]:
    blobs = []
    for _ in range(count):
        if rest.nbytes < _LENGTH.size:
            raise _refusal("every ciphertext", "fewer")
        (length,) = _LENGTH.unpack_from(rest)
        if length > longest or length > rest.nbytes - _LENGTH.size:
            raise _refusal("ciphertexts of their length", f"{length} bytes")
        blobs.append(bytes(rest[_LENGTH.size : _LENGTH.size + length]))
        rest = rest[_LENGTH.size + length :]
    if rest.nbytes:
        raise _refusal("nothing after the last ciphertext", f"{rest.nbytes} bytes")
    return tuple(blobs)


def _refusal(needed: str, came: str) -> DataError:
    return DataError(
        f"an encrypted vector needs {needed}", came=came, action="refuse its sender"
    )
