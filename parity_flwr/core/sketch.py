"""Short memories of long updates: a secret random-sign count sketch.

An update's sketch is a linear map of it to a few thousand numbers that keeps distances and
inner products in expectation. Averaged over rounds it shows who pushes in one direction
for long. The map is secret while the run lasts: a vector in a known kernel is invisible.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from parity_flwr.core.rows import Rows, blocks
from parity_flwr.errors import ConfigError

Memory = Mapping[str, NDArray[np.float64]]
"""Per identity ``size + 1`` numbers: the mean sketch, then the number of updates in it."""

_MIN_SEED_BYTES = 16
_DOMAIN = b"parity-flwr/sketch/1\x00"


def commitment(seed: bytes) -> str:
    """Return the SHA-256 of the secret seed, hex: public from round 0 on.

    Examples
    --------
    >>> commitment(bytes(32))[:16]
    '66687aadf862bd77'
    """
    return hashlib.sha256(seed).hexdigest()


class UpdateSketch:
    """A random-sign count sketch with `size` buckets, fixed by a secret seed.

    Parameter i goes to bucket h(i) with sign s(i) in {-1, +1}: sketch_b = sum over i with
    h(i) = b of s(i) x_i. Both come from one 64-bit word of Philox, keyed by a SHA-256 of
    the seed that differs from :func:`commitment`, or the public commitment would give the
    map away.

    Parameters
    ----------
    seed : bytes
        Secret, at least 16 bytes, or the commitment could be searched for it.
    size : int
        Number of buckets, >= 0; 0 remembers nothing.

    Raises
    ------
    ConfigError
        If the seed is too short or the size out of range.

    Examples
    --------
    >>> from parity_flwr.core.rows import MatrixRows
    >>> UpdateSketch(bytes(32), 8).apply(MatrixRows(np.ones((3, 100)))).shape
    (3, 8)
    """

    def __init__(self, seed: bytes, size: int) -> None:
        if len(seed) < _MIN_SEED_BYTES:
            raise ConfigError(
                f"a sketch needs a seed of at least {_MIN_SEED_BYTES} bytes",
                came=f"{len(seed)} bytes",
                action="draw one with secrets.token_bytes(32)",
            )
        if not 0 <= size < 1 << 31:
            raise ConfigError(
                "a sketch needs a size from 0 to 2^31", came=repr(size), action="change it"
            )
        self.size = size
        self._key = int.from_bytes(hashlib.sha256(_DOMAIN + seed).digest()[:16], "little")

    def apply(self, rows: Rows) -> NDArray[np.float64]:
        """Return the sketch of every row, shape (n, size); memory does not grow with d."""
        sketch = np.zeros((rows.n, self.size))
        words = np.random.Philox(key=self._key)
        for block in blocks(rows) if self.size else ():
            bucket, sign = self._map(words, block.shape[1])
            for total, row in zip(sketch, block, strict=True):
                total += np.bincount(bucket, weights=row * sign, minlength=self.size)
        return sketch

    def _map(
        self, words: np.random.Philox, width: int
    ) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
        """Return the buckets and signs of the next `width` parameters.

        Raw words: their stream is the same however it is cut and in every numpy version.
        The upper half chooses the bucket (by multiplication, for a division is slow), the
        lowest bit the sign.
        """
        word = words.random_raw(width)
        bucket = ((word >> np.uint64(32)) * np.uint64(self.size)) >> np.uint64(32)
        sign = (word & np.uint64(1)).astype(np.float32) * np.float32(2) - np.float32(1)
        return bucket.astype(np.intp), sign


def remember(
    memory: Memory, sketches: Mapping[str, NDArray[np.float64]], *, decay: float
) -> dict[str, NDArray[np.float64]]:
    """Return the memory with one more sketch for each identity given.

    The mean weighs the update of i rounds ago by decay^i, and is exact from the first one
    on: mean += rate * (sketch - mean), rate = (1 - decay) / (1 - decay^count).

    Parameters
    ----------
    memory : mapping from identity to ndarray of float64, shape (size + 1,)
        Not changed. An entry of another size (the run's was changed) starts anew.
    sketches : mapping from identity to ndarray of float64, shape (size,)
        This round's; identities without one keep what they have.
    decay : float
        In [0, 1]; 1 is the plain mean.

    Examples
    --------
    >>> memory = remember({}, {"a": np.array([2.0])}, decay=0.5)
    >>> remember(memory, {"a": np.array([5.0])}, decay=0.5)["a"].tolist()
    [4.0, 2.0]
    """
    result = dict(memory)
    for identity, sketch in sketches.items():
        old = result.get(identity)
        if old is None or old.size != sketch.size + 1:
            old = np.zeros(sketch.size + 1)
        count = old[-1] + 1.0
        rate = (1.0 - decay) / (1.0 - decay**count) if decay < 1 else 1.0 / count
        result[identity] = np.append(old[:-1] + rate * (sketch - old[:-1]), count)
    return result


def remembered(
    memory: Memory, identities: Sequence[str], *, rounds: int
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Return who of the n has at least `rounds` updates in memory, and their m mean sketches.

    Returns
    -------
    known : ndarray of bool, shape (n,)
    means : ndarray of float64, shape (m, size)
        One row per True in `known`, in the same order.

    Examples
    --------
    >>> known, means = remembered({"a": np.array([4.0, 2.0])}, ["a", "b"], rounds=2)
    >>> known.tolist(), means.tolist()
    ([True, False], [[4.0]])
    """
    known = np.array([i in memory and memory[i][-1] >= rounds for i in identities], bool)
    chosen = [memory[i][:-1] for i, old in zip(identities, known, strict=True) if old]
    return known, np.stack(chosen) if chosen else np.zeros((0, 0))
