"""Noisy sums: what becomes of them, what they cannot be, and who is believed about charges."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flwr.app import Message, MetricRecord
from hypothesis import given, settings
from hypothesis import strategies as st

from flower_messages import node
from parity_flwr.clients import (
    ForestRelease,
    LinearRelease,
    ReleaseClient,
    Table,
    linear_estimator,
    load_forest,
    save_forest,
    to_sklearn,
)
from parity_flwr.core.forest import ForestLimits, check_trees, forest_values
from parity_flwr.core.privacy.adassp import Bounds
from parity_flwr.core.privacy.ledger import Budget, Unit
from parity_flwr.core.privacy.stream import RandomStream
from parity_flwr.core.privacy.sums_release import SUMS, SumsRelease, no_sums
from parity_flwr.core.records import Verdict
from parity_flwr.errors import BudgetError, ConfigError
from released_runs import BUDGET, CLASSES, CLIENTS, LINEAR, NUMBERS, TREES, rows, run
from trust_runs import Spoil, facts_of, record


@pytest.mark.parametrize("release", [LINEAR, CLASSES, NUMBERS], ids=["linear", "classes", "y"])
def test_the_mean_of_what_clients_drew_is_the_result(release: SumsRelease) -> None:
    found, journal = run(release)
    drawn = []
    for k in range(CLIENTS):
        table, stream = rows(k, release), RandomStream(bytes([k]) * 32)
        drawn.append(release.drawn(table.x, table.y, stream=stream))
    assert np.allclose(found, np.mean(drawn, axis=0), rtol=1e-12)
    assert [each.num_examples for each in facts_of(journal).values()] == [1] * CLIENTS
    charged = {(each.client, each.run, each.round) for each in journal.charged}
    assert charged == {(f"client-{k}", "list", 1) for k in range(CLIENTS)}


def test_statistics_become_a_fitted_estimator() -> None:
    quiet = LinearRelease(features=3, noise_multiplier=1e-6, bounds=Bounds(x=2.0))
    table = rows(0, quiet)
    exact = np.linalg.lstsq(np.c_[table.x, np.ones(400)], table.y + 0.25, rcond=None)[0]
    drawn = quiet.drawn(table.x, table.y + 0.25, stream=RandomStream(bytes(32)))
    model = quiet.fitted({SUMS: drawn}, clients=1)
    assert np.allclose(model["coef"][0], exact[:3], atol=1e-4)
    assert model["intercept"][0] == pytest.approx(exact[3], abs=1e-4)
    estimator = linear_estimator(model)
    assert np.allclose(estimator.predict(table.x), table.y + 0.25, atol=1e-3)


@pytest.mark.parametrize("release", [CLASSES, NUMBERS], ids=["classes", "numbers"])
def test_leaf_counts_become_a_forest_that_predicts_as_they_do(
    release: ForestRelease, tmp_path: Path
) -> None:
    pytest.importorskip("skops")
    found, _ = run(release)
    forest = release.fitted({SUMS: found}, clients=CLIENTS)
    check_trees(forest.nodes, forest.sizes, forest.schema, ForestLimits())  # agreeing too
    x = rows(50, release).x.astype(np.float32)
    counts = np.rint(found * CLIENTS).astype(np.int64)
    shares = TREES.probabilities(counts, x)
    expected = shares if release is CLASSES else shares @ np.array(release.steps)[:, None]
    values = forest_values(forest, x)
    assert np.allclose(values, expected, rtol=1e-12)
    save_forest(tmp_path / "model.skops", forest)
    for estimator in (to_sklearn(forest), load_forest(tmp_path / "model.skops")):
        if release is CLASSES:
            assert (estimator.predict_proba(x) == values).all()
            assert set(estimator.predict(x)) == {"a", "b"}
        else:
            assert (estimator.predict(x) == values[:, 0]).all()


@settings(max_examples=40)
@given(
    st.sampled_from([LINEAR, CLASSES, NUMBERS]),
    st.integers(0, 400),
    st.floats(0.001, 100),
    st.integers(0, 255),
)
def test_honest_sums_are_never_complained_about(
    release: Any, count: int, length: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(count, 3)) * length
    y = rng.integers(0, 2, count) if release is CLASSES else rng.normal(size=count) * length
    drawn = release.drawn(x, y, stream=RandomStream(bytes([seed]) * 32))
    assert drawn.shape == release.shape
    assert release.complaint(drawn) == ""


def test_without_an_intercept_the_rows_are_not_bounded_by_their_lengths() -> None:
    release = LinearRelease(features=2, noise_multiplier=1e-3, bounds=Bounds(intercept=False))
    x, y = np.full((5000, 2), 1e-4), np.ones(5000)
    drawn = release.drawn(x, y, stream=RandomStream(bytes(32)))
    assert release.complaint(drawn) == ""
    assert release.fitted({SUMS: drawn}, clients=1)["intercept"].tolist() == [0.0]


def changed(change: Callable[[np.ndarray], Any], *, examples: int = 1) -> Spoil:
    def spoil(reply: Message) -> list[Message]:
        arrays = {SUMS: change(reply.content.array_records["arrays"][SUMS].numpy().copy())}
        reply.content["arrays"] = record(arrays)
        reply.content["metrics"] = MetricRecord({"num-examples": examples})
        return [reply]

    return spoil


def with_first(value: float) -> Callable[[np.ndarray], np.ndarray]:
    def change(sums: np.ndarray) -> np.ndarray:
        sums.flat[0] = value
        return sums

    return change


HOSTILE: dict[str, tuple[SumsRelease, Spoil, str]] = {
    "NaN": (CLASSES, changed(with_first(math.nan)), "NaN"),
    "infinite": (LINEAR, changed(with_first(math.inf)), "infinite"),
    "half a row": (CLASSES, changed(with_first(0.5)), "not whole"),
    "negative": (CLASSES, changed(with_first(-1000.0)), "below what noise"),
    "many rows": (CLASSES, changed(with_first(1e6)), "more than 400 rows"),
    "another shape": (CLASSES, changed(lambda sums: sums[:1]), "shape"),
    "another dtype": (LINEAR, changed(lambda sums: sums.astype(np.float32)), "dtype"),
    "a heavy vote": (LINEAR, changed(lambda sums: sums, examples=10**6), "count once"),
    "no positive matrix": (LINEAR, changed(with_first(-1000.0)), "negative eigenvalue"),
    "X'X of many": (LINEAR, changed(with_first(1e6)), "more than 400 rows"),
    "X'y too long": (LINEAR, changed(lambda sums: sums + 1e5 * np.eye(14)[-1]), "X'y longer"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_sums_that_cannot_be_are_refused_with_the_reason(case: str) -> None:
    release, spoil, reason = HOSTILE[case]
    found, journal = run(release, spoil={1: spoil})
    facts = facts_of(journal)
    assert facts["client-1"].verdict is Verdict.QUARANTINED
    assert reason in facts["client-1"].reason
    others = [k for k in range(CLIENTS) if k != 1]
    drawn = []
    for k in others:
        table, stream = rows(k, release), RandomStream(bytes([k]) * 32)
        drawn.append(release.drawn(table.x, table.y, stream=stream))
    assert np.allclose(found, np.mean(drawn, axis=0), rtol=1e-12)


def test_a_second_round_is_beyond_the_budget_and_changes_nothing() -> None:
    once, _ = run(LINEAR)
    twice, journal = run(LINEAR, rounds=2)
    assert (once == twice).all()
    assert {each.reason for each in facts_of(journal, 2).values()} == {"error: BudgetError"}
    assert [each.round for each in journal.charged] == [1] * CLIENTS


def test_the_charge_stands_before_the_noise_is_drawn() -> None:
    class Failing(LinearRelease):
        def drawn(self, x: Any, y: Any, *, stream: RandomStream) -> Any:
            raise KeyboardInterrupt

    failing = Failing(features=3, noise_multiplier=LINEAR.noise_multiplier)
    context, table = node(0), rows(0, LINEAR)
    client = ReleaseClient(failing, train=table, context=context, budget=BUDGET)
    with pytest.raises(KeyboardInterrupt):
        client.fit([np.zeros(14)], {"server-round": 1})
    again = ReleaseClient(LINEAR, train=table, context=context, budget=BUDGET)
    assert again.ledger.spent() == pytest.approx(2.0, rel=1e-3)
    with pytest.raises(BudgetError):
        again.fit([np.zeros(14)], {"server-round": 1})


def test_a_client_without_rows_sends_noise_like_the_others() -> None:
    for release in (LINEAR, CLASSES):
        empty = Table(np.zeros((0, 3)), np.zeros(0, np.int64))
        client = ReleaseClient(release, train=empty, context=node(0), budget=BUDGET)
        (sums,), examples, _ = client.fit([no_sums(release)[SUMS]], {})
        assert (sums.shape, examples) == (release.shape, 1)
        assert np.abs(sums).max() > 0


@pytest.mark.parametrize(
    "make",
    [
        lambda: LinearRelease(features=0, noise_multiplier=1.0),
        lambda: LinearRelease(features=2, noise_multiplier=0.0),
        lambda: LinearRelease.promising(2, epsilon=math.inf, delta=1e-5),
        lambda: LinearRelease.promising(2, epsilon=1.0, delta=0.0),
        lambda: LinearRelease(features=2, noise_multiplier=1.0, most=0),
        lambda: ForestRelease(trees=TREES, noise_multiplier=1.0),
        lambda: ForestRelease(trees=TREES, classes=("a",), noise_multiplier=1.0),
        lambda: ForestRelease(trees=TREES, steps=(1.0,), noise_multiplier=1.0),
        lambda: ForestRelease(trees=TREES, steps=(1.0, 0.0), noise_multiplier=1.0),
        lambda: ForestRelease(trees=TREES, steps=(0.0, math.inf), noise_multiplier=1.0),
        lambda: ForestRelease(trees=TREES, classes=("a", "b"), noise_multiplier=math.nan),
        lambda: ForestRelease(trees=TREES, classes=("a", "b"), noise_multiplier=1e-3),
        lambda: ReleaseClient(
            LINEAR,
            train=rows(0, LINEAR),
            context=node(0),
            budget=Budget(epsilon=2.0, delta=1 / 400, unit=Unit.EXAMPLE),
        ),
    ],
)
def test_what_promises_nothing_is_refused(make: Callable[[], object]) -> None:
    with pytest.raises(ConfigError):
        make()
