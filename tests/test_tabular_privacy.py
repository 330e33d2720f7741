"""The budget of a table: noise on its encoding, and what that costs beside training."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from flwr.app import Context, RecordDict
from hypothesis import given, settings
from hypothesis import strategies as st

from parity_flwr.app.tabular.features import NumberRule
from parity_flwr.app.tabular.plan import Model, PrivacyAsked, TabularPlan
from parity_flwr.app.tabular.privacy import ENCODING_SHARE, NAMING_SHARE, TablePrivacy
from parity_flwr.app.tabular.private_encoding import (
    Noise,
    histograms,
    pooled_counts,
    private_encoder,
    text_columns,
)
from parity_flwr.app.tabular.reading import RawTable
from parity_flwr.clients import LinearRelease, ReleaseClient, Table
from parity_flwr.core.privacy.accounting import Accountant, Mechanism, Release, spent_epsilon
from parity_flwr.core.privacy.adassp import Bounds, adassp, statistics
from parity_flwr.core.privacy.mechanisms import gaussian_epsilon
from parity_flwr.core.privacy.noisy_statistics import (
    SENSITIVITY,
    fit_noisy,
    noisy_statistics,
    packed,
    packed_length,
)
from parity_flwr.core.privacy.presets import Level
from parity_flwr.core.privacy.stream import RandomStream
from parity_flwr.errors import BudgetError, ConfigError

QUIET = Noise(sigma=1e-9, threshold=1.5)


def promise(
    model: Model = Model.LOGISTIC, *, level: Level = Level.MEDIUM, names: bool = True
) -> TablePrivacy:
    asked = PrivacyAsked(level=level, delta=1e-5)
    plan = TabularPlan(data=Path("x.csv"), target="y", model=model, privacy=asked)
    found = TablePrivacy.of(plan, examples=[100, 900, 500], names=names)
    assert found is not None
    return found


def texts(*values: str | None) -> RawTable:
    return RawTable({"colour": np.array(values, object)})


@pytest.mark.parametrize("level", [Level.LOW, Level.MEDIUM, Level.HIGH])
def test_encoding_and_gaussian_training_share_the_budget_exactly(level: Level) -> None:
    privacy = promise(Model.LINEAR, level=level)
    training = privacy.training_multiplier(count=1)
    precision = privacy.encoding_multiplier**-2 + training**-2
    assert privacy.encoding_multiplier**-2 == pytest.approx(
        ENCODING_SHARE * precision, rel=1e-3
    )
    epsilon = gaussian_epsilon(privacy.budget.delta, noise_multiplier=precision**-0.5)
    assert privacy.budget.epsilon * 0.999 < epsilon <= privacy.budget.epsilon


@pytest.mark.parametrize(
    ("mechanism", "sampling", "count"),
    [(Mechanism.DISCRETE_LAPLACE, 1.0, 1), (Mechanism.GAUSSIAN, 0.2, 20)],
)
def test_other_training_fits_beside_the_encoding_by_both_accountants(
    mechanism: Mechanism, sampling: float, count: int
) -> None:
    privacy = promise()
    multiplier = privacy.training_multiplier(
        count=count, sampling=sampling, mechanism=mechanism
    )
    training = Release(
        noise_multiplier=multiplier, mechanism=mechanism, sampling=sampling, count=count
    )
    releases, delta = [privacy.encoding, training], privacy.budget.delta
    spent = spent_epsilon(releases, delta=delta)
    assert 2.99 < spent <= 3.0
    assert spent <= spent_epsilon(releases, delta=delta, accountant=Accountant.RDP)


def test_delta_is_divided_where_levels_may_be_named() -> None:
    with_texts, without = promise(), promise(names=False)
    assert with_texts.naming_delta == pytest.approx(NAMING_SHARE * 1e-5)
    assert with_texts.naming_delta + with_texts.budget.delta == pytest.approx(1e-5)
    assert (without.naming_delta, without.budget.delta) == (0.0, 1e-5)


def test_delta_is_below_one_over_the_largest_client() -> None:
    asked = PrivacyAsked(level=Level.LOW, delta=0.002)  # fits 100 rows, not 900
    plan = TabularPlan(data=Path("x.csv"), target="y", model=Model.LINEAR, privacy=asked)
    with pytest.raises(ConfigError, match="below 1/n for the 900"):
        TablePrivacy.of(plan, examples=[100, 900], names=False)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(-1e15, 1e15) | st.just(math.nan), min_size=1, max_size=9),
    st.floats(allow_infinity=False),
)
def test_one_row_is_in_one_bin(values: list[float], more: float) -> None:
    edges = np.array([-8.0, -1.0, 0.0, 1.0, 8.0])
    streams = [RandomStream(bytes(32))]
    counts = [
        pooled_counts([np.array(each)], edges, QUIET, streams).round().astype(int)
        for each in (values, [*values, more])
    ]
    moved = counts[1] - counts[0]
    assert sorted(np.abs(moved).tolist()) == [0] * (len(moved) - 1) + [1]
    assert counts[0][-1] == sum(math.isnan(each) for each in values)


def test_noise_grows_with_the_root_of_the_histograms() -> None:
    table = RawTable({"a": np.zeros(2), "b": np.ones(2), "c": np.array(["x", "y"], object)})
    assert (histograms(table), text_columns(table)) == (5, 1)
    noise = Noise.of(table, multiplier=3.0, delta=1e-6)
    assert noise.sigma == pytest.approx(3 * math.sqrt(5))
    assert noise.threshold == pytest.approx(1 + 4.753424 * noise.sigma, rel=1e-6)
    without = Noise.of(table.without("c"), multiplier=3.0, delta=0.0)
    assert (without.sigma, without.threshold) == (6.0, math.inf)


def test_a_level_of_one_row_is_named_as_rarely_as_promised() -> None:
    table = texts(*["common"] * 200, "canary")
    noise = Noise.of(table, multiplier=2.0, delta=0.05)
    named = sum("canary" in private_encoder([table], noise).names[1] for _ in range(1500))
    assert 45 < named < 105  # 75 expected


def test_numbers_are_standardised_by_what_the_counts_show() -> None:
    rng = np.random.default_rng(0)
    years = [np.floor(rng.uniform(1990, 2020, 4000)) for _ in range(3)]
    years[0][:400] = np.nan
    years[1][0] = 1e12  # one value far out is not seen
    tables = [RawTable({"year": each}) for each in years]
    encoder = private_encoder(tables, Noise(sigma=5.0, threshold=30.0))
    rule = encoder.rules["year"]
    assert isinstance(rule, NumberRule)
    assert rule.marked
    assert rule.mean == pytest.approx(2005, abs=40)
    assert 5 < rule.scale < 60
    encoded = encoder.encode(tables[1])
    assert np.abs(encoded).max() <= rule.limit


def test_columns_that_the_noise_hides_are_dropped_or_refused() -> None:
    rng = np.random.default_rng(1)
    table = RawTable({"seen": rng.normal(size=500), "all": np.array(["x"] * 250 + ["y"] * 250)})
    table = RawTable({**table.columns, "all": np.arange(500).astype(str).astype(object)})
    encoder = private_encoder([table], Noise(sigma=2.0, threshold=12.0))
    assert (tuple(encoder.rules), encoder.dropped) == (("seen",), ("all",))
    with pytest.raises(ConfigError, match="does not hide"):
        private_encoder([table], Noise(sigma=1e4, threshold=6e4))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(-1e6, 1e6), min_size=3, max_size=3),
    st.floats(-1e6, 1e6),
    st.floats(0.1, 10),
)
def test_one_row_moves_packed_statistics_by_their_sensitivity_at_most(
    x: list[float], y: float, bound: float
) -> None:
    bounds = Bounds(x=bound, y=3.0)
    one = packed(statistics(np.array([x]), np.array([y]), bounds=bounds), bounds=bounds)
    assert len(one) == packed_length(4)
    assert np.linalg.norm(one) <= SENSITIVITY


def test_statistics_that_clients_noised_fit_like_those_of_a_trusted_sum() -> None:
    rng = np.random.default_rng(0)
    x = rng.uniform(-0.4, 0.4, (20_000, 3))
    y = x @ np.array([0.9, -0.7, 0.5]) + 0.1
    bounds, multiplier = Bounds(), 2.0
    parts = [statistics(x[k::4], y[k::4], bounds=bounds) for k in range(4)]
    total = np.sum(
        [
            noisy_statistics(
                each,
                bounds=bounds,
                noise_multiplier=multiplier,
                stream=RandomStream(bytes([k] * 32)),
            )
            for k, each in enumerate(parts)
        ],
        axis=0,
    )
    fitted = fit_noisy(total, bounds=bounds, sigma=2 * multiplier * SENSITIVITY)
    trusted = adassp(
        parts[0] + parts[1] + parts[2] + parts[3],
        epsilon=400.0,
        delta=1e-6,
        bounds=bounds,
        stream=RandomStream(bytes(32)),
    ).coefficients
    assert np.abs(fitted - trusted).max() < 0.05
    assert np.abs(
        total - packed(parts[0] + parts[1] + parts[2] + parts[3], bounds=bounds)
    ).any()


def test_a_second_request_for_the_one_release_is_beyond_the_budget() -> None:
    privacy = promise(Model.LINEAR)
    context = Context(1, 1, {"partition-id": 2}, RecordDict(), {})
    release = LinearRelease(features=2, noise_multiplier=privacy.training_multiplier(count=1))
    client = ReleaseClient(
        release,
        train=Table(np.zeros((10, 2)), np.zeros(10)),
        context=context,
        budget=privacy.open_ledger(context, run="r").budget,
    )
    (sums,), examples, metrics = client.fit([np.zeros(9)], {"server-round": 1})
    assert (sums.shape, examples, metrics) == ((9,), 1, {})
    for _ in range(2):  # opened again for every message, charged once
        ledger = privacy.open_ledger(context, run="r").ledger
        assert [each.round for each in ledger.charges] == [0, 1]
    with pytest.raises(BudgetError):
        client.fit([np.zeros(9)], {"server-round": 2})
