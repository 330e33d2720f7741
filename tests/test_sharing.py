"""P-23: additive and Shamir sharing give the secret back, and nothing less does."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parity_flwr.core.sharing import (
    MERSENNE_31,
    PRIME_256,
    additive_shares,
    additive_sum,
    combine,
    combine_vector,
    extension_weights,
    interpolation_weights,
    share_bytes,
    share_from_bytes,
    split,
    split_vector,
    vector_shares,
    vector_sum,
)
from parity_flwr.core.sharing.field import draw_below
from parity_flwr.errors import ConfigError, RunError

secret_values = st.integers(0, PRIME_256 - 1)


def draws(seed: int) -> Callable[[int], bytes]:
    """Return repeatable bytes, for properties that hold for any randomness."""
    return np.random.default_rng(seed).bytes


def test_additive_shares_by_hand() -> None:
    fixed = iter([b"\x30", b"\x90"])  # 3 and 9 of four bits: the two drawn shares mod 11
    shares = additive_shares(5, count=3, draw=lambda size: next(fixed), modulus=11)
    assert shares == [3, 9, 4]  # 3 + 9 + 4 = 16 = 5 mod 11


def test_shamir_by_hand() -> None:
    """f(x) = 5 + 3x + 2x^2 over the integers modulo 11."""
    fixed = iter([b"\x30", b"\x20"])
    shares = split(5, threshold=3, points=[1, 2, 4], draw=lambda _: next(fixed), modulus=11)
    assert shares == {1: 10, 2: 19 % 11, 4: 49 % 11}
    assert combine(shares, threshold=3, modulus=11) == 5
    # Lagrange at 0 for the points 1, 2: 2 f(1) - f(2)
    assert interpolation_weights([1, 2], modulus=11) == [2, 10]


@given(secret_values, st.integers(2, 9), st.integers(0, 2**32))
def test_additive_shares_sum_to_the_secret(secret: int, count: int, seed: int) -> None:
    shares = additive_shares(secret, count=count, draw=draws(seed))
    assert len(shares) == count
    assert additive_sum(shares) == secret
    assert additive_sum(shares[1:]) != secret or shares[0] == 0


@given(secret_values, st.data(), st.integers(0, 2**32))
def test_any_threshold_of_shares_gives_the_secret(
    secret: int, data: st.DataObject, seed: int
) -> None:
    count = data.draw(st.integers(1, 9))
    threshold = data.draw(st.integers(1, count))
    points = data.draw(st.permutations(range(1, count + 1)))
    shares = split(secret, threshold=threshold, points=points, draw=draws(seed))
    chosen = data.draw(st.permutations(points))[:threshold]
    assert combine({x: shares[x] for x in chosen}, threshold=threshold) == secret
    assert combine(shares, threshold=threshold) == secret


@given(st.integers(0, 10), st.integers(0, 10))
def test_too_few_shares_fit_every_secret(secret: int, other: int) -> None:
    """For t - 1 shares and any other secret there is exactly one polynomial."""
    shares = split(secret, threshold=3, points=[1, 2, 3], draw=secrets.token_bytes, modulus=11)
    seen = {x: shares[x] for x in (1, 2)}
    fitting = [
        third
        for third in range(11)
        if combine({**seen, 3: third}, threshold=3, modulus=11) == other
    ]
    assert len(fitting) == 1


def test_shares_of_different_secrets_look_alike() -> None:
    """The first of three shares is uniform modulo 11 whatever the secret (chi squared)."""
    for secret in (0, 10):
        seen = Counter(
            split(secret, threshold=2, points=[1, 2], draw=draws(seed), modulus=11)[1]
            for seed in range(2200)
        )
        assert sum((seen[v] - 200) ** 2 / 200 for v in range(11)) < 29.6  # 10 dof, p = 0.001


@given(secret_values, secret_values, st.integers(0, 2**32))
def test_shares_add_up_to_shares_of_the_sum(one: int, two: int, seed: int) -> None:
    draw, points = draws(seed), range(1, 6)
    first = split(one, threshold=3, points=points, draw=draw)
    second = split(two, threshold=3, points=points, draw=draw)
    both = {x: (first[x] + second[x]) % PRIME_256 for x in points}
    assert combine(both, threshold=3) == (one + two) % PRIME_256


def test_wrong_share_is_noticed_where_there_are_more_than_needed() -> None:
    shares = split(99, threshold=3, points=range(1, 6), draw=secrets.token_bytes)
    wrong = {**shares, 2: (shares[2] + 1) % PRIME_256}
    with pytest.raises(RunError, match="at least one wrong share"):
        combine(wrong, threshold=3)
    exactly = {x: wrong[x] for x in (1, 2, 3)}
    assert combine(exactly, threshold=3) != 99  # not noticed: the docstring says so


@given(secret_values, st.data(), st.integers(0, 2**32))
def test_shares_that_are_fixed_beforehand_give_the_others(
    secret: int, data: st.DataObject, seed: int
) -> None:
    """Any t - 1 values and the secret make a sharing like any other."""
    count = data.draw(st.integers(2, 9))
    threshold = data.draw(st.integers(1, count))
    points = data.draw(st.permutations(range(1, count + 1)))
    draw = draws(seed)
    known = {0: secret} | {x: draw_below(PRIME_256, draw) for x in points[: threshold - 1]}
    rest = points[threshold - 1 :]
    found = {
        x: sum(w * y for w, y in zip(weights, known.values(), strict=True)) % PRIME_256
        for x, weights in zip(rest, extension_weights(list(known), at=rest), strict=True)
    }
    shares = {x: y for x, y in known.items() if x} | found
    assert combine(shares, threshold=threshold) == secret


def test_too_few_shares_are_refused() -> None:
    shares = split(99, threshold=3, points=[1, 2, 3], draw=secrets.token_bytes)
    with pytest.raises(RunError, match="a secret needs 3 shares; got 2"):
        combine({1: shares[1], 2: shares[2]}, threshold=3)


@pytest.mark.parametrize(
    ("secret", "threshold", "points", "complaint"),
    [
        (-1, 1, [1], "one out of range"),
        (PRIME_256, 1, [1], "one out of range"),
        (True, 1, [1], "bool"),
        (1, 0, [1], "threshold"),
        (1, 3, [1, 2], "threshold"),
        (1, 1, [0], "points"),
        (1, 1, [1, 1], "points"),
        (1, 1, [2**20], "points"),
        (1, 1, [], "holders"),
    ],
)
def test_unusable_numbers_are_refused(
    secret: int, threshold: int, points: list[int], complaint: str
) -> None:
    with pytest.raises(ConfigError, match=complaint):
        split(secret, threshold=threshold, points=points, draw=secrets.token_bytes)


def test_one_holder_or_a_foreign_share_is_no_additive_sharing() -> None:
    with pytest.raises(ConfigError, match="holders"):
        additive_shares(1, count=1, draw=secrets.token_bytes)
    with pytest.raises(ConfigError, match="a sum needs shares"):
        additive_sum([])
    with pytest.raises(ConfigError, match="out of range"):
        additive_sum([11], modulus=11)


def test_drawing_is_uniform_by_rejection() -> None:
    values = iter([b"\xff", b"\xb0", b"\xa0"])  # 15 and 11 are refused, 10 is taken
    assert draw_below(11, lambda size: next(values)) == 10


@given(secret_values)
def test_share_survives_the_wire(share: int) -> None:
    assert share_from_bytes(share_bytes(share)) == share


@pytest.mark.parametrize("data", [b"", bytes(31), bytes(33), b"\xff" * 32, "text"])
def test_malformed_share_is_refused(data: bytes) -> None:
    with pytest.raises(ConfigError, match="a share needs 32 bytes"):
        share_from_bytes(data)


@given(st.lists(st.integers(0, MERSENNE_31 - 1), max_size=20), st.integers(0, 2**32))
def test_vectors_come_back(entries: list[int], seed: int) -> None:
    vector, draw = np.array(entries, np.int64), draws(seed)
    assert np.array_equal(vector_sum(vector_shares(vector, count=3, draw=draw)), vector)
    shares = split_vector(vector, threshold=2, points=[1, 2, 3], draw=draw)
    for chosen in ([1, 2], [2, 3], [1, 2, 3]):
        some = {x: shares[x] for x in chosen}
        assert np.array_equal(combine_vector(some, threshold=2), vector)


def test_sums_of_vector_shares_are_shares_of_the_sum() -> None:
    one, two = np.arange(5), np.full(5, MERSENNE_31 - 1)
    first = split_vector(one, threshold=3, points=[1, 2, 3, 4], draw=secrets.token_bytes)
    second = split_vector(two, threshold=3, points=[1, 2, 3, 4], draw=secrets.token_bytes)
    both = {x: (first[x] + second[x]) % MERSENNE_31 for x in first}
    assert combine_vector(both, threshold=3).tolist() == [MERSENNE_31 - 1, 0, 1, 2, 3]


def test_wrong_vector_share_is_noticed_and_malformed_ones_are_refused() -> None:
    vector = np.arange(4)
    shares = split_vector(vector, threshold=2, points=[1, 2, 3], draw=secrets.token_bytes)
    with pytest.raises(RunError, match="wrong share"):
        combine_vector({**shares, 3: (shares[3] + 1) % MERSENNE_31}, threshold=2)
    with pytest.raises(RunError, match="needs 2 shares"):
        combine_vector({1: shares[1]}, threshold=2)
    with pytest.raises(ConfigError, match="of one length"):
        combine_vector({1: shares[1], 2: shares[2][:2]}, threshold=2)
    floats: Any = np.zeros(2)
    with pytest.raises(ConfigError, match="int64"):
        vector_shares(floats, count=2, draw=secrets.token_bytes)
    with pytest.raises(ConfigError, match="threshold"):
        split_vector(vector, threshold=4, points=[1, 2, 3], draw=secrets.token_bytes)
    with pytest.raises(ConfigError, match="a sum needs shares"):
        vector_sum([])
