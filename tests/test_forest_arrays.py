"""Forests as numbers: rebuilt bit for bit, and nothing else gets in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from parity_flwr.clients import from_sklearn, to_sklearn
from parity_flwr.core.forest import (
    FIELDS,
    Forest,
    ForestLimits,
    ForestSchema,
    bagged,
    decode_forest,
    encode_forest,
    forest_values,
    importances,
)
from parity_flwr.errors import ConfigError, DataError
from sample_tables import sample_table

sklearn = pytest.importorskip("sklearn")
from sklearn.ensemble import (  # noqa: E402
    ExtraTreesClassifier,
    RandomForestClassifier,
    RandomForestRegressor,
)


def cancer(missing: float = 0.0) -> tuple[NDArray[Any], NDArray[Any]]:
    x, y = sample_table("breast_cancer")
    x[np.random.default_rng(0).random(x.shape) < missing] = np.nan
    return x, np.array(["benign", "malign"])[y]


CASES: dict[str, tuple[Any, Callable[[], tuple[Any, Any]]]] = {
    "string classes": (RandomForestClassifier, cancer),
    "missing values": (RandomForestClassifier, lambda: cancer(missing=0.2)),
    "ten classes": (RandomForestClassifier, lambda: sample_table("digits")),
    "extra trees": (ExtraTreesClassifier, cancer),
    "regression": (RandomForestRegressor, lambda: sample_table("diabetes")),
}


def travelled(forest: Forest) -> Forest:
    """Return the forest as it comes out of its arrays."""
    return decode_forest(encode_forest(forest))


@pytest.mark.parametrize("name", CASES)
def test_the_rebuilt_forest_is_the_original_bit_for_bit(name: str) -> None:
    kind, load = CASES[name]
    x, y = load()
    original = kind(20, random_state=0).fit(x, y)
    rebuilt = to_sklearn(travelled(from_sklearn(original)))
    assert type(rebuilt).__name__ in ("RandomForestClassifier", "RandomForestRegressor")
    assert np.array_equal(rebuilt.predict(x), original.predict(x))
    assert np.array_equal(rebuilt.apply(x), original.apply(x))
    assert np.array_equal(rebuilt.feature_importances_, original.feature_importances_)
    if name != "regression":
        assert np.array_equal(rebuilt.predict_proba(x), original.predict_proba(x))
        assert rebuilt.classes_.tolist() == original.classes_.tolist()


@pytest.mark.parametrize("name", CASES)
def test_numpy_walks_as_scikit_learn_does(name: str) -> None:
    kind, load = CASES[name]
    x, y = load()
    original = kind(10, random_state=1).fit(x, y)
    forest = travelled(from_sklearn(original))
    expected = original.predict(x)[:, None] if forest.schema.regression else None
    expected = original.predict_proba(x) if expected is None else expected
    assert np.array_equal(forest_values(forest, x), expected)
    np.testing.assert_allclose(
        importances(forest), original.feature_importances_, rtol=0, atol=1e-12
    )


def test_missing_values_need_infinite_thresholds_and_the_arrays_hold_none() -> None:
    x, y = cancer(missing=0.2)
    forest = from_sklearn(RandomForestClassifier(50, random_state=0).fit(x, y))
    assert np.isinf(forest.nodes.threshold).any()
    assert all(np.isfinite(array).all() for array in encode_forest(forest).values())
    assert np.array_equal(travelled(forest).nodes.threshold, forest.nodes.threshold)


def test_a_class_that_nobody_saw_here_has_no_share() -> None:
    x, y = sample_table("digits")
    few = y < 3
    schema = ForestSchema.of(64, range(10))
    forest = from_sklearn(RandomForestClassifier(3, random_state=0).fit(x[few], y[few]), schema)
    assert travelled(forest).nodes.values.shape[1] == 10
    assert not forest.nodes.values[:, 3:].any()
    with pytest.raises(ConfigError, match="classes of its schema"):
        from_sklearn(
            RandomForestClassifier(1).fit(x[~few], y[~few]), ForestSchema.of(64, range(5))
        )


@pytest.fixture(scope="module")
def forest() -> Forest:
    x, y = sample_table("breast_cancer")
    return from_sklearn(RandomForestClassifier(5, random_state=0).fit(x, y))


def edited(name: str, at: Any, value: Any) -> Callable[[dict[str, NDArray[Any]]], None]:
    def edit(arrays: dict[str, NDArray[Any]]) -> None:
        arrays[name] = arrays[name].copy()
        arrays[name][at] = value

    return edit


def swapped(name: str, make: Callable[[NDArray[Any]], NDArray[Any]]) -> Callable[[Any], None]:
    def edit(arrays: dict[str, NDArray[Any]]) -> None:
        arrays[name] = make(arrays[name])

    return edit


HOSTILE = {
    "a child out of range": edited("left", 0, 10**8),
    "a child of another tree": edited("right", 0, 40),
    "a cycle": edited("left", 0, 0),
    "a child twice": edited("left", 0, 2),
    "a child before its parent": edited("right", 5, 1),
    "one child": edited("left", 0, -1),
    "a negative child": edited("left", 0, -7),
    "a feature too high": edited("feature", 0, 30),
    "a feature below 0": edited("feature", 0, -3),
    "a threshold that is NaN": edited("threshold", 0, np.nan),
    "a threshold of +inf unmarked": edited("threshold", 0, np.inf),
    "a threshold of -inf": edited("threshold", 0, -np.inf),
    "a threshold too large": edited("threshold", 0, 1e300),
    "a mark of 2": edited("unbounded", 0, 2),
    "threshold and mark": edited("unbounded", 0, 1),
    "missing values to 3": edited("missing_left", 0, 3),
    "a value that is NaN": edited("values", (0, 0), np.nan),
    "a share above 1": edited("values", 0, [1.5, -0.5]),
    "shares that sum to 2": edited("values", 0, [1.0, 1.0]),
    "no samples": edited("samples", 0, 0),
    "samples that do not add up": edited("samples", 0, 10**6),
    "negative samples": edited("samples", 0, -1),
    "a weight of 0": edited("weight", 0, 0.0),
    "an infinite weight": edited("weight", 0, np.inf),
    "an impurity that is NaN": edited("impurity", 0, np.nan),
    "sizes that say more": edited("sizes", 0, 10**9),
    "sizes that overflow": swapped("sizes", lambda a: np.full(5, 2**62)),
    "a size of 0": edited("sizes", 0, 0),
    "another format": edited("format", 0, 9),
    "other features": edited("format", 1, 5),
    "no features": edited("format", 1, 0),
    "classes that are no JSON": swapped("classes", lambda a: np.zeros(4, np.uint8)),
    "one class": swapped("classes", lambda a: np.frombuffer(b"[1]", np.uint8)),
    "classes that are lists": swapped("classes", lambda a: np.frombuffer(b"[[1],[2]]", "u1")),
    "deep JSON": swapped("classes", lambda a: np.frombuffer(b"[" * 100_000, np.uint8)),
    "a column too short": swapped("impurity", lambda a: a[:-1]),
    "a column of another dtype": swapped("left", lambda a: a.astype(np.int64)),
    "values of another width": swapped("values", lambda a: a[:, :1]),
    "values in three dimensions": swapped("values", lambda a: a[..., None]),
    "a table of lies": swapped("values", lambda a: np.ascontiguousarray(a[:, ::-1])),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_nothing_but_forests_gets_in(name: str, forest: Forest) -> None:
    arrays = encode_forest(forest)
    HOSTILE[name](arrays)
    if name == "a table of lies":  # a whole table may lie; only validators find that out
        assert len(decode_forest(arrays, schema=forest.schema)) == 5
        return
    with pytest.raises(DataError):
        decode_forest(arrays, schema=forest.schema)


def test_leaves_changed_alone_are_found_and_may_be_allowed(forest: Forest) -> None:
    leaf = forest.nodes.is_leaf[:, None]
    lies = np.where(leaf, forest.nodes.values[:, ::-1], forest.nodes.values)
    arrays = encode_forest(replace(forest, nodes=replace(forest.nodes, values=lies)))
    with pytest.raises(DataError, match="mean of the children"):
        decode_forest(arrays)
    assert len(decode_forest(arrays, limits=ForestLimits(agreeing=False))) == 5


@pytest.mark.parametrize("limits", [{"trees": 4}, {"nodes": 50}, {"depth": 2}])
def test_limits_hold(limits: dict[str, Any], forest: Forest) -> None:
    with pytest.raises(DataError, match=r"at most|1 to"):
        decode_forest(encode_forest(forest), limits=ForestLimits(**limits))


def test_an_array_missing_or_too_many_is_refused(forest: Forest) -> None:
    arrays = encode_forest(forest)
    assert list(arrays) == list(FIELDS)
    with pytest.raises(DataError, match="the arrays"):
        decode_forest({**arrays, "extra": np.zeros(1)})
    del arrays["left"]
    with pytest.raises(DataError, match="the arrays"):
        decode_forest(arrays)


@given(st.binary(min_size=1, max_size=40), st.sampled_from(list(FIELDS)), st.integers(0, 10**6))
def test_any_bytes_anywhere_are_refused_or_harmless(data: bytes, name: str, at: int) -> None:
    """Whatever an attacker writes into a column, the result is a refusal or a forest."""
    x, y = sample_table("breast_cancer")
    grown = from_sklearn(RandomForestClassifier(1, max_depth=2, random_state=0).fit(x, y))
    arrays = encode_forest(grown)
    raw = arrays[name].copy().reshape(-1).view(np.uint8)
    start = at % raw.size
    raw[start : start + len(data)] = np.frombuffer(data, np.uint8)[: raw.size - start]
    arrays[name] = raw.view(arrays[name].dtype).reshape(arrays[name].shape)
    try:
        found = decode_forest(arrays, schema=grown.schema)
    except DataError:
        return
    assert np.isfinite(forest_values(found, x)).all()


@pytest.mark.parametrize(
    "classes", [(1,), (1, 1), ("a", 1), (float("nan"), 1.0), ("x" * 2000, "y"), (None, 1)]
)
def test_schemas_that_make_no_sense_are_refused(classes: tuple[Any, ...]) -> None:
    with pytest.raises(ConfigError, match="classes"):
        ForestSchema(3, classes)


def test_forests_of_two_schemas_are_not_bagged(forest: Forest) -> None:
    assert len(bagged([forest, forest])) == 10
    with pytest.raises(ConfigError, match="one schema"):
        bagged([forest, Forest.of(ForestSchema(3), [])])
