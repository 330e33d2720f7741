"""Accounting: the same epsilon as dp-accounting's own events, and as the closed form."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from parity_flwr.core.privacy.accounting import (
    Accountant,
    Mechanism,
    Release,
    Selection,
    affordable_count,
    amplification,
    calibrated_multiplier,
    spent_epsilon,
    within_budget,
)
from parity_flwr.core.privacy.composition import compare_compositions
from parity_flwr.core.privacy.ledger import Budget, Charge, Ledger
from parity_flwr.errors import ConfigError

dp = pytest.importorskip("dp_accounting")
DELTA = 1e-5


def random_schedule(rng: np.random.Generator) -> list[Release]:
    """Return one to four kinds of Gaussian releases, some of them Poisson-sampled."""
    return [
        Release(
            noise_multiplier=float(rng.uniform(1.5, 20)),
            sampling=float(rng.choice([1.0, 1.0, rng.uniform(0.01, 0.5)])),
            count=int(rng.integers(1, 60)),
        )
        for _ in range(int(rng.integers(1, 5)))
    ]


def by_events(schedule: list[Release]) -> float:
    """Return the epsilon of dp-accounting's own composition of events."""
    from dp_accounting.pld import PLDAccountant

    accountant = PLDAccountant()
    for each in schedule:
        event: Any = dp.GaussianDpEvent(each.noise_multiplier)
        if each.sampling < 1:
            event = dp.PoissonSampledDpEvent(each.sampling, event)
        accountant.compose(event, each.count)
    return float(accountant.get_epsilon(DELTA))


def by_ledger(schedule: list[Release]) -> float:
    """Return what a ledger says that was charged release by release."""
    ledger = Ledger(budget=Budget(epsilon=400.0, delta=DELTA))
    for number, each in enumerate(schedule):
        charge = Charge(
            run="r",
            round=number + 1,
            noise_multiplier=each.noise_multiplier,
            sampling=each.sampling,
            count=each.count,
        )
        ledger = ledger.charged(charge)
    return ledger.spent()


@pytest.mark.slow
def test_epsilon_equals_dp_accounting_over_random_schedules() -> None:
    rng = np.random.default_rng(0)  # the first of the drill's 200
    for _ in range(4):
        schedule = random_schedule(rng)
        assert by_ledger(schedule) == pytest.approx(by_events(schedule), rel=1e-3)


def test_full_participation_is_the_exact_conversion_of_mu() -> None:
    from scipy.optimize import brentq
    from scipy.stats import norm

    rng = np.random.default_rng(7)
    for _ in range(200):
        releases = [
            Release(noise_multiplier=float(z), count=int(k))
            for z, k in zip(rng.uniform(0.8, 30, 3), rng.integers(1, 50, 3), strict=True)
        ]
        mu = math.sqrt(sum(r.count / r.noise_multiplier**2 for r in releases))

        def excess(epsilon: float, mu: float = mu) -> float:
            first = norm.cdf(mu / 2 - epsilon / mu)
            return float(first - math.exp(epsilon) * norm.cdf(-mu / 2 - epsilon / mu)) - DELTA

        exact = brentq(excess, 1e-9, 600, xtol=1e-12)
        assert spent_epsilon(releases, delta=DELTA) == pytest.approx(exact, rel=1e-6)


def test_rdp_is_never_below_and_not_far_above() -> None:
    rng = np.random.default_rng(3)
    for _ in range(4):
        schedule = random_schedule(rng)
        tight = spent_epsilon(schedule, delta=DELTA)
        loose = spent_epsilon(schedule, delta=DELTA, accountant=Accountant.RDP)
        assert tight <= loose < 1.6 * tight + 0.5


def test_published_figures() -> None:
    sampled = Release(noise_multiplier=1.0, sampling=1 / 64, count=640)
    assert spent_epsilon([sampled], delta=DELTA) == pytest.approx(2.391, abs=0.002)
    renyi = spent_epsilon([sampled], delta=DELTA, accountant=Accountant.RDP)
    assert renyi == pytest.approx(2.720, abs=0.002)


