"""The ChaCha20 stream of a 256-bit key (RFC 8439): masks, noise and orders.

One key makes one stream, with counter and nonce 0.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from numpy.typing import NDArray

_BLOCK: Final = 1 << 17  # bytes at a time: stream and sum stay in the cache
_ZEROS: Final = memoryview(bytes(_BLOCK))


class Keystream:
    """A key's stream, read from the start; shows its key in no repr.

    Parameters
    ----------
    key : bytes
        32 bytes.
    """

    def __init__(self, key: bytes) -> None:
        self._cipher = Cipher(algorithms.ChaCha20(key, bytes(16)), None).encryptor()

    def fill(self, buffer: bytearray | memoryview) -> None:
        """Overwrite a buffer with what comes next."""
        room = memoryview(buffer)
        for start in range(0, len(room), _BLOCK):
            part = room[start : start + _BLOCK]
            self._cipher.update_into(_ZEROS[: len(part)], part)


def keystream(key: bytes, size: int) -> NDArray[np.uint32]:
    """Return the first ``size`` words of the key's stream."""
    buffer = bytearray(4 * size)
    Keystream(key).fill(buffer)
    return np.frombuffer(buffer, "<u4").astype(np.uint32, copy=False)


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
    stream, combine = Keystream(key), np.subtract if subtract else np.add
    buffer = memoryview(bytearray(min(_BLOCK, 4 * total.size)))
    words = np.frombuffer(buffer, "<u4")
    for start in range(0, total.size, _BLOCK // 4):
        part = total[start : start + _BLOCK // 4]
        stream.fill(buffer[: 4 * part.size])
        combine(part, words[: part.size], out=part)
