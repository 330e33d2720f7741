"""The published searches for mask seeds succeed against SecAgg+ and fail against ours.

SecAgg+ (flwrlabs/flower#7522) folds a 32-byte key to 32 bits and seeds MT19937; its
keys are base64 text, so that 28 bits are left. The attacks: try every seed; or invert the
generator's state. The same code runs on both constructions, scaled down where it is slow.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from functools import reduce

import numpy as np
import pytest
from flwr.common.secure_aggregation.secaggplus_utils import pseudo_rand_gen
from numpy.typing import NDArray

from parity_flwr.core.keystream import add_stream, keystream
from parity_flwr.core.secagg.own_secrets import Secrets, self_mask_key

Words = NDArray[np.uint32]
Construction = Callable[[bytes, int], Words]
WINDOW = 1 << 12  # seeds tried in place of 2^28 or 2^32
MODULUS = 1 << 32


def weak(key: bytes, size: int) -> Words:
    """Return the mask as Flower 1.41 makes it."""
    (mask,) = pseudo_rand_gen(key, MODULUS, [(size,)])
    return np.asarray(mask, np.uint32)


def ours(key: bytes, size: int) -> Words:
    """Return the mask as this package makes it, through the same function that masks."""
    mask = np.zeros(size, np.uint32)
    add_stream(mask, key)
    return mask


def folded(key: bytes) -> int:
    """Return the 32 bits that are left of a key in the weak construction."""
    pieces = (int.from_bytes(key[k : k + 4], "little") for k in range(0, len(key), 4))
    return reduce(lambda one, other: one ^ other, pieces)


def search(mask: Words, first: int) -> int | None:
    """Return the seed in a window of seeds whose MT19937 stream begins like the mask."""
    for seed in range(first, first + WINDOW):
        stream = np.random.RandomState(seed % MODULUS).randint(
            0, MODULUS - 1, mask.size, dtype=np.int64
        )
        if np.array_equal(stream.astype(np.uint32), mask):
            return seed % MODULUS
    return None


def untempered(words: Words) -> list[int]:
    """Invert MT19937's tempering: outputs to state words."""
    found = []
    for word in words.tolist():
        y = word ^ (word >> 18)
        y ^= (y << 15) & 0xEFC60000
        x = y
        for _ in range(5):
            x = y ^ ((x << 7) & 0x9D2C5680)
        z = x
        for _ in range(3):
            z = x ^ (z >> 11)
        found.append(z)
    return found


def predicted(words: Words, count: int) -> Words:
    """Return what MT19937 would continue 624 outputs with, whatever its seed."""
    generator = np.random.RandomState()
    state = np.array(untempered(words[:624]), np.uint32)
    generator.set_state(("MT19937", state, 624, 0, 0.0))
    return generator.randint(0, MODULUS, count, dtype=np.uint32)


@pytest.fixture
def key() -> bytes:
    return hashlib.sha256(b"a pairwise key").digest()


def test_searching_all_seeds_finds_the_weak_one_and_not_ours(key: bytes) -> None:
    """The window holds the one seed that the weak construction would use for this key."""
    around = folded(key) - WINDOW // 2
    assert search(weak(key, 4), around) == folded(key)
    assert search(ours(key, 4), around) is None


@pytest.mark.parametrize("construction", [weak, ours])
def test_inverting_the_generator_predicts_the_weak_mask_only(
    construction: Construction, key: bytes
) -> None:
    """From 624 known words the rest follows, for every one of MT19937's 2^19937 states."""
    mask = construction(key, 700)
    assert np.array_equal(predicted(mask, 76), mask[624:]) == (construction is weak)


@pytest.mark.parametrize("construction", [weak, ours])
def test_victim_is_recovered_by_the_seed_search_from_the_weak_mask_only(
    construction: Construction, key: bytes
) -> None:
    """A server with one colluding client of three: all masks but the victim's are known."""
    words = np.random.default_rng(0).integers(0, 2**20, 700, dtype=np.uint32)
    words[:4] = 0  # frozen parameters: their update is known
    masked = words + construction(key, words.size)
    seed = search(masked[:4], folded(key) - WINDOW // 2)
    if seed is None:
        assert construction is ours
        return
    stream = np.random.RandomState(seed).randint(0, MODULUS - 1, words.size, dtype=np.int64)
    assert construction is weak
    assert np.array_equal(masked - stream.astype(np.uint32), words)


def test_all_bits_of_a_key_count() -> None:
    """In the weak construction bits that are 32 apart cancel, and text has 6 bits of 8."""
    text = base64.urlsafe_b64encode(bytes(32))
    assert max(base64.urlsafe_b64encode(bytes(range(224, 256)))) < 128
    assert len(text) == 44
    key = bytearray(hashlib.sha256(b"another").digest())
    streams = {ours(bytes(key), 8).tobytes()}
    for bit in range(256):
        flipped = bytearray(key)
        flipped[bit // 8] ^= 1 << bit % 8
        streams.add(ours(bytes(flipped), 8).tobytes())
        flipped[(bit // 8 + 4) % 32] ^= 1 << bit % 8
        assert np.array_equal(weak(bytes(flipped), 8), weak(bytes(key), 8))
        streams.add(ours(bytes(flipped), 8).tobytes())
    assert len(streams) == 513


def test_masks_come_from_256_bit_keys_of_both_ends() -> None:
    """The masks of a session are streams of 32-byte HKDF outputs, not of text or numbers."""
    one, two = Secrets(b"1" * 32), Secrets(b"2" * 32)
    shared = one.pair_key(two.mask_key, b"transcript")
    assert shared == two.pair_key(one.mask_key, b"transcript")
    assert shared != one.pair_key(two.mask_key, b"another session")
    assert len(shared) == len(one.seed) == len(self_mask_key(one.seed, b"t")) == 32
    drawn = np.frombuffer(b"".join(Secrets(bytes([k]) * 32).seed for k in range(64)), np.uint8)
    assert np.bitwise_or.reduce(drawn) == 255
    assert np.array_equal(ours(shared, 5), keystream(shared, 5))
