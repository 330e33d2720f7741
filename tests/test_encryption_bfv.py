"""Encrypted sums with TenSEAL: exact, keyless for the server, deaf to hostile bytes."""

from __future__ import annotations

import random
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parity_flwr.core.encryption import BfvAdder, BfvCipher, BfvPlan, GroupSecret, add_all
from parity_flwr.core.encryption.bfv import BfvPublicCipher
from parity_flwr.core.encryption.envelope import (
    FULL_BYTES,
    SEEDED_BYTES,
    bfv_shape,
    parse_envelope,
)
from parity_flwr.core.encryption.plan import (
    COEFFICIENT_MODULUS,
    DEGREE,
    MAX_MODULUS_BITS,
    VALUES,
)
from parity_flwr.core.encryption.primes import is_prime
from parity_flwr.core.encryption.seal import Ring, sealapi
from parity_flwr.errors import ConfigError, DataError

PLAN = BfvPlan(addends=10, clip=1.0)
SECRET = GroupSecret(bytes(range(32)))
SIZE = 500


@pytest.fixture(scope="module")
def cipher() -> BfvCipher:
    return BfvCipher(PLAN, SECRET)


def updates(count: int, size: int = SIZE, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-1, 1, (count, size)).astype(np.float32)


def test_modulus_is_a_prime_within_the_standards_bits() -> None:
    assert is_prime(COEFFICIENT_MODULUS)
    assert COEFFICIENT_MODULUS % (2 * DEGREE) == 1
    assert COEFFICIENT_MODULUS.bit_length() <= MAX_MODULUS_BITS[DEGREE] == 109


@pytest.mark.parametrize("degree", [1024, 2048, 4096, 8192])
def test_table_of_modulus_bits_is_seals(degree: int) -> None:
    """The HE standard's table, as SEAL has it."""
    api = sealapi()
    assert (
        api.CoeffModulus.MaxBitCount(degree, api.SEC_LEVEL_TYPE.TC128)
        == MAX_MODULUS_BITS[degree]
    )


@pytest.mark.parametrize("addends", [1, 3, 10])
def test_sum_is_exact_on_the_grid(cipher: BfvCipher, addends: int) -> None:
    rows = updates(addends)
    integers = [PLAN.grid.quantise(row) for row in rows]
    total = add_all(PLAN, map(cipher.encrypt, integers), size=SIZE, key_id=cipher.key_id)
    sums, counted = cipher.decrypt_sum(total, size=SIZE)
    assert counted == addends
    assert sums.tolist() == np.sum(integers, axis=0).tolist()
    error = np.abs(PLAN.grid.decode_sum(sums, addends=addends) - rows.sum(0, dtype=float))
    assert error.max() <= addends * 2 / 2**15 * (1 + 1e-9)


@pytest.mark.parametrize("value", [-1.0, 1.0])
def test_full_sum_of_extremes_does_not_overflow(cipher: BfvCipher, value: float) -> None:
    size = 3 * (DEGREE - 1) + 1  # a second ciphertext
    points = PLAN.grid.quantise(np.full(size, value))
    vectors = [cipher.encrypt(points) for _ in range(10)]
    total = add_all(PLAN, vectors, size=size, key_id=cipher.key_id)
    sums, _ = cipher.decrypt_sum(total, size=size)
    assert set(PLAN.grid.decode_sum(sums, addends=10).tolist()) == {10 * value}


@pytest.mark.parametrize(("addends", "public"), [(10, False), (200, False), (10, True)])
def test_stated_noise_bound_holds(addends: int, public: bool) -> None:
    """The measured noise of a full sum lies under the bound that the plan rests on."""
    plan = BfvPlan(addends=addends, clip=1.0, public_key=public)
    cipher = BfvCipher(plan, SECRET)
    sender = BfvPublicCipher(plan, cipher.public_key(), key_id=SECRET.id) if public else cipher
    ring, size = Ring(plan), plan.packing.digits * VALUES
    ones = np.full(size, plan.levels)
    vectors = [sender.encrypt(ones) for _ in range(addends)]
    total = add_all(plan, vectors, size=size, key_id=SECRET.id)
    shape = bfv_shape(plan, size=size, key_id=SECRET.id, fresh=False)
    (blob,) = parse_envelope(total, shape).blobs
    decryptor = ring.api.Decryptor(ring.context, ring.secret_key(SECRET.derive(b"bfv", 64)))
    left = decryptor.invariant_noise_budget(ring.load(blob))  # bits, rounded down
    noise = plan.noise_bound + addends / 2
    assert 1 <= COEFFICIENT_MODULUS / (2 * plan.plain_modulus * noise) < 2 ** (left + 1)


