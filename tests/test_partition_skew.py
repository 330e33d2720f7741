"""Divisions by class, order, size and id: each index once, and the skew that was asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parity_flwr.app.partition import Parts
from parity_flwr.app.partition_skew import (
    from_partitioner,
    label_skew,
    minority,
    natural,
    quantity_skew,
    sequential,
    stratified,
)
from parity_flwr.errors import ConfigError, DataError

LABELS = np.random.default_rng(5).permutation(np.repeat(np.arange(10), 40))


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def assert_partition(parts: Parts, count: int) -> None:
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)), np.arange(count))
    assert all((np.diff(part) > 0).all() for part in parts)


def classes_of(parts: Parts) -> list[set[int]]:
    return [set(LABELS[part].tolist()) for part in parts]


@pytest.mark.parametrize(
    "divide",
    [
        partial(stratified, rng=generator()),
        sequential,
        partial(label_skew, classes=2, rng=generator()),
        partial(minority, rng=generator()),
        partial(quantity_skew, alpha=0.5, rng=generator()),
    ],
)
@pytest.mark.parametrize("parts", [7, 20])
def test_every_division_gives_each_example_to_one_client(
    divide: Callable[..., Parts], parts: int
) -> None:
    divided = divide(LABELS, parts=parts)
    assert len(divided) == parts
    assert_partition(divided, len(LABELS))


def test_stratified_clients_have_every_class_alike() -> None:
    for part in stratified(LABELS, parts=8, rng=generator()):
        assert np.bincount(LABELS[part]).tolist() == [5] * 10


def test_sequential_keeps_the_order() -> None:
    np.testing.assert_array_equal(np.concatenate(sequential(LABELS, parts=3)), np.arange(400))


@settings(max_examples=60)
@given(st.integers(1, 30), st.integers(1, 10), st.integers(0, 10**6))
def test_label_skew_gives_each_client_its_number_of_classes(
    parts: int, classes: int, seed: int
) -> None:
    if parts * classes < 10:
        with pytest.raises(ConfigError, match="classes each"):
            label_skew(LABELS, parts=parts, classes=classes, rng=generator(seed))
        return
    divided = label_skew(LABELS, parts=parts, classes=classes, rng=generator(seed))
    assert_partition(divided, len(LABELS))
    held = classes_of(divided)
    assert {len(each) for each in held} == {classes}
    holders = Counter(label for each in held for label in each)
    assert len(holders) == 10


def test_label_skew_divides_classes_evenly_where_the_cards_come_out() -> None:
    held = classes_of(label_skew(LABELS, parts=20, classes=2, rng=generator()))
    assert set(Counter(label for each in held for label in each).values()) <= {3, 4, 5}


def test_a_minority_has_the_last_classes_to_itself() -> None:
    held = classes_of(minority(LABELS, parts=20, rng=generator()))
    rare = [each for each in held if each == {8, 9}]
    assert len(rare) == 6
    assert all(each == set(range(8)) for each in held if each != {8, 9})


def test_quantity_skew_is_one_of_size_only() -> None:
    labels = np.repeat(np.arange(4), 1000)
    parts = quantity_skew(labels, parts=10, alpha=0.5, min_size=50, rng=generator())
    sizes = [len(part) for part in parts]
    assert min(sizes) >= 50
    assert max(sizes) > 10 * min(sizes)
    largest = labels[parts[int(np.argmax(sizes))]]
    np.testing.assert_allclose(np.bincount(largest) / len(largest), 0.25, atol=0.05)


def test_natural_ids_share_clients_by_size() -> None:
    ids = ["a"] * 5 + ["b"] * 3 + ["c"] * 2 + ["d"]
    assert [len(part) for part in natural(ids)] == [5, 3, 2, 1]
    two = natural(ids, parts=2)
    assert_partition(two, len(ids))
    assert [len(part) for part in two] == [6, 5]
    with pytest.raises(ConfigError):
        natural(ids, parts=5)


class Slices:
    """A partitioner in the shape of flwr-datasets': columns by name."""

    def __init__(self, *columns: list[int]) -> None:
        self._columns = columns
        self.num_partitions = len(columns)

    def load_partition(self, partition_id: int) -> dict[str, Any]:
        return {"index": self._columns[partition_id], "label": []}


def test_a_partitioner_object_is_taken_as_it_is() -> None:
    parts = from_partitioner(Slices([3, 0], [1]), rows=4)
    assert [part.tolist() for part in parts] == [[0, 3], [1]]


@pytest.mark.parametrize("bad", [Slices([0, 1], [1]), Slices([0], [4]), Slices([-1])])
def test_a_partitioner_that_gives_a_row_twice_or_none_there_is_refused(bad: Slices) -> None:
    with pytest.raises(DataError, match="number the rows"):
        from_partitioner(bad, rows=4)


def test_partitioners_of_flwr_datasets_are_accepted() -> None:
    datasets = pytest.importorskip("datasets")
    partitioners = pytest.importorskip("flwr_datasets.partitioner")
    chosen = partitioners.DirichletPartitioner(
        num_partitions=5, partition_by="label", alpha=1.0, min_partition_size=5, seed=1
    )
    table = {"label": LABELS.tolist(), "index": list(range(len(LABELS)))}
    chosen.dataset = datasets.Dataset.from_dict(table)
    assert_partition(from_partitioner(chosen, rows=len(LABELS)), len(LABELS))


@pytest.mark.parametrize(("share", "classes"), [(0.0, 2), (1.0, 2), (0.3, 0), (0.3, 10)])
def test_a_minority_of_nobody_is_refused(share: float, classes: int) -> None:
    with pytest.raises(ConfigError, match="minority"):
        minority(LABELS, parts=10, share=share, classes=classes, rng=generator())
