"""Random numbers that nobody without the seed can predict: a ChaCha20 key stream.

numpy's and torch's generators can be reconstructed from their output, so that noise drawn
from them could be subtracted again. Here the key is 32 secret bytes, drawn by the caller
from the operating system for every run and never stored.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from parity_flwr.core.key_agreement import derive_key
from parity_flwr.core.keystream import Keystream
from parity_flwr.errors import ConfigError

SEED_BYTES = 32
_DOMAIN = b"parity-flwr/noise/v1"


class RandomStream:
    """A stream of uniform random numbers from a secret seed.

    Parameters
    ----------
    seed : bytes
        32 bytes from a cryptographic source such as ``secrets.token_bytes``. Whoever knows
        them knows the noise.
    label : str, keyword-only
        Streams of one seed with different labels are independent.

    Raises
    ------
    ConfigError
        If the seed has another length.

    Examples
    --------
    >>> RandomStream(bytes(32)).words(2).dtype
    dtype('uint64')
    """

    def __init__(self, seed: bytes, *, label: str = "") -> None:
        if len(seed) != SEED_BYTES:
            raise ConfigError(
                f"a noise stream needs a seed of {SEED_BYTES} bytes",
                came=f"{len(seed)} bytes",
                action="use secrets.token_bytes(32)",
            )
        self._stream = Keystream(derive_key(seed, _DOMAIN, label.encode()))

    def __repr__(self) -> str:
        return "RandomStream(<secret>)"

    def words(self, count: int) -> NDArray[np.uint64]:
        """Return uniform 64-bit words, shape (count,)."""
        out = bytearray(8 * count)
        self._stream.fill(out)
        return np.frombuffer(out, np.uint64)

    def uniforms(self, count: int) -> NDArray[np.float64]:
        """Return numbers (k + 1/2) / 2^53 with k uniform: in (0, 1), never 0 and never 1."""
        top = (self.words(count) >> np.uint64(11)).astype(np.float64)
        top += 0.5
        # The largest k would round up to 1.
        return np.minimum(top * 2.0**-53, 1 - 2.0**-53)

    def below(self, bound: int, count: int) -> NDArray[np.int64]:
        """Return integers uniform on {0, ..., bound - 1}, exactly (rejection), (count,)."""
        if not 0 < bound < 2**62:
            raise ConfigError(
                "a uniform integer needs a bound from 1 to 2^62",
                came=f"{bound}",
                action="use a smaller scale",
            )
        limit = 2**64 - 2**64 % bound  # words from here on would favour small results
        found: list[NDArray[np.uint64]] = []
        missing = count
        while missing > 0:
            words = self.words(missing)
            if limit < 2**64:
                words = words[words < np.uint64(limit)]
            found.append(words % np.uint64(bound))
            missing -= len(words)
        return np.concatenate(found or [np.empty(0, np.uint64)]).astype(np.int64)

    def integer(self, bound: int) -> int:
        """Return one integer uniform on {0, ..., bound - 1}, for a bound of any size."""
        bits = bound.bit_length()
        while True:
            raw = int.from_bytes(self.words(bits // 64 + 1).tobytes(), "little")
            value = raw & ((1 << bits) - 1)
            if value < bound:
                return value

    def coins(self, count: int) -> NDArray[np.bool_]:
        """Return fair coins, shape (count,)."""
        return (self.words(count) >> np.uint64(63)).astype(np.bool_)