def test_one_addend_too_many_is_refused() -> None:
    plan = BfvPlan(addends=2, clip=1.0)
    cipher = BfvCipher(plan, SECRET)
    vector = cipher.encrypt(plan.grid.quantise(np.zeros(3)))
    with pytest.raises(DataError, match="room for 2 addends"):
        add_all(plan, [vector] * 3, size=3, key_id=cipher.key_id)


def test_sum_of_nothing_is_refused() -> None:
    with pytest.raises(DataError, match="needs an addend"):
        BfvAdder(PLAN, size=3, key_id=SECRET.id).total()


def test_equal_updates_give_unequal_ciphertexts(cipher: BfvCipher) -> None:
    points = PLAN.grid.quantise(np.zeros(SIZE))
    first, second = cipher.encrypt(points), cipher.encrypt(points)
    equal = sum(a == b for a, b in zip(first[-30_000:], second[-30_000:], strict=True))
    assert equal < 3000  # 1 in 256, and the high bytes, which are under 16


def test_same_secret_gives_the_same_key_and_another_does_not(cipher: BfvCipher) -> None:
    vector = add_all(
        PLAN, [cipher.encrypt(PLAN.grid.quantise(np.zeros(3)))], size=3, key_id=cipher.key_id
    )
    assert BfvCipher(PLAN, SECRET).decrypt_sum(vector, size=3)[1] == 1
    stranger = BfvCipher(PLAN, GroupSecret(bytes(32)))
    with pytest.raises(DataError, match="round's key; got another"):
        stranger.decrypt_sum(vector, size=3)
    stranger.key_id = cipher.key_id  # a liar about the key
    with pytest.raises(DataError, match="intact ciphertexts under this key"):
        stranger.decrypt_sum(vector, size=3)


def test_one_ciphertext_under_another_key_spoils_the_sum_and_is_noticed(
    cipher: BfvCipher,
) -> None:
    stranger = BfvCipher(PLAN, GroupSecret(bytes(32)))
    stranger.key_id = cipher.key_id
    points = PLAN.grid.quantise(np.zeros(SIZE))
    vectors = [cipher.encrypt(points), stranger.encrypt(points)]
    total = add_all(PLAN, vectors, size=SIZE, key_id=cipher.key_id)
    with pytest.raises(DataError, match="intact ciphertexts under this key"):
        cipher.decrypt_sum(total, size=SIZE)


def test_secret_does_not_show() -> None:
    assert "00010203" not in repr(SECRET)
    assert SECRET.value.hex() not in repr(SECRET)
    with pytest.raises(ConfigError, match="32 bytes; got something else"):
        GroupSecret(b"short")
    assert GroupSecret.generate() != GroupSecret.generate()


def test_sealed_model_opens_only_unchanged_and_under_its_label() -> None:
    sealed = SECRET.seal(b"a model", label="run 1")
    assert sealed == SECRET.seal(b"a model", label="run 1")
    assert sealed[:12] != SECRET.seal(b"a mode1", label="run 1")[:12]
    assert SECRET.open(sealed, label="run 1") == b"a model"
    changed = bytes([sealed[0] ^ 1]) + sealed[1:]
    for bytes_, label in ((sealed, "run 2"), (changed, "run 1"), (b"", "run 1")):
        with pytest.raises(DataError, match="sealed model"):
            SECRET.open(bytes_, label=label)


def test_wire_sizes_are_bounded_and_under_three_bytes_a_number(cipher: BfvCipher) -> None:
    size = 3 * (DEGREE - 1) * 2
    vector = cipher.encrypt(PLAN.grid.quantise(np.zeros(size)))
    assert len(vector) <= bfv_shape(PLAN, size=size, key_id=SECRET.id, fresh=True).max_bytes
    assert len(vector) / size < 2.75


def header(**changes: object) -> bytes:
    fields = {
        "magic": b"parityH1", "plan": PLAN.digest, "key": SECRET.id,
        "size": SIZE, "addends": 1, "count": 1,
    }  # fmt: skip
    return struct.pack("<8s16s16sQII", *{**fields, **changes}.values())


