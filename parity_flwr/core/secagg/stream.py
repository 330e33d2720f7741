"""The mask stream: ChaCha20 under keys that HKDF derives for one purpose each."""

from __future__ import annotations

from typing import Final

import numpy as np
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from numpy.typing import NDArray

from parity_flwr.core.integrity import length_prefixed

KEY_BYTES: Final = 32
_BLOCK: Final = 1 << 15  # words at a time: keystream and sum stay in the cache
_ZEROS: Final = bytes(4 * _BLOCK)
_NONCE: Final = bytes(16)  # counter and nonce 0: every key makes one stream only


def derive_key(secret: bytes, *labels: bytes) -> bytes:
    """Return 32 bytes for one purpose: HKDF-SHA-256 (RFC 5869) over length-prefixed labels."""
    info = length_prefixed(b"parity-flwr/secagg/v1", *labels)
    return HKDF(hashes.SHA256(), KEY_BYTES, None, info).derive(secret)


def keystream(key: bytes, size: int) -> NDArray[np.uint32]:
    """Return ``size`` uniform words: the ChaCha20 stream of a 256-bit key (RFC 8439)."""
    encryptor = Cipher(algorithms.ChaCha20(key, _NONCE), mode=None).encryptor()
    return np.frombuffer(encryptor.update(bytes(4 * size)), "<u4").astype(np.uint32, copy=False)


def add_stream(total: NDArray[np.uint32], key: bytes, *, subtract: bool = False) -> None:
    """Add the key's stream to a vector in place, modulo 2^32, or subtract it.

    Examples
    --------
    >>> vector = np.arange(3, dtype=np.uint32)
    >>> add_stream(vector, bytes(32))
    >>> add_stream(vector, bytes(32), subtract=True)
    >>> vector.tolist()
    [0, 1, 2]
    """
    encryptor = Cipher(algorithms.ChaCha20(key, _NONCE), mode=None).encryptor()
    combine = np.subtract if subtract else np.add
    zeros, buffer = memoryview(_ZEROS), bytearray(4 * min(_BLOCK, total.size))
    words = np.frombuffer(buffer, "<u4")
    for start in range(0, total.size, _BLOCK):
        part = total[start : start + _BLOCK]
        encryptor.update_into(zeros[: 4 * part.size], buffer)
        combine(part, words[: part.size], out=part)
