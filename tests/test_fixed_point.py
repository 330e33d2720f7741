"""The fixed-point grid and the packing: exact sums, stated bounds, refusals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parity_flwr.core.encryption.packing import Packing
from parity_flwr.core.encryption.plan import BfvPlan
from parity_flwr.core.encryption.primes import batching_prime, is_prime
from parity_flwr.core.fixed_point import DEFAULT_LEVELS, FixedPoint
from parity_flwr.errors import ConfigError, DataError


def test_points_by_hand() -> None:
    grid = FixedPoint(clip=2.0, levels=8)  # a step of 0.5
    points = grid.quantise(np.array([-2.0, -0.6, 0.0, 0.3, 2.0], np.float32))
    assert points.tolist() == [0, 3, 4, 5, 8]
    assert grid.decode_sum(points, addends=1).tolist() == [-2.0, -0.5, 0.0, 0.5, 2.0]


def test_default_error_is_range_over_two_to_the_fifteen() -> None:
    grid = FixedPoint(clip=3.0)
    assert grid.max_error == 6.0 / 2**15
    assert grid.levels == DEFAULT_LEVELS == 2**14


@given(st.floats(1e-6, 1e6), st.integers(0, 2**32), st.floats(0, 1))
def test_an_addend_is_off_by_half_a_step_at_most(clip: float, seed: int, scale: float) -> None:
    grid = FixedPoint(clip=clip)
    values = np.random.default_rng(seed).uniform(-clip, clip, 100)
    back = grid.decode_sum(grid.quantise(values, scale=scale), addends=1)
    assert np.abs(back - scale * values).max() <= grid.max_error * (1 + 1e-9)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_refused(bad: float) -> None:
    with pytest.raises(DataError, match="needs finite numbers"):
        FixedPoint(clip=1.0).quantise(np.array([0.0, bad]))


def test_what_is_out_of_range_is_refused_not_clipped() -> None:
    with pytest.raises(DataError, match=r"magnitude 1 at most; got 1\.5"):
        FixedPoint(clip=1.0).quantise(np.array([0.0, -1.5]))
    assert FixedPoint(clip=1.0).quantise(np.array([-1.5]), scale=0.5).tolist() == [2**11]


@pytest.mark.parametrize("clip", [0.0, -1.0, np.nan, np.inf])
def test_clip_that_promises_nothing_is_refused(clip: float) -> None:
    with pytest.raises(ConfigError, match="clip above 0 and finite"):
        FixedPoint(clip=clip)


@pytest.mark.parametrize("levels", [0, 1, 3, 2**31, True])
def test_levels_without_a_zero_are_refused(levels: int) -> None:
    with pytest.raises(ConfigError):
        FixedPoint(clip=1.0, levels=levels)


def test_sum_that_cannot_be_one_is_refused() -> None:
    grid = FixedPoint(clip=1.0, levels=4)
    assert grid.decode_sum(np.array([8]), addends=2).tolist() == [2.0]
    with pytest.raises(DataError, match="from 0 to 8; got 9"):
        grid.decode_sum(np.array([9]), addends=2)


@given(
    st.integers(1, 40),
    st.integers(1, 500),
    st.integers(1, 4),
    st.integers(0, 60),
    st.integers(0, 2**32),
)
@settings(max_examples=200)
def test_packed_sums_are_the_sums(
    addends: int, levels: int, digits: int, size: int, seed: int
) -> None:
    packing = Packing(addends=addends, levels=levels, digits=digits)
    rows = np.random.default_rng(seed).integers(0, levels + 1, (addends, size))
    total = sum((packing.pack(row) for row in rows), np.zeros(packing.slots_for(size), int))
    assert packing.unpack(total, size=size).tolist() == rows.sum(axis=0).tolist()


def test_the_largest_sum_stays_in_its_digit() -> None:
    packing = Packing(addends=10, levels=2**14, digits=3)
    full = packing.pack(np.full(6, 2**14))
    assert packing.unpack(10 * full, size=6).tolist() == [10 * 2**14] * 6
    assert int(full.max()) * 10 == packing.capacity - 1
    with pytest.raises(DataError, match="in its range"):
        packing.unpack(11 * full, size=6)


def test_digit_over_its_levels_is_refused() -> None:
    packing = Packing(addends=2, levels=4, digits=2)
    for bad in (-1, 5):
        with pytest.raises(DataError, match="integers from 0 to 4"):
            packing.pack(np.array([0, bad]))
    with pytest.raises(DataError, match="3 integers need 2 slots"):
        packing.unpack(np.zeros(3, np.int64), size=3)


def test_slot_too_small_for_its_digits_is_refused() -> None:
    Packing(addends=3, levels=2**20, digits=2)
    with pytest.raises(ConfigError, match="62 bits"):
        Packing(addends=3, levels=2**20, digits=3)


def test_primes_are_those_of_the_sieve() -> None:
    sieve = [n for n in range(2, 2000) if all(n % k for k in range(2, int(n**0.5) + 1))]
    assert [n for n in range(2000) if is_prime(n)] == sieve
    assert is_prime(2**61 - 1)
    assert not is_prime(3215031751)  # strong pseudoprime to 2, 3, 5, 7
    assert not is_prime(3825123056546413051)  # ... and to 11, 13, 17, 19, 23


@given(st.integers(2, 2**50), st.sampled_from([1024, 4096, 8192]))
@settings(max_examples=50)
def test_batching_prime_splits_the_ring(at_least: int, degree: int) -> None:
    prime = batching_prime(at_least, degree=degree)
    assert prime >= at_least
    assert prime % (2 * degree) == 1
    assert is_prime(prime)


def test_batching_prime_over_sixty_bits_is_refused() -> None:
    with pytest.raises(ConfigError, match="60 bits"):
        batching_prime(1 << 60, degree=4096)


@pytest.mark.parametrize(
    ("addends", "public", "digits"),
    [(2, False, 3), (10, False, 3), (11, False, 2), (100, False, 2), (10, True, 2)],
)
def test_digits_follow_from_the_noise(addends: int, public: bool, digits: int) -> None:
    plan = BfvPlan(addends=addends, clip=1.0, public_key=public)
    assert plan.packing.digits == digits
    assert plan.plain_modulus >= plan.packing.capacity


def test_plan_without_room_is_refused() -> None:
    with pytest.raises(ConfigError, match="1 to 100000 addends"):
        BfvPlan(addends=0, clip=1.0)
    with pytest.raises(ConfigError, match="room for one number"):
        BfvPlan(addends=100_000, clip=1.0, levels=2**30, public_key=True)


def test_plans_that_differ_have_other_digests() -> None:
    plans = [
        BfvPlan(addends=10, clip=1.0),
        BfvPlan(addends=9, clip=1.0),
        BfvPlan(addends=10, clip=2.0),
        BfvPlan(addends=10, clip=1.0, levels=2**13),
        BfvPlan(addends=10, clip=1.0, public_key=True),
    ]
    assert len({plan.digest for plan in plans}) == len(plans)
    assert BfvPlan(addends=10, clip=1).digest == plans[0].digest