HOSTILE = {
    "nothing": (b"", "other bytes"),
    "random": (random.Random(0).randbytes(5000), "other bytes"),
    "huge": (bytes(SEEDED_BYTES * 2), "other bytes"),
    "huge with a header": (header() + bytes(FULL_BYTES), "bytes at most"),
    "other parameters": (header(plan=bytes(16)), "round's parameters; got others"),
    "other key": (header(key=bytes(16)), "round's key; got another"),
    "another length": (header(size=SIZE + 1), f"{SIZE} numbers; got {SIZE + 1}"),
    "a sum": (header(addends=2), "1 to 1 addends; got 2"),
    "no addends": (header(addends=0), "1 to 1 addends; got 0"),
    "too many": (header(count=2**32 - 1), "1 ciphertexts"),
    "none": (header(count=0), "1 ciphertexts; got 0"),
    "missing": (header(), "every ciphertext; got fewer"),
    "long": (header() + struct.pack("<I", 2**32 - 1), "of their length"),
    "longer than it is": (header() + struct.pack("<I", 9) + b"12345678", "of their length"),
    "empty": (header() + struct.pack("<I", 0), "one that SEAL refuses"),
    "noise": (header() + struct.pack("<I", 64) + bytes(64), "one that SEAL refuses"),
    "trailing": (header() + struct.pack("<I", 1) + b"1more", "nothing after the last"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_bytes_are_refused_with_a_reason(name: str) -> None:
    data, reason = HOSTILE[name]
    with pytest.raises(DataError) as refused:
        BfvAdder(PLAN, size=SIZE, key_id=SECRET.id).check(data)
    assert reason in str(refused.value)


def test_sum_in_the_place_of_an_update_is_refused(cipher: BfvCipher) -> None:
    points = PLAN.grid.quantise(np.zeros(SIZE))
    total = add_all(PLAN, [cipher.encrypt(points)] * 2, size=SIZE, key_id=cipher.key_id)
    with pytest.raises(DataError, match="bytes at most"):
        BfvAdder(PLAN, size=SIZE, key_id=SECRET.id).check(total)


def test_ciphertext_that_hides_nothing_is_refused() -> None:
    ring = Ring(PLAN)
    encryptor = ring.api.Encryptor(ring.context, ring.secret_key(bytes(64)))
    body = bytearray(_uncompressed(ring, encryptor))
    body[-DEGREE * 8 :] = bytes(DEGREE * 8)  # the second polynomial
    with pytest.raises(DataError, match="of another form"):
        ring.load(bytes(body))


def _uncompressed(ring: Ring, encryptor: object) -> bytes:
    """Return a ciphertext as SEAL writes it without compression."""
    words = (COEFFICIENT_MODULUS - 1) * np.ones(2 * DEGREE, "<u8")
    array = struct.pack("<Q", words.size) + words.tobytes()
    inner = _seal_header(len(array)) + array
    ciphertext = ring.api.Ciphertext(ring.context)
    parms = struct.pack("<4Q", *ring.context.first_parms_id())
    body = parms + b"\0" + struct.pack("<3Qd", 2, DEGREE, 1, 1.0) + struct.pack("<Q", 1) + inner
    del ciphertext, encryptor
    return _seal_header(len(body)) + body


def _seal_header(length: int) -> bytes:
    return b"\x5e\xa1\x10\x04\x03\x00\x00\x00" + struct.pack("<Q", 16 + length)


@given(st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_mutated_ciphertexts_are_refused_or_harmless(seed: int) -> None:
    """A mutation either is refused with a DataError or breaks the count of addends."""
    cipher = BfvCipher(PLAN, SECRET)
    vector = cipher.encrypt(PLAN.grid.quantise(np.zeros(SIZE)))
    rng = random.Random(seed)
    data = bytearray(vector)
    start = 0 if rng.random() < 0.5 else 64
    for _ in range(rng.randrange(1, 4)):
        data[rng.randrange(start, min(len(data), start + 400))] ^= 1 << rng.randrange(8)
    if rng.random() < 0.2:
        del data[rng.randrange(len(data)) :]
    try:
        total = add_all(PLAN, [vector, bytes(data)], size=SIZE, key_id=cipher.key_id)
        sums, addends = cipher.decrypt_sum(total, size=SIZE)
    except DataError:
        return
    assert (sums.tolist(), addends) == ([2 * PLAN.grid.levels // 2] * SIZE, 2)
