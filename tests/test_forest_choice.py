"""Which trees are believed: losses, copies, shares of the budget."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parity_flwr.clients import from_sklearn
from parity_flwr.core.forest import (
    BaggingConfig,
    Forest,
    ForestSchema,
    Nodes,
    agreed_losses,
    choose_trees,
    copies,
    forest_loss,
    poisoned,
    tree_losses,
)
from parity_flwr.core.forest.selection import quotas
from sample_tables import sample_table

sklearn = pytest.importorskip("sklearn")
from sklearn.ensemble import (  # noqa: E402
    RandomForestClassifier,
)


@pytest.fixture(scope="module")
def forest() -> Forest:
    x, y = sample_table("breast_cancer")
    return from_sklearn(RandomForestClassifier(5, random_state=0).fit(x, y))


def stump(values: tuple[float, float], threshold: float = 0.5) -> Nodes:
    """Return a tree of one question, for answers that can be computed by hand."""
    left, right = values
    return Nodes(
        left=np.array([1, -1, -1], np.int32),
        right=np.array([2, -1, -1], np.int32),
        feature=np.array([0, -2, -2], np.int32),
        threshold=np.array([threshold, -2, -2]),
        missing_left=np.zeros(3, np.uint8),
        impurity=np.zeros(3),
        samples=np.array([4, 2, 2]),
        weight=np.array([4.0, 2.0, 2.0]),
        values=np.array([[(left + right) / 2], [left], [right]]),
    )


def test_losses_by_hand() -> None:
    schema = ForestSchema(1)
    x, y = np.array([[0.0], [1.0]]), np.array([0.0, 2.0])
    forest = Forest.of(schema, [stump((0.0, 2.0)), stump((1.0, 1.0)), stump((2.0, 0.0))])
    # var(y) = 1; errors 0, 1 and 4.
    losses = tree_losses(forest, x, y)
    assert losses is not None
    assert losses.tolist() == [0.0, 1.0, 4.0]
    assert forest_loss(forest, x, y) == pytest.approx(0.0 + 1.0, abs=1e-12)
    assert tree_losses(forest, x, np.array([3.0, 3.0])) is None
    assert tree_losses(forest, x[:0], y[:0]) is None


def test_brier_of_classes_by_hand() -> None:
    x, y = sample_table("breast_cancer")
    grown = from_sklearn(RandomForestClassifier(1, bootstrap=False, random_state=0).fit(x, y))
    losses = tree_losses(grown, x, y)
    assert losses is not None
    assert losses.tolist() == [0.0]  # it knows its own data by heart
    wrong = tree_losses(grown, x, 1 - y)
    assert wrong is not None
    share = y.mean()
    assert wrong[0] == pytest.approx(1 / (share * (1 - share)))


def test_liars_under_half_of_the_weight_cannot_help_a_tree() -> None:
    honest = {f"h{k}": np.array([0.2 + 0.01 * k, 1.5 + 0.01 * k]) for k in range(7)}
    liars = {f"l{k}": np.array([10.0, 0.0]) for k in range(3)}
    weights = dict.fromkeys([*honest, *liars], 1.0)
    good, bad = agreed_losses({**honest, **liars}, weights, ["x", "y"])
    assert 0.2 <= good <= 0.26
    assert 1.5 <= bad <= 1.56
    nobody = agreed_losses(honest, dict.fromkeys(honest, 0.0), ["x", "y"])
    assert np.isnan(nobody).all()


def test_copies_are_found_exact_jittered_and_with_other_leaves(forest: Forest) -> None:
    trees = list(forest)
    jittered = replace(trees[1], threshold=trees[1].threshold * (1 + 1e-6))
    lying = replace(trees[2], values=trees[2].values[:, ::-1])
    found = copies([*trees, trees[0], jittered, lying], np.zeros(8))
    assert found.tolist() == [False] * 5 + [True] * 3
    ranks = np.array([0, 0, 0, 0, 0, -1, 0, 0])  # now the sixth came first
    assert copies([*trees, trees[0], jittered, lying], ranks).tolist()[0]


def test_small_trees_that_agree_by_chance_are_no_copies() -> None:
    one, other = stump((0.0, 1.0)), stump((0.1, 1.1))
    assert copies([one, other], np.zeros(2)).tolist() == [False, True]  # as many samples
    elsewhere = replace(other, samples=np.array([5, 2, 3]))
    assert not copies([one, elsewhere], np.zeros(2)).any()


@given(
    st.dictionaries(st.sampled_from("abcdef"), st.floats(0, 1), min_size=1),
    st.integers(0, 50),
    st.integers(0, 20),
)
def test_quotas_spend_at_most_the_budget(
    weights: dict[str, float], budget: int, each: int
) -> None:
    found = quotas(weights, dict.fromkeys(weights, each), budget)
    assert sum(found.values()) <= budget
    assert all(0 <= count <= each for count in found.values())
    assert all(found[name] == 0 for name, weight in weights.items() if weight == 0)


def test_the_best_trees_of_each_owner_are_chosen() -> None:
    owners = ["a"] * 3 + ["b"] * 3
    losses = np.array([0.3, 0.1, 0.2, 0.3, np.nan, 0.2])
    refused = np.array([False, False, False, False, False, True])
    config = BaggingConfig(budget=4)
    chosen = choose_trees(owners, losses, refused, {"a": 0.5, "b": 0.5}, config)
    assert chosen == [1, 2, 3, 4]
    assert choose_trees(owners, losses, refused, {"b": 1.0}, config) == [3, 4]


def test_poisoned_trees_are_told_by_the_spread() -> None:
    losses = np.array([0.30, 0.32, 0.28, 0.31, 0.9, np.nan])
    found = poisoned(losses, np.ones(6), BaggingConfig())
    assert found.tolist() == [False] * 4 + [True, False]
    assert not poisoned(losses, np.zeros(6), BaggingConfig()).any()
