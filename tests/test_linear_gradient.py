"""Gradient steps of linear models: the right slope, and the right place in the end."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from parity_flwr.core.linear import LinearTask, descend, mean_loss, predict_linear
from sample_tables import sample_table


def apart(found: Any, expected: Any) -> float:
    scale = max(1.0, float(np.abs(expected).max()))
    return float(np.abs(np.asarray(found) - expected).max()) / scale


@pytest.mark.parametrize("task", list(LinearTask))
def test_gradient_steps_reach_scikit_learns_optimum(task: LinearTask) -> None:
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.preprocessing import StandardScaler

    names = {"regression": "diabetes", "binary": "breast_cancer", "multiclass": "wine"}
    x, y = sample_table(names[task.value])
    x, n = StandardScaler().fit_transform(x), len(y)
    rows = {"regression": 1, "binary": 1, "multiclass": 3}[task.value]
    ridge = 0.05
    coef, intercept = descend(
        np.zeros((rows, x.shape[1])), np.zeros(rows), x, y, task,
        steps=6000, rate=1.0, ridge=ridge,
    )  # fmt: skip
    expected: Any
    if task is LinearTask.REGRESSION:
        expected = Ridge(alpha=ridge * n).fit(x, y)
    else:
        expected = LogisticRegression(C=1 / (ridge * n), tol=1e-10, max_iter=10_000).fit(x, y)
    assert apart(coef, np.atleast_2d(expected.coef_)) < 1e-4
    predicted = predict_linear(coef, intercept, x, task)
    if task is LinearTask.REGRESSION:
        assert apart(predicted[:, 0], expected.predict(x)) < 1e-4
    else:
        assert apart(predicted, expected.predict_proba(x)) < 1e-4
        assert mean_loss(coef, intercept, x, y, task) < np.log(rows + 1)


def test_the_gradient_is_the_slope_of_the_loss() -> None:
    rng = np.random.default_rng(6)
    x, y = rng.normal(size=(20, 3)), rng.integers(0, 3, 20)
    coef, intercept, h = rng.normal(size=(3, 3)), rng.normal(size=3), 1e-6
    wide = np.column_stack([x, np.ones(20)])
    curvature = 0.5 * np.linalg.norm(wide, 2) ** 2 / 20
    stepped, _ = descend(coef, intercept, x, y, LinearTask.MULTICLASS, steps=1, rate=1.0)
    slope = (coef - stepped) * curvature
    for i, j in [(0, 0), (1, 2), (2, 1)]:
        moved = coef.copy()
        moved[i, j] += h
        rise = mean_loss(moved, intercept, x, y, LinearTask.MULTICLASS)
        rise -= mean_loss(coef, intercept, x, y, LinearTask.MULTICLASS)
        assert rise / h == pytest.approx(slope[i, j], abs=1e-5)
