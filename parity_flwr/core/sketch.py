"""Short memories of long updates: a secret random-sign count sketch.

An update's sketch is a linear map of it to a few thousand numbers that keeps distances and
inner products in expectation. Averaged over rounds it shows who pushes in one direction
for long. The map is secret while the run lasts: a vector in a known kernel is invisible.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_flwr.core.reading import Rows, tiles
from parity_flwr.errors import ConfigError

Values = NDArray[np.float64]
Memory = Mapping[str, Values]
"""Per identity ``size + 1`` numbers: the mean sketch, then the number of updates in it."""

_MIN_SEED_BYTES = 16
_COMPARED = 1 << 19  # numbers
_LEAST_COMPARED = 512
_CHAPTER = 1 << 15  # most parameters that share a period; their signs are made at once
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
    h(i) = b of s(i) x_i. Every sign is a bit of its own. Buckets come in chapters of
    16 `size` parameters (2^15 at most): chapter c draws a period p_c from size/2 < p_c <= size
    and an offset o_c, and its j-th parameter has h = (o_c + j mod p_c) mod size. So the map
    is a sum of slices, ten times faster than a bucket drawn for each parameter, and
    two parameters still seldom meet: with chance 1/size across chapters, and within one
    only if p_c divides their distance, 0.7/(size/2) on average. Neighbours never do.

    All bits are Philox's, keyed by a SHA-256 of the seed that differs from
    :func:`commitment`, or the public commitment would give the map away.

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

    def apply(self, rows: Rows) -> Values:
        """Return the sketch of every row, shape (n, size); memory does not grow with d."""
        reader = self.reader(rows.n)
        for first, start, block in tiles(rows):
            reader.add(block, first=first, start=start)
        return reader.total()

    def reader(self, n: int) -> SketchReader:
        """Return what sketches n rows from their tiles."""
        return SketchReader(self, n)

    @property
    def chapter_length(self) -> int:
        """Parameters in a chapter, a multiple of 64: a Philox word holds 64 signs."""
        return min(-(-16 * self.size // 64) * 64, _CHAPTER)

    def chapter(self, number: int) -> tuple[int, int, NDArray[np.float32]]:
        """Return a chapter's period, its offset and its signs.

        Raw words: their stream is the same in every numpy version. The first one's halves
        choose period and offset (by multiplication, for a division is slow).
        """
        words = np.random.Philox(key=self._key, counter=number << 64)
        raw = words.random_raw(1 + self.chapter_length // 64)
        high, low = int(raw[0]) >> 32, int(raw[0]) & 0xFFFFFFFF
        half = self.size // 2
        period = half + 1 + (high * (self.size - half) >> 32)
        bits = np.unpackbits(raw[1:].astype("<u8").view(np.uint8), bitorder="little")
        signs = bits.astype(np.float32) * np.float32(2) - np.float32(1)
        return period, low * self.size >> 32, signs


class SketchReader:
    """Sums up the sketches of n rows whose tiles come column by column."""

    def __init__(self, sketch: UpdateSketch, n: int) -> None:
        self._sketch = sketch
        self._sums = np.zeros((n, 2 * sketch.size))  # the second half is folded at the end
        self._chapters: dict[int, tuple[int, int, NDArray[np.float32]]] = {}

    def add(self, block: NDArray[np.float32], *, first: int, start: int) -> None:
        """Take in a tile: the rows from ``first``, their columns from ``start``."""
        length, place = self._sketch.chapter_length, 0
        sums = self._sums[first : first + len(block)]
        while length and place < block.shape[1]:
            number, begin = divmod(start + place, length)
            columns = block[:, place : place + length - begin]
            _add_part(sums, columns, begin, *self._chapter(number, start // length))
            place += columns.shape[1]

    def _chapter(self, number: int, oldest: int) -> tuple[int, int, NDArray[np.float32]]:
        """Return a chapter; tiles of other rows will ask for those of these columns again."""
        if number not in self._chapters:
            kept = {k: each for k, each in self._chapters.items() if k >= oldest}
            self._chapters = {**kept, number: self._sketch.chapter(number)}
        return self._chapters[number]

    def total(self) -> Values:
        """Return the sketches so far, shape (n, size)."""
        size = self._sketch.size
        return self._sums[:, :size] + self._sums[:, size:]


def _add_part(
    sums: Values,
    columns: NDArray[np.float32],
    first: int,
    period: int,
    offset: int,
    signs: NDArray[np.float32],
) -> None:
    """Add columns that begin at ``first`` of a chapter, folded to one period.

    Position j of the fold is phase (first + j) mod period: it is turned back in two parts.
    """
    folded = _fold(columns, signs[first : first + columns.shape[1]], period)
    phase = first % period
    split = min(period - phase, folded.shape[1])
    begin, rest = offset + phase, folded.shape[1] - split
    sums[:, begin : begin + split] += folded[:, :split]
    sums[:, offset : offset + rest] += folded[:, split:]


def shorten(sketches: Values) -> Values:
    """Return sketches short enough to compare all pairs of n cheaply, shape (n, m).

    Halves are added up while n m > 2^19 and m > 512, which gives the sketch in half as many
    buckets. At 512 of them a squared distance errs by 6 %.

    Examples
    --------
    >>> shorten(np.ones((1000, 2048))).shape, shorten(np.ones((100, 2048))).shape
    ((1000, 512), (100, 2048))
    """
    n, size = sketches.shape
    while n * size > _COMPARED and size > _LEAST_COMPARED and size % 2 == 0:
        size //= 2
        sketches = sketches[:, :size] + sketches[:, size:]
    return sketches


def _fold(
    columns: NDArray[np.float32], signs: NDArray[np.float32], period: int
) -> NDArray[np.floating]:
    """Return the signed sum of the columns' slices of that width, shape (n, min(width, w)).

    A slice is one period, the last one may be shorter. Few enough numbers meet here for
    float32 (16 when size is 2,048); chapters are summed in float64.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        folded = _fold_as_is(columns, signs, period)
    if np.isfinite(folded).all():
        return folded
    return _fold_as_is(columns.astype(np.float64), signs, period)  # beyond float32


def _fold_as_is(
    columns: NDArray[Any], signs: NDArray[np.float32], period: int
) -> NDArray[np.floating]:
    count, tail = divmod(len(signs), period)
    if count == 0:
        return np.asarray(columns * signs)
    whole = count * period
    slices = columns[:, :whole].reshape(len(columns), count, period)
    folded = np.einsum("nmw,mw->nw", slices, signs[:whole].reshape(count, period))
    if tail:
        folded[:, :tail] += columns[:, whole:] * signs[whole:]
    return np.asarray(folded)
