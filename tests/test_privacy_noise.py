"""Noise: the right distribution, from a stream nobody can predict, exact where it says so."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from hypothesis import given, settings
from hypothesis import strategies as st

from parity_flwr.core.key_agreement import derive_key
from parity_flwr.core.privacy.bernoulli import _exp_bounds, exponential_coins
from parity_flwr.core.privacy.discrete import discrete_gaussian, discrete_laplace
from parity_flwr.core.privacy.mechanisms import exponential_choice
from parity_flwr.core.privacy.noise import gaussian, laplace
from parity_flwr.core.privacy.stream import RandomStream
from parity_flwr.errors import ConfigError

stats = pytest.importorskip("scipy.stats")

MILLION = 1_000_000


def stream(number: int = 0, label: str = "") -> RandomStream:
    return RandomStream(number.to_bytes(32, "big"), label=label)


def chi_square(samples: np.ndarray, log_weight: dict[int, float]) -> float:
    """Return the p-value of integers against probabilities given up to a factor."""
    total = math.fsum(math.exp(each) for each in log_weight.values())
    inner = [x for x, each in log_weight.items() if math.exp(each) / total * len(samples) > 20]
    expected = np.array([math.exp(log_weight[x]) / total for x in inner]) * len(samples)
    observed = np.array([(samples == x).sum() for x in inner], float)
    rest = [len(samples) - observed.sum(), len(samples) - expected.sum()]
    return float(stats.chisquare([*observed, rest[0]], [*expected, rest[1]]).pvalue)


def test_the_stream_is_chacha20_under_a_derived_key() -> None:
    key = derive_key(bytes(32), b"parity-flwr/noise/v1", b"a")
    raw = Cipher(algorithms.ChaCha20(key, bytes(16)), None).encryptor().update(bytes(48))
    expected = np.frombuffer(raw, np.uint64).tolist()
    one = RandomStream(bytes(32), label="a")
    assert [*one.words(2).tolist(), *one.words(4).tolist()] == expected


def test_other_seeds_and_labels_give_other_streams() -> None:
    firsts = {int(each.words(1)[0]) for each in (stream(0), stream(1), stream(0, "x"))}
    assert len(firsts) == 3


@pytest.mark.parametrize("seed", [b"", bytes(31), bytes(33)])
def test_a_seed_of_another_length_is_refused(seed: bytes) -> None:
    with pytest.raises(ConfigError, match="32 bytes"):
        RandomStream(seed)


def test_a_stream_does_not_show_its_seed() -> None:
    assert "secret" in repr(stream())


def test_uniform_integers_are_uniform_and_in_range() -> None:
    drawn = stream(2).below(7, 70_000)
    assert stats.chisquare(np.bincount(drawn, minlength=7)).pvalue > 1e-3
    assert stream().below(1, 3).tolist() == [0, 0, 0]
    assert {stream(n).integer(3) for n in range(40)} == {0, 1, 2}


def test_gaussian_noise_has_its_deviation_and_shape() -> None:
    noise = gaussian(stream(1), MILLION, sigma=3.0)
    assert noise.std() == pytest.approx(3.0, rel=0.01)
    assert abs(noise.mean()) < 0.015
    assert stats.kstest(noise[:200_000] / 3.0, "norm").pvalue > 0.01


def test_laplace_noise_has_its_deviation_and_shape() -> None:
    noise = laplace(stream(2), MILLION, scale=0.5)
    assert noise.std() == pytest.approx(0.5 * math.sqrt(2), rel=0.01)
    assert stats.kstest(noise[:200_000] * 2, "laplace").pvalue > 0.01


@pytest.mark.parametrize("variance", [Fraction(1, 4), Fraction(2), Fraction(37, 3)])
def test_discrete_gaussian_has_its_probabilities(variance: Fraction) -> None:
    drawn = discrete_gaussian(stream(3), 200_000, variance=variance)
    weights = {x: -(x * x) / (2 * float(variance)) for x in range(-60, 61)}
    assert chi_square(drawn, weights) > 0.01


@pytest.mark.parametrize("scale", [Fraction(1, 3), Fraction(1), Fraction(17, 5)])
def test_discrete_laplace_has_its_probabilities(scale: Fraction) -> None:
    drawn = discrete_laplace(stream(4), 200_000, scale=scale)
    assert chi_square(drawn, {x: -abs(x) / float(scale) for x in range(-90, 91)}) > 0.01


def test_discrete_noise_of_large_scales_has_its_deviation() -> None:
    wide = discrete_gaussian(stream(5), MILLION, variance=Fraction(10**12))
    assert wide.std() == pytest.approx(1e6, rel=0.01)
    flat = discrete_laplace(stream(6), MILLION, scale=Fraction(2**39))
    assert flat.std() == pytest.approx(2**39 * math.sqrt(2), rel=0.01)


@settings(max_examples=60, deadline=None)
@given(st.fractions(min_value=0, max_value=40, max_denominator=10**6))
def test_the_rational_bounds_hold_the_exponential(gamma: Fraction) -> None:
    low, high = _exp_bounds(gamma, 80)
    assert 0 <= low <= high
    assert high - low <= Fraction(1, 2**80)
    true = math.exp(-gamma)
    assert float(low) <= true * (1 + 1e-14)
    assert float(high) >= true * (1 - 1e-14)


def test_exact_and_fast_coins_agree_in_probability() -> None:
    gammas = np.full(4000, 0.7)
    slow = exponential_coins(stream(7), gammas, exact=lambda _: Fraction(7, 10), tolerance=2.0)
    fast = exponential_coins(stream(7), gammas, exact=lambda _: Fraction(7, 10))
    assert abs(slow.mean() - math.exp(-0.7)) < 4 * math.sqrt(0.25 / 4000)
    assert (slow == fast).all()  # the same 53 bits decide almost always


def test_the_exponential_mechanism_chooses_as_it_says() -> None:
    scores, source = [0.0, 1.0, 3.0, 2.5], stream(8)
    counts = np.bincount(
        [
            exponential_choice(scores, epsilon=1.5, sensitivity=1.0, stream=source)
            for _ in range(8000)
        ],
        minlength=4,
    )
    weights = np.exp(0.75 * np.array(scores))
    assert stats.chisquare(counts, 8000 * weights / weights.sum()).pvalue > 0.01


@pytest.mark.parametrize("scores", [[], [1.0, math.nan], [math.inf]])
def test_scores_that_are_no_scores_are_refused(scores: list[float]) -> None:
    with pytest.raises(ConfigError, match="finite"):
        exponential_choice(scores, epsilon=1.0, sensitivity=1.0, stream=stream())


@pytest.mark.parametrize(
    "scale", [0, -1, 0.5, True, Fraction(2**41), Fraction(2**55, 2**54 + 1)]
)
def test_scales_that_are_no_scales_are_refused(scale: Fraction) -> None:
    with pytest.raises(ConfigError):
        discrete_laplace(stream(), 1, scale=scale)


def test_nothing_is_drawn_for_nothing() -> None:
    assert gaussian(stream(), 0, sigma=1.0).shape == (0,)
    assert discrete_gaussian(stream(), 0, variance=Fraction(1)).shape == (0,)
