"""What the hospitals gained: each one's own model beside the federated one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_flwr.app.benefit import AUC, Benefit, Participant, Predict, compare
from parity_flwr.clients import Table
from parity_healthcare.task import Settings

_STRENGTHS = (0.01, 0.1, 1.0, 10.0, 100.0)
_FOLDS = 5


def participants(settings: Settings) -> list[Participant]:
    """Return the hospitals with their true labels, and who of them is honest."""
    x, y = settings.patients.x, settings.patients.y
    return [
        Participant(
            name=hospital.name,
            train=Table(x[hospital.train], y[hospital.train]),
            test=Table(x[hospital.test], y[hospital.test]),
            honest=k not in settings.liars,
        )
        for k, hospital in enumerate(settings.divided)
    ]


def study(settings: Settings, model: Mapping[str, NDArray[Any]]) -> Benefit:
    """Compare the federated model with each hospital's own, without noise and well tuned.

    The reference "all rows in one place" is one model of all honest hospitals' training
    rows, without noise: what privacy, distance and the liar cost.
    """
    everybody = participants(settings)
    honest = [each.train for each in everybody if each.honest]
    pooled = Table(
        np.concatenate([each.x for each in honest]), np.concatenate([each.y for each in honest])
    )
    return compare(
        everybody,
        train=lambda each: own_model(each.train),
        federated=federated_model(model),
        references={"all rows in one place": own_model(pooled)},
    )


def pooled_auc(settings: Settings, model: Mapping[str, NDArray[Any]]) -> float:
    """Return a federated model's AUC on the held-out rows of all honest hospitals."""
    honest = [each for each in participants(settings) if each.honest]
    scores = federated_model(model)(np.concatenate([each.test.x for each in honest]))
    found = AUC(scores, np.concatenate([each.positive for each in honest]))
    return 0.5 if found is None else found


def federated_model(model: Mapping[str, NDArray[Any]]) -> Predict:
    """Return what the federated arrays predict: the probability of class 1."""
    (weight,) = (np.asarray(each, np.float64) for each in model.values())

    def predict(x: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        logits = np.asarray(x, np.float64) @ (weight[1] - weight[0])
        return np.asarray(1 / (1 + np.exp(-np.clip(logits, -500, 500))))

    return predict


def own_model(train: Table) -> Predict:
    """Train what a hospital can train alone: logistic regression, penalty by cross-validation.

    A hospital with patients of one class predicts that class's share for everybody.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV, StratifiedKFold

    rarest = int(np.bincount(np.asarray(train.y, np.int64), minlength=2).min())
    if rarest == 0:
        share = float(np.mean(train.y))
        return lambda x: np.full(len(x), share)
    model = LogisticRegression(max_iter=5000)
    if rarest > 1:
        folds = StratifiedKFold(min(_FOLDS, rarest), shuffle=True, random_state=0)
        model = GridSearchCV(model, {"C": _STRENGTHS}, cv=folds, scoring="neg_log_loss")
    model.fit(train.x, train.y)
    return lambda x: np.asarray(model.predict_proba(x)[:, 1], np.float64)
