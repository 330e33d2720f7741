"""The figures behind the live table and the report: rows, charts, tables, baselines."""

from __future__ import annotations

import itertools
import json
import random
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parity_flwr.app.report.baselines import Baseline, Baselines, baselines_json, read_baselines
from parity_flwr.app.report.charts import Series, line_chart, nice_ticks, sparkline, thin
from parity_flwr.app.report.tables import MAX_CLIENTS, MAX_ROUNDS, natural, timeline
from parity_flwr.app.report.view import (
    Outcome,
    client_rows,
    excluded_identities,
    headline_metric,
    metric_curve,
    tally,
)
from parity_flwr.core.records import EvaluationRecord, Verdict
from parity_flwr.errors import JournalError
from sample_runs import (
    sample_round,
    sample_rounds,
)


class TestView:
    def test_an_accepted_reply_without_a_say_is_excluded(self) -> None:
        rows = {row.identity: row for row in client_rows(sample_round(4, ["a", "b", "c", "d"]))}
        assert rows["a"].outcome is Outcome.QUARANTINED
        assert rows["b"].outcome is Outcome.EXCLUDED
        assert rows["b"].reason == "low reputation"
        assert rows["d"].outcome is Outcome.ACCEPTED
        assert rows["d"].reason == ""

    def test_a_ban_is_named(self) -> None:
        rows = {row.identity: row for row in client_rows(sample_round(6, ["a", "b", "c", "d"]))}
        assert rows["b"].reason == "banned"

    def test_a_debt_excludes_and_is_named(self) -> None:
        record = sample_round(1, ["a", "b", "c", "d"])
        fallen = replace(record.state.standings["d"], composite=700.0, owed=3)
        standings = {**record.state.standings, "d": fallen}
        decisions = [replace(each, excluded=True) for each in record.decision.replies]
        record = replace(
            record,
            state=replace(record.state, standings=standings),
            decision=replace(record.decision, replies=tuple(decisions)),
        )
        assert "d" in excluded_identities(record, threshold=200.0)
        reasons = {row.identity: row.reason for row in client_rows(record)}
        assert reasons["d"] == "low reputation, owes 3 clean rounds"

    def test_an_outlying_update_is_named(self) -> None:
        rows = {row.identity: row for row in client_rows(sample_round(1, ["a", "b", "c", "d"]))}
        assert rows["b"].outcome is Outcome.ACCEPTED
        assert rows["b"].reason == "outlying update, penalty 0.2"

    def test_every_verdict_has_an_outcome(self) -> None:
        assert {verdict.value for verdict in Verdict} < {kind.value for kind in Outcome}

    def test_a_reply_without_decision_or_standing_is_shown(self) -> None:
        record = sample_round(1, ["a"], liars=0)
        bare = replace(
            record,
            decision=replace(record.decision, replies=()),
            state=replace(record.state, standings={}),
        )
        (row,) = client_rows(bare)
        assert (row.weight, row.scores, row.composite) == (0.0, None, None)

    def test_tally_counts_in_order(self) -> None:
        counts = tally(client_rows(sample_round(4, [f"n{i}" for i in range(6)])))
        assert list(counts.items()) == [
            (Outcome.ACCEPTED, 2),
            (Outcome.EXCLUDED, 2),
            (Outcome.QUARANTINED, 1),
            (Outcome.MISSING, 1),
        ]

    def test_excluded_are_those_below_the_threshold_or_banned(self) -> None:
        record = sample_round(10, [f"n{i}" for i in range(6)])
        assert excluded_identities(record, threshold=200.0) == ("n0", "n1", "n2")
        assert excluded_identities(record, threshold=0.0) == ("n1",)

    def test_the_servers_accuracy_comes_first(self) -> None:
        evaluations = [
            EvaluationRecord(round=1, source="clients", metrics={"accuracy": 0.9}),
            EvaluationRecord(round=1, source="server", metrics={"loss": 1.0, "acc": 0.5}),
        ]
        assert headline_metric(evaluations) == ("server", "acc")
        assert headline_metric(evaluations[:1]) == ("clients", "accuracy")
        assert headline_metric([]) is None

    def test_a_count_of_examples_is_no_quality(self) -> None:
        only = EvaluationRecord(round=1, source="clients", metrics={"num-examples": 9.0})
        assert headline_metric([only]) is None

    def test_a_curve_leaves_out_what_is_not_finite(self) -> None:
        evaluations = [
            EvaluationRecord(round=number, source="server", metrics={"loss": value})
            for number, value in enumerate([1.0, float("nan"), float("inf"), 0.5])
        ]
        assert metric_curve(evaluations, source="server", name="loss") == ((0, 1.0), (3, 0.5))


