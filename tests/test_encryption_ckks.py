"""CKKS: weighted sums and dot products come out near what numpy says; hostile bytes do not."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parity_flwr.core.encryption.ckks import (
    BITS,
    DEGREE,
    LARGEST,
    SLOTS,
    CkksCipher,
    _moduli,
)
from parity_flwr.core.encryption.ckks_products import (
    encrypted_linear_scores,
    linear_scores,
    weighted_sum,
)
from parity_flwr.core.encryption.group_secret import GroupSecret
from parity_flwr.core.encryption.plan import MAX_MODULUS_BITS
from parity_flwr.core.encryption.primes import is_prime
from parity_flwr.errors import DataError

OWNER = CkksCipher(GroupSecret(bytes(range(32))))
KEY = OWNER.key_id


def test_moduli_are_primes_within_the_standards_bits() -> None:
    moduli = _moduli()
    assert [m.bit_length() for m in moduli] == list(BITS)
    assert all(is_prime(m) and m % (2 * DEGREE) == 1 for m in moduli)
    assert len(set(moduli)) == 3
    assert sum(BITS) <= MAX_MODULUS_BITS[DEGREE]


def test_weighted_sum_of_more_than_one_ciphertext() -> None:
    rng = np.random.default_rng(0)
    rows = rng.uniform(-1, 1, (4, SLOTS + 100))
    weights = [0.4, 0.3, 0.2, 0.1]
    total = weighted_sum(
        [OWNER.encrypt(row) for row in rows], weights, size=SLOTS + 100, key_id=KEY
    )
    found = OWNER.decrypt(total, size=SLOTS + 100)
    assert np.abs(found - np.dot(weights, rows)).max() < 1e-6


def test_weight_of_nothing_leaves_its_vector_out() -> None:
    vectors = [OWNER.encrypt(np.array([x])) for x in (1.0, 5.0)]
    total = weighted_sum(vectors, [2.0, 0.0], size=1, key_id=KEY)
    assert OWNER.decrypt(total, size=1)[0] == pytest.approx(2.0, abs=1e-6)
    with pytest.raises(DataError, match="a weight that is not 0"):
        weighted_sum(vectors, [0.0, 1e-13], size=1, key_id=KEY)


@given(st.integers(0, 2**32), st.integers(1, 12), st.integers(1, 40))
@settings(max_examples=15, deadline=None)
def test_linear_model_on_encrypted_test_data(seed: int, features: int, rows: int) -> None:
    rng = np.random.default_rng(seed)
    table, weights = rng.uniform(-3, 3, (rows, features)), rng.uniform(-2, 2, features)
    columns = [OWNER.encrypt(column) for column in table.T]
    intercept = float(rng.uniform(-5, 5))
    scores = linear_scores(
        columns, weights.tolist(), rows=rows, key_id=KEY, intercept=intercept
    )
    expected = table @ weights + intercept
    assert np.abs(OWNER.decrypt(scores, size=rows) - expected).max() < 1e-5


def test_both_encrypted_gives_the_same_scores() -> None:
    rng = np.random.default_rng(3)
    table, weights = rng.normal(size=(30, 5)), rng.normal(size=5)
    scores = encrypted_linear_scores(
        [OWNER.encrypt(column) for column in table.T],
        [OWNER.encrypt(np.full(30, weight)) for weight in weights],
        rows=30,
        key_id=KEY,
        relinearisation_key=OWNER.relinearisation_key(),
    )
    assert np.abs(OWNER.decrypt(scores, size=30) - table @ weights).max() < 1e-5


def test_the_evaluator_needs_no_secret_and_another_key_reads_nothing() -> None:
    stranger = CkksCipher(GroupSecret(bytes(32)))
    scores = linear_scores([OWNER.encrypt(np.ones(5))], [0.5], rows=5, key_id=KEY)
    with pytest.raises(DataError, match="round's key; got another"):
        stranger.decrypt(scores, size=5)
    stranger.key_id = KEY
    assert np.abs(stranger.decrypt(scores, size=5) - 0.5).max() > 1e3


@pytest.mark.parametrize("bad", [np.nan, np.inf, LARGEST * 2])
def test_numbers_that_do_not_fit_are_refused(bad: float) -> None:
    with pytest.raises(DataError, match="all within"):
        OWNER.encrypt(np.array([0.0, bad]))
    with pytest.raises(DataError, match="finite and within"):
        weighted_sum([OWNER.encrypt(np.ones(1))], [bad], size=1, key_id=KEY)


def test_nothing_and_uneven_things_are_refused() -> None:
    with pytest.raises(DataError, match="at least one number"):
        OWNER.encrypt(np.empty(0))
    with pytest.raises(DataError, match="got 1 vectors and 2 weights"):
        weighted_sum([OWNER.encrypt(np.ones(1))], [1.0, 2.0], size=1, key_id=KEY)
    with pytest.raises(DataError, match="got 0 vectors and 0 weights"):
        encrypted_linear_scores([], [], rows=1, key_id=KEY, relinearisation_key=b"")


@pytest.mark.parametrize("key", [b"", b"junk", bytes(1000), random.Random(0).randbytes(5000)])
def test_hostile_relinearisation_key_is_refused(key: bytes) -> None:
    vector = [OWNER.encrypt(np.ones(1))]
    with pytest.raises(DataError, match="a key that SEAL refuses"):
        encrypted_linear_scores(vector, vector, rows=1, key_id=KEY, relinearisation_key=key)


def test_hostile_vectors_are_refused_or_only_garble() -> None:
    good = OWNER.encrypt(np.ones(3))
    rng = random.Random(0)
    for _ in range(60):
        data = bytearray(good)
        for _ in range(rng.randrange(1, 4)):
            data[rng.randrange(min(len(data), 500))] ^= 1 << rng.randrange(8)
        if rng.random() < 0.3:
            del data[rng.randrange(len(data)) :]
        try:
            total = weighted_sum([good, bytes(data)], [1.0, 1.0], size=3, key_id=KEY)
            OWNER.decrypt(total, size=3)
        except DataError:
            continue


def test_result_in_the_place_of_a_vector_is_refused() -> None:
    total = weighted_sum([OWNER.encrypt(np.ones(3))], [1.0], size=3, key_id=KEY)
    with pytest.raises(DataError, match="another form"):
        weighted_sum([total], [1.0], size=3, key_id=KEY)
    with pytest.raises(DataError, match="another form"):
        OWNER.decrypt(OWNER.encrypt(np.ones(3)), size=3)
