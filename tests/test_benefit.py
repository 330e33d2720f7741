"""What participants gain over training alone: answers worked out by hand."""

from __future__ import annotations

import json
import math
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from parity_flwr.app.benefit import (
    AUC,
    AVERAGE_PRECISION,
    Benefit,
    Calibration,
    Participant,
    Predict,
    compare,
    draw,
    lines,
)
from parity_flwr.clients import Table
from parity_flwr.errors import ConfigError


def table(x: list[float], y: list[int]) -> Table:
    return Table(np.array(x, np.float64)[:, None], np.array(y, np.int64))


def first_column(x: NDArray[Any]) -> NDArray[np.float64]:
    return np.asarray(x[:, 0], np.float64)


def hospitals() -> list[Participant]:
    """Return two honest hospitals and one that is not; training sets of 1, 2 and 3 rows."""
    return [
        Participant(name="north", train=table([0], [0]), test=table([0.1, 0.9], [0, 1])),
        Participant(
            name="south", train=table([0] * 2, [0] * 2), test=table([0.4, 0.6], [1, 1])
        ),
        Participant(
            name="liar",
            train=table([0] * 3, [0] * 3),
            test=table([0.5, 0.7], [1, 0]),
            honest=False,
        ),
    ]


def found() -> Benefit:
    """Return a comparison in which only "south" has learnt something alone."""

    def train(participant: Participant) -> Predict:
        wrong = participant.name != "south"
        return lambda x: 1 - first_column(x) if wrong else first_column(x) / 2

    return compare(
        hospitals(),
        train=train,
        federated=first_column,
        references={"coin": lambda x: np.full(len(x), 0.5)},
    )


class TestComparing:
    def test_pool_and_median_are_the_honest_ones(self) -> None:
        benefit = found()
        # Pool: 0.1 (0), 0.9 (1), 0.4 (1), 0.6 (1): the negative scores least.
        assert (benefit.pooled_rows, benefit.pooled_positives) == (4, 3)
        assert benefit.federated_pooled == 1.0
        assert [each.alone_pooled for each in benefit.gains] == [0.0, 1.0, 0.0]
        assert benefit.median_alone == 0.5
        assert benefit.gain == 0.5
        assert benefit.references[0].pooled == 0.5
        assert benefit.references[0].calibration_error == 0.25

    def test_own_rows_of_one_class_say_nothing(self) -> None:
        north, south, liar = found().gains
        assert (north.alone_own, north.federated_own, north.own) == (0.0, 1.0, 1.0)
        assert (south.alone_own, south.federated_own, south.own) == (None, None, None)
        assert (liar.alone_own, liar.federated_own, liar.own) == (1.0, 0.0, -1.0)
        assert found().median_own_gain == 1.0

    def test_rows_are_counted(self) -> None:
        assert [each.train_rows for each in found().gains] == [1, 2, 3]
        assert [each.test_positives for each in found().gains] == [1, 2, 1]

    def test_json_has_the_derived_figures(self) -> None:
        data = json.loads(json.dumps(found().as_dict(), allow_nan=False))
        assert (data["gain"], data["median_alone"], data["metric"]) == (0.5, 0.5, "AUC")
        assert data["gains"][0]["own_gain"] == 1.0
        assert data["calibration"]["bins"][0]["rows"] == 1

    def test_a_pool_of_one_class_is_refused(self) -> None:
        one = Participant(name="one", train=table([0], [0]), test=table([0.1, 0.2], [1, 1]))
        with pytest.raises(ConfigError, match="2 positive of 2"):
            compare([one], train=lambda _: first_column, federated=first_column)

    def test_only_dishonest_participants_leave_no_pool(self) -> None:
        with pytest.raises(ConfigError, match="0 positive of 0"):
            compare(hospitals()[2:], train=lambda _: first_column, federated=first_column)

    @pytest.mark.parametrize(
        "wrong", [lambda x: x, lambda x: x[:1, 0], lambda x: np.full(len(x), np.nan)]
    )
    def test_a_model_returns_one_number_for_each_row(self, wrong: Any) -> None:
        with pytest.raises(ConfigError, match="finite probabilities"):
            compare(hospitals(), train=lambda _: first_column, federated=wrong)