class TestCharts:
    @given(
        st.floats(-1e6, 1e6, allow_nan=False),
        st.floats(1e-6, 1e6, allow_nan=False),
    )
    def test_ticks_cover_the_range(self, low: float, span: float) -> None:
        ticks = nice_ticks(low, low + span)
        slack = 1e-6 * max(abs(low), span)
        assert ticks[0] <= low + slack
        assert ticks[-1] >= low + span - slack
        assert 2 <= len(ticks) <= 8
        assert list(ticks) == sorted(set(ticks))

    def test_ticks_of_one_value_are_two(self) -> None:
        assert len(nice_ticks(5.0, 5.0)) >= 2

    def test_thinning_keeps_both_ends(self) -> None:
        points = [(float(i), 0.0) for i in range(1000)]
        kept = thin(points, limit=10)
        assert len(kept) == 10
        assert (kept[0], kept[-1]) == (points[0], points[-1])

    def test_a_line_ends_where_its_last_point_lies(self) -> None:
        points = [(0, 0.0), (10, 1.0)]
        series = [Series(label="a", points=points, css="ours")]
        chart = line_chart(series, key="k", title="t", description="d", y_range=(0.0, 1.0))
        assert chart is not None
        assert chart.lines[0].end == (chart.right, chart.top)
        assert chart.lines[0].path == (
            f"M{chart.left:.1f} {chart.bottom:.1f} L{chart.right:.1f} {chart.top:.1f}"
        )

    def test_labels_keep_apart_and_inside(self) -> None:
        series = [Series(label=str(i), points=[(0, 0.5)], css="ours") for i in range(14)]
        chart = line_chart(series, key="k", title="t", description="d", y_range=(0.0, 1.0))
        assert chart is not None
        heights = sorted(line.label_y for line in chart.lines if line.label_y is not None)
        assert all(b - a >= 14.9 for a, b in itertools.pairwise(heights))
        assert heights[-1] <= chart.bottom

    def test_labels_at_the_bottom_do_not_lift_the_others(self) -> None:
        lows = [Series(label=str(i), points=[(0, 0.0)], css="flagged") for i in range(3)]
        high = Series(label="high", points=[(0, 1.0)], css="ours")
        chart = line_chart(
            [*lows, high], key="k", title="t", description="d", y_range=(0.0, 1.0)
        )
        assert chart is not None
        assert chart.lines[-1].label_y == chart.top

    def test_nothing_to_draw_is_no_chart(self) -> None:
        empty = [Series(label="a", points=[], css="ours")]
        assert line_chart(empty, key="k", title="t", description="d") is None
        assert sparkline([], high=1.0) == ""

    def test_one_value_is_a_flat_sparkline(self) -> None:
        assert sparkline([1000.0], high=1000.0) == "M1.0 1.0 L95.0 1.0"


class TestTables:
    def test_names_sort_as_people_count(self) -> None:
        names = ["site-10", "site-2", "a", "site-1", "7"]
        assert sorted(names, key=natural) == ["7", "a", "site-1", "site-2", "site-10"]

    @given(st.lists(st.text(alphabet="01a٣²-", max_size=4), unique=True), st.randoms())
    def test_the_order_of_any_names_is_one(self, names: list[str], rng: random.Random) -> None:
        shuffled = rng.sample(names, len(names))
        assert sorted(shuffled, key=natural) == sorted(names, key=natural)

    def test_a_timeline_has_a_letter_in_every_cell(self) -> None:
        lines = timeline(sample_rounds(count=10), excluded=["site-2"])
        assert lines.rows[0][0] == "site-2"
        assert all(len(cells) == 10 for _, cells in lines.rows)
        letters = {cell.letter for _, cells in lines.rows for cell in cells}
        assert letters == {"A", "X", "Q", "M", "0"}
        assert [cell.letter for cell in lines.statuses] == list("✓✓✓✗✓✓✓✓✓✓")

    def test_a_client_that_was_not_selected_has_a_dot(self) -> None:
        rounds = [sample_round(1, ["a"], liars=0), sample_round(2, ["a", "b"], liars=0)]
        lines = dict(timeline(rounds, excluded=[]).rows)
        assert [cell.letter for cell in lines["b"]] == ["·", "A"]

    def test_large_runs_are_cut_and_say_so(self) -> None:
        names = [f"n{i}" for i in range(MAX_CLIENTS + 5)]
        rounds = [sample_round(1, names, liars=0)] * (MAX_ROUNDS + 7)
        lines = timeline(rounds, excluded=[])
        assert len(lines.rows) == MAX_CLIENTS
        assert len(lines.rounds) == MAX_ROUNDS
        assert lines.note == "the last 100 of 107 rounds, 200 of 205 clients"


class TestBaselines:
    def test_what_is_written_is_read(self, tmp_path: Path) -> None:
        given = Baselines(
            fedavg=Baseline(curve=((0, 0.1), (1, 0.4)), final=0.4), oracle=Baseline(final=0.9)
        )
        (tmp_path / "baselines.json").write_text(baselines_json(given))
        assert read_baselines(tmp_path) == given

    def test_no_file_is_no_baseline(self, tmp_path: Path) -> None:
        assert read_baselines(tmp_path) == Baselines()

    def test_the_last_point_is_the_final_value(self, tmp_path: Path) -> None:
        text = json.dumps({"fedavg": {"accuracy": [[2, 0.5], [1, 0.3]]}})
        (tmp_path / "baselines.json").write_text(text)
        assert read_baselines(tmp_path).fedavg.final == 0.5

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "[]",
            "nonsense",
            "\x00",
            '{"fedavg": 3}',
            '{"fedavg": {"accuracy": 3}}',
            '{"fedavg": {"accuracy": [[1]]}}',
            '{"fedavg": {"accuracy": [[1, NaN]]}}',
            '{"fedavg": {"accuracy": [[1, true]]}}',
            '{"fedavg": {"accuracy": [["1", 2]]}}',
            '{"oracle": {"final": "0.9"}}',
            '{"oracle": {"final": 1e999}}',
            "[" * 100_000,
        ],
    )
    def test_a_bad_file_is_an_error_in_three_parts(self, tmp_path: Path, text: str) -> None:
        (tmp_path / "baselines.json").write_text(text)
        with pytest.raises(JournalError, match="delete the file"):
            read_baselines(tmp_path)

    def test_a_huge_file_is_not_read(self, tmp_path: Path) -> None:
        (tmp_path / "baselines.json").write_text("{}" + " " * (4 << 20))
        with pytest.raises(JournalError, match="more than 4194304 bytes"):
            read_baselines(tmp_path)
