"""The audit: canaries find missing noise and missing clipping, and not what is in order."""

from __future__ import annotations

import math

import numpy as np
import pytest

from parity_flwr.core.privacy.audit import audited_epsilon
from parity_flwr.core.privacy.central import CentralPrivacy, release
from parity_flwr.core.privacy.local import LocalPrivacy
from parity_flwr.core.privacy.mechanisms import gaussian_epsilon
from parity_flwr.core.privacy.stream import RandomStream
from parity_flwr.core.rows import MatrixRows
from parity_flwr.errors import ConfigError

CANARIES, SIZE, DELTA = 600, 2500, 1e-5
CLAIMED = 2.0  # noise multiplier


def canary_scores(
    *, multiplier: float, length: float = 1.0, clip: float = 1.0, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Release one round of DP-FedAvg with random canary clients; score each of them."""
    rng = np.random.default_rng(seed)
    canaries = rng.standard_normal((CANARIES, SIZE))
    canaries /= np.linalg.norm(canaries, axis=1, keepdims=True)
    inside = rng.random(CANARIES) < 0.5
    rows = (canaries[inside] * length).astype(np.float32)
    privacy = CentralPrivacy(
        epsilon=100.0, delta=1e-4, clip=clip, clients=CANARIES, rounds=1, noise_multiplier=1.0
    )
    released = release(
        MatrixRows(rows),
        norms=np.linalg.norm(rows.astype(np.float64), axis=1),
        clip=clip,
        privacy=privacy,
        multiplier=multiplier / clip,  # a broken clip must not bring its own noise along
        stream=RandomStream(seed.to_bytes(32, "big")),
    )
    scores = canaries @ released.update
    return scores[inside], scores[~inside]


def claimed() -> float:
    return gaussian_epsilon(DELTA, noise_multiplier=CLAIMED)


@pytest.mark.parametrize("seed", range(3))
def test_honest_noise_stays_under_the_claim(seed: int) -> None:
    found = audited_epsilon(*canary_scores(multiplier=CLAIMED, seed=seed), delta=DELTA)
    assert found < claimed()


@pytest.mark.parametrize("seed", range(3))
def test_a_tenth_of_the_noise_is_found(seed: int) -> None:
    found = audited_epsilon(*canary_scores(multiplier=CLAIMED / 10, seed=seed), delta=DELTA)
    assert found > claimed()


def test_missing_clipping_is_found() -> None:
    scores = canary_scores(multiplier=CLAIMED, length=30.0, clip=1e6)
    assert audited_epsilon(*scores, delta=DELTA) > claimed()
    clipped = canary_scores(multiplier=CLAIMED, length=30.0)
    assert audited_epsilon(*clipped, delta=DELTA) < claimed()


def test_the_bound_rises_as_the_noise_falls() -> None:
    found = [
        audited_epsilon(*canary_scores(multiplier=z, seed=1), delta=DELTA)
        for z in (4.0, 0.5, 0.05)
    ]
    assert found[0] <= found[1] < found[2]


def test_local_noise_hides_one_update_and_its_absence_does_not() -> None:
    privacy = LocalPrivacy(epsilon=2.0, delta=DELTA, clip=1.0, rounds=1)
    rng = np.random.default_rng(0)
    canary = rng.standard_normal(100)
    canary /= np.linalg.norm(canary)
    stream = RandomStream(bytes(32))
    noisy = [
        np.array([canary @ privacy.noised(sign * canary, stream) for _ in range(400)])
        for sign in (1.0, -1.0)
    ]
    assert audited_epsilon(*noisy, delta=DELTA) < 2.0
    assert audited_epsilon(np.full(400, 1.0), np.full(400, -1.0), delta=DELTA) > 2.0


def test_by_hand_all_of_n_right_refutes_what_makes_it_likely() -> None:
    # All 100 guesses right have probability p^100 with p = e^eps/(1 + e^eps); 5 % at 0.9705.
    found = audited_epsilon(np.ones(50), np.zeros(50), delta=1e-12, guesses=100)
    p = 0.05 ** (1 / 100)
    assert found == pytest.approx(math.log(p / (1 - p)), abs=1e-3)


def test_a_true_claim_is_refuted_in_few_of_many_audits() -> None:
    rng = np.random.default_rng(0)
    epsilon = 1.0
    refuted = 0
    for _ in range(200):  # randomised response: exactly epsilon-DP, the worst there is
        inside = rng.random(200) < 0.5
        told = np.where(rng.random(200) < 1 / (1 + math.exp(-epsilon)), inside, ~inside)
        scores = told + 0.1 * rng.random(200)
        found = audited_epsilon(scores[inside], scores[~inside], delta=1e-9, guesses=200)
        refuted += found > epsilon
    assert 0 < refuted <= 20  # 5 % of 200, and some luck


def test_too_few_canaries_are_refused() -> None:
    with pytest.raises(ConfigError):
        audited_epsilon(np.ones(2), np.zeros(2), delta=DELTA, guesses=10)
    with pytest.raises(ConfigError):
        audited_epsilon(np.array([math.nan] * 9), np.zeros(9), delta=DELTA)