class TestMetrics:
    def test_average_precision_takes_ties_together(self) -> None:
        scores = np.array([0.9, 0.5, 0.5, 0.1])
        positive = np.array([True, True, False, False])
        # One of one above 0.9; then two of three: (1 + 2/3) / 2.
        assert AVERAGE_PRECISION(scores, positive) == pytest.approx(5 / 6)
        assert AVERAGE_PRECISION(np.zeros(4), positive) == 0.5

    @given(st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=2, max_size=12))
    def test_metrics_agree_with_their_definitions(self, rows: list[tuple[Any, bool]]) -> None:
        scores = np.array([float(score) for score, _ in rows])
        positive = np.array([label for _, label in rows])
        if positive.all() or not positive.any():
            assert AUC(scores, positive) is None
            assert AVERAGE_PRECISION(scores, positive) is None
            return
        pairs = [
            0.5 if scores[i] == scores[j] else float((scores[i] > scores[j]) == positive[i])
            for i, j in combinations(range(len(rows)), 2)
            if positive[i] != positive[j]
        ]
        assert AUC(scores, positive) == pytest.approx(math.fsum(pairs) / len(pairs))
        at_each = [positive[scores >= scores[i]].mean() for i in np.flatnonzero(positive)]
        assert AVERAGE_PRECISION(scores, positive) == pytest.approx(np.mean(at_each))


class TestCalibration:
    def test_by_hand(self) -> None:
        probabilities = np.array([0.0, 0.2, 0.25, 0.75, 1.0])
        positive = np.array([False, False, True, True, False])
        calibration = Calibration.of(probabilities, positive, bins=2)
        low, high = calibration.bins
        assert (low.rows, low.observed) == (3, 1 / 3)
        assert low.predicted == pytest.approx(0.15)
        assert (high.rows, high.predicted, high.observed) == (2, 0.875, 0.5)
        assert calibration.error == pytest.approx((3 * (1 / 3 - 0.15) + 2 * 0.375) / 5)
        assert calibration.brier == pytest.approx((0.04 + 0.5625 + 0.0625 + 1) / 5)

    def test_certainty_that_is_right_has_no_error(self) -> None:
        calibration = Calibration.of(np.array([0.0, 1.0, 1.0]), np.array([False, True, True]))
        assert (calibration.error, calibration.brier) == (0.0, 0.0)

    @pytest.mark.parametrize("values", [[], [1.1], [-0.1], [math.nan, 0.5]])
    def test_what_is_no_probability_is_refused(self, values: list[float]) -> None:
        with pytest.raises(ConfigError, match="probabilities from 0 to 1"):
            Calibration.of(np.array(values), np.zeros(len(values), bool))

    @given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=30))
    def test_every_row_is_in_one_bin(self, rows: list[tuple[Any, bool]]) -> None:
        probabilities = np.array([each for each, _ in rows])
        calibration = Calibration.of(probabilities, np.array([label for _, label in rows]))
        assert sum(each.rows for each in calibration.bins) == len(rows)
        assert 0 <= calibration.error <= 1
        # |mean gap| <= mean |gap| over bins, and a bin's gap squared is at most its Brier part
        assert calibration.error**2 <= calibration.brier + 1e-12


class TestShowing:
    def test_the_table_is_narrow_and_says_who(self) -> None:
        shown = lines(found())
        assert max(map(len, shown)) <= 60
        assert all(each.isascii() for each in shown)
        assert any(each.startswith("*liar") for each in shown)
        south = next(each for each in shown if each.startswith("south"))
        assert south.split() == ["south", "2", "-", "-", "1.000"]
        assert any(each.endswith("0.500 (+0.500)") for each in shown)

    @pytest.mark.parametrize(("kind", "head"), [("png", b"\x89PNG"), ("svg", b"<?xml")])
    def test_a_picture_repeats_byte_by_byte(self, kind: Any, head: bytes) -> None:
        picture = draw(found(), title="three hospitals", kind=kind)
        assert picture.startswith(head)
        assert picture == draw(found(), title="three hospitals", kind=kind)
        assert len(picture) < 150_000
