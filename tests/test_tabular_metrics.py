"""Metrics of a table: by hand, by scikit-learn, and where a class is missing."""

from __future__ import annotations

import numpy as np
import pytest

from parity_flwr.app.tabular.metrics import class_metrics, metric_notes, number_metrics

sklearn = pytest.importorskip("sklearn.metrics")


def test_two_classes_by_hand() -> None:
    """Ranks: one of four pairs of a yes and a no is the wrong way round."""
    yes = np.array([0.9, 0.4, 0.6, 0.1])
    y = np.array([1, 1, 0, 0])
    found = class_metrics(np.column_stack([1 - yes, yes]), y)
    assert found["accuracy"] == 0.5
    assert found["auc"] == 0.75
    assert found["f1"] == 0.5  # of yes: one right, one missed, one too many
    assert found["average_precision"] == pytest.approx((1 + 2 / 3) / 2)
    assert found["loss"] == pytest.approx(-np.log([0.9, 0.4, 0.4, 0.9]).mean())
    assert list(found) == ["accuracy", "auc", "f1", "average_precision", "loss"]


def test_more_classes_are_means_over_each_against_the_rest() -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 90)
    shares = rng.dirichlet([1, 1, 1], 90)
    found = class_metrics(shares, y)
    wanted = sklearn.roc_auc_score(y, shares, multi_class="ovr", average="macro")
    assert found["auc"] == pytest.approx(wanted)
    assert found["f1"] == pytest.approx(
        sklearn.f1_score(y, shares.argmax(axis=1), average="macro")
    )
    each = [sklearn.average_precision_score(y == k, shares[:, k]) for k in range(3)]
    assert found["average_precision"] == pytest.approx(np.mean(each))
    assert metric_notes(found, y, ("a", "b", "c")) == ()


def test_a_class_without_rows_is_left_out_and_said() -> None:
    y = np.array([0, 1, 0, 1])
    shares = np.array([[0.5, 0.3, 0.2], [0.1, 0.6, 0.3], [0.7, 0.2, 0.1], [0.2, 0.2, 0.6]])
    found = class_metrics(shares, y)
    pair = [sklearn.roc_auc_score(y == k, shares[:, k]) for k in (0, 1)]
    assert found["auc"] == pytest.approx(np.mean(pair))
    assert found["f1"] == pytest.approx(np.mean([1, 2 / 3, 0]))  # answered c once
    (note,) = metric_notes(found, y, ("a", "b", "c"))
    assert note == "auc, average_precision: without 'c', which the rows do not have"


@pytest.mark.parametrize("only", [0, 1])
def test_one_class_alone_has_no_curve(only: int) -> None:
    y = np.full(3, only)
    found = class_metrics(np.full((3, 2), 0.5), y)  # answers class 0
    assert set(found) == {"accuracy", "loss"} | ({"f1"} if only else set())
    (note,) = metric_notes(found, y, ("no", "yes"))
    gone = "auc, average_precision" if only else "auc, f1, average_precision"
    assert note == f"no {gone}: the rows have no {'no' if only else 'yes'!r}"


def test_numbers() -> None:
    y, predicted = np.array([1.0, 2.0, 6.0]), np.array([2.0, 2.0, 4.0])
    found = number_metrics(predicted, y)
    assert found == pytest.approx({"r2": 1 - 5 / 14, "rmse": (5 / 3) ** 0.5, "mae": 1.0})
    assert metric_notes(found, y, ()) == ()


def test_a_target_that_does_not_vary_has_no_r2() -> None:
    found = number_metrics(np.array([1.0, 2.0]), np.array([3.0, 3.0]))
    assert found == {"rmse": pytest.approx(2.5**0.5), "mae": 1.5}
    assert metric_notes(found, np.array([3.0, 3.0]), ()) == (
        "no r2: the target does not vary in the rows",
    )


def test_a_ruined_model_and_no_rows_have_no_metrics() -> None:
    shares = np.array([[np.nan, np.nan]])
    assert class_metrics(shares, np.array([0])) == {}
    assert number_metrics(np.array([np.inf]), np.array([1.0])) == {}
    (note,) = metric_notes({}, np.array([1.0]), ())
    assert note == "no metrics: the predictions are not finite"
    assert class_metrics(np.zeros((0, 2)), np.zeros(0, np.int64)) == {}
    assert metric_notes({}, np.zeros(0), ()) == ("no metrics: no rows",)
