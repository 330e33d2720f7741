"""Each participant's own model against the federated one, on the same held-out rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from parity_flwr.app.benefit.calibration import Calibration
from parity_flwr.app.benefit.participants import Participant, Predict, Train, predicted
from parity_flwr.app.benefit.ranking import AUC, Metric
from parity_flwr.app.benefit.records import Benefit, Gain, Reference
from parity_flwr.clients import Table
from parity_flwr.errors import ConfigError


def compare(
    participants: Sequence[Participant],
    *,
    train: Train,
    federated: Predict,
    metric: Metric = AUC,
    references: Mapping[str, Predict] | None = None,
) -> Benefit:
    """Return what each participant gains from the federated model over training alone.

    Every participant trains a model of its own; both models are judged on its own held-out
    rows (does it serve its own cases better?) and on those of all honest participants
    together (does it serve anybody's cases?). Own test sets are small: their figures scatter.

    Parameters
    ----------
    participants : sequence of Participant
        All of them; those that are not honest are listed, and left out of pool and median.
    train : callable
        Participant -> its own model. What "alone" may use (no noise, better tuning) is
        decided here, and belongs beside the figures.
    federated : callable
        The federated model.
    metric : Metric
        :data:`~parity_flwr.app.benefit.ranking.AUC` by default.
    references : mapping of str to callable, optional
        More models by name, for the pooled rows.

    Raises
    ------
    ConfigError
        If the honest participants' held-out rows are of one class, or a model returns
        something else than probabilities.

    Examples
    --------
    >>> rows = Table(np.array([[0.1], [0.6], [0.9]]), np.array([0, 0, 1]))
    >>> clinic = Participant(name="clinic", train=rows, test=rows)
    >>> found = compare([clinic], train=lambda _: lambda x: 1 - x[:, 0],
    ...                 federated=lambda x: x[:, 0])
    >>> found.federated_pooled, found.median_alone, found.gain
    (1.0, 0.0, 1.0)
    """
    pool = _Pool(participants, metric)
    gains = [_gain(each, train(each), federated, pool) for each in participants]
    judged = predicted(federated, pool.table)
    return Benefit(
        metric=metric.name,
        gains=tuple(gains),
        pooled_rows=len(pool.table),
        pooled_positives=int(pool.positive.sum()),
        federated_pooled=pool.figure(judged),
        calibration=Calibration.of(judged, pool.positive),
        references=tuple(
            _reference(name, each, pool) for name, each in (references or {}).items()
        ),
    )


class _Pool:
    """The held-out rows of all honest participants."""

    def __init__(self, participants: Sequence[Participant], metric: Metric) -> None:
        honest = [each.test for each in participants if each.honest]
        nobody = np.zeros(0, np.int64)  # so that no honest participant is no rows, no error
        labels = np.concatenate([nobody, *(np.asarray(each.y, np.int64) for each in honest)])
        self.metric = metric
        self.positive = labels == 1
        if not 0 < self.positive.sum() < len(self.positive):
            raise ConfigError(
                "pooled held-out rows need both classes",
                came=f"{int(self.positive.sum())} positive of {len(self.positive)}",
                action="hold out more rows, or check the labels",
            )
        self.table = Table(np.concatenate([each.x for each in honest]), labels)

    def figure(self, scores: NDArray[np.float64]) -> float:
        found = self.metric(scores, self.positive)
        assert found is not None  # noqa: S101 - both classes are there
        return found


def _gain(participant: Participant, alone: Predict, federated: Predict, pool: _Pool) -> Gain:
    test, positive = participant.test, participant.positive
    scores = predicted(alone, pool.table)
    return Gain(
        name=participant.name,
        honest=participant.honest,
        train_rows=len(participant.train),
        test_rows=len(test),
        test_positives=int(positive.sum()),
        alone_own=pool.metric(predicted(alone, test), positive),
        federated_own=pool.metric(predicted(federated, test), positive),
        alone_pooled=pool.figure(scores),
        alone_calibration_error=Calibration.of(scores, pool.positive).error,
    )


def _reference(name: str, predict: Predict, pool: _Pool) -> Reference:
    scores = predicted(predict, pool.table)
    error = Calibration.of(scores, pool.positive).error
    return Reference(name=name, pooled=pool.figure(scores), calibration_error=error)