def test_compositions_side_by_side() -> None:
    found = compare_compositions(noise_multiplier=8.0, count=100, delta=DELTA)
    assert found.pld == pytest.approx(5.68, abs=0.01)
    assert found.rdp == pytest.approx(6.12, abs=0.01)
    assert found.pld < found.rdp < found.basic < found.advanced


def optimal(epsilon: float, count: int) -> float:
    """Return the epsilon at DELTA of that many epsilon-DP mechanisms, whatever they are.

    Kairouz, Oh, Viswanath 2015: randomised response is the worst of them; k of ``count``
    answers are true under one hypothesis, false under the other.
    """
    from scipy.optimize import brentq
    from scipy.stats import binom

    k = np.arange(count + 1)
    true = 1 / (1 + math.exp(-epsilon))
    one, other = binom.pmf(k, count, true), binom.pmf(k, count, 1 - true)
    excess = lambda e: float(np.maximum(0, one - math.exp(e) * other).sum()) - DELTA  # noqa: E731
    root: Any = brentq(excess, 1e-6, 50)
    return float(root)


def test_laplace_counts_as_pure_and_discrete_gaussian_as_renyi() -> None:
    laplace = Release(noise_multiplier=2.0, mechanism=Mechanism.LAPLACE)
    assert spent_epsilon([laplace], delta=1e-9) == pytest.approx(0.5, abs=1e-3)
    many = Release(noise_multiplier=10.0, mechanism=Mechanism.DISCRETE_LAPLACE, count=100)
    assert spent_epsilon([many], delta=DELTA) == pytest.approx(optimal(0.1, 100), rel=1e-3)
    twin = Release(noise_multiplier=10.0, count=100)
    discrete = Release(noise_multiplier=10.0, mechanism=Mechanism.DISCRETE_GAUSSIAN, count=100)
    assert spent_epsilon([discrete], delta=DELTA) == spent_epsilon(
        [twin], delta=DELTA, accountant=Accountant.RDP
    )


def test_only_poisson_sampling_amplifies() -> None:
    assert amplification(Selection.POISSON, fraction=0.1) == 0.1
    assert amplification(Selection.FIXED_SIZE, fraction=0.1) == 1.0
    assert amplification(Selection.ALL, fraction=0.1) == 1.0
    with pytest.raises(ConfigError, match="Gaussian"):
        Release(noise_multiplier=1.0, mechanism=Mechanism.LAPLACE, sampling=0.5)


@pytest.mark.parametrize(("epsilon", "sampling"), [(0.1, 1.0), (8.0, 1.0), (1.0, 0.2)])
def test_calibrated_noise_fits_the_budget_and_no_less_does(
    epsilon: float, sampling: float
) -> None:
    z = calibrated_multiplier(epsilon, delta=DELTA, count=20, sampling=sampling)
    fits = [Release(noise_multiplier=z, sampling=sampling, count=20)]
    assert within_budget(fits, epsilon=epsilon, delta=DELTA)
    less = [Release(noise_multiplier=z * 0.99, sampling=sampling, count=20)]
    assert not within_budget(less, epsilon=epsilon, delta=DELTA)


@pytest.mark.parametrize("sampling", [1.0, 0.3])
def test_affordable_count_is_the_last_that_fits(sampling: float) -> None:
    release = Release(noise_multiplier=4.0, sampling=sampling)
    count = affordable_count(release, before=[], epsilon=2.0, delta=DELTA, most=500)
    assert 0 < count < 500

    def cost(rounds: int) -> float:
        many = Release(noise_multiplier=4.0, sampling=sampling, count=rounds)
        return spent_epsilon([many], delta=DELTA)

    assert cost(count) <= 2.0 < cost(count + 1)
    assert affordable_count(release, before=[], epsilon=2.0, delta=DELTA, most=3) == 3


def test_no_release_costs_nothing() -> None:
    assert spent_epsilon([], delta=DELTA) == 0.0
