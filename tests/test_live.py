"""The live table: legible at every width and in every terminal, whatever the names."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from parity_flwr.app.pace import Pace
from parity_flwr.app.report.view import client_rows
from parity_flwr.app.runs.follow import Follower
from parity_flwr.app.runs.live import LiveTable
from parity_flwr.app.runs.round_table import evaluation_line, round_line, round_table
from parity_flwr.app.text import printable
from parity_flwr.core.records import EvaluationRecord
from sample_runs import sample_evaluations, sample_round, write_sample_run

HOSTILE = "\x1b[2J\x1b]0;owned\x07[red]x\r\n\u202efake: accepted"


def drawn(width: int, names: list[str] | None = None, *, limit: int = 50) -> list[str]:
    """Return the lines of a round's table at a width."""
    names = names or [f"site-{i}" for i in range(8)]
    console = Console(file=io.StringIO(), width=width, color_system=None)
    rows = client_rows(sample_round(4, names))
    console.print(round_table(rows, width=width, limit=limit))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def terminal(*, width: int = 100, height: int = 30, dumb: bool = False) -> Console:
    """Return a console that takes itself for a terminal."""
    return Console(
        file=io.StringIO(),
        width=width,
        height=height,
        force_terminal=True,
        _environ={"TERM": "dumb" if dumb else "xterm"},
    )


def written(console: Console) -> str:
    """Return what was written to such a console."""
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


class TestTable:
    @pytest.mark.parametrize("width", [40, 60, 79, 80, 100, 110, 160])
    def test_it_fits_and_names_every_client(self, width: int) -> None:
        lines = drawn(width)
        assert max(map(len, lines)) <= width
        text = "\n".join(lines)
        for i in range(8):
            assert f"site-{i}" in text

    def test_narrow_windows_show_verdict_and_reason(self) -> None:
        text = " ".join(" ".join(drawn(60)).split())
        assert "quarantined: array" in text
        assert "excluded: low" in text
        assert "620/580/645/500" in text

    def test_wide_windows_name_the_dimensions(self) -> None:
        header = drawn(120)[0].split()
        assert header == [
            "client",
            "performance",
            "quality",
            "consistency",
            "social",
            "composite",
            "weight",
            "verdict",
            "reason",
        ]

    def test_of_many_clients_those_in_trouble_stay(self) -> None:
        text = "\n".join(drawn(100, [f"n{i}" for i in range(500)], limit=10))
        assert "and 490 more" in text
        assert "n0 " in text
        assert "n1 " in text
        assert "n499" not in text

    def test_a_hostile_name_is_one_line_of_text(self) -> None:
        lines = drawn(160, [HOSTILE, "b", "c", "d"])
        assert len(lines) == 5
        assert not any(letter in "\n".join(lines) for letter in "\x1b\x07\r\u202e")
        assert "[red]x" in lines[1]


class TestLines:
    def test_a_round_is_one_line(self) -> None:
        line = round_line(sample_round(3, [f"site-{i}" for i in range(8)]), total=10)
        assert line == (
            "round 3/10 accepted: 4 accepted, 2 excluded, 1 quarantined, 1 abstained "
            "(site-0: array 'conv1.weight' holds NaN; site-1: low reputation; "
            "site-2: low reputation; and 1 more)"
        )

    def test_a_rejected_round_says_why(self) -> None:
        line = round_line(sample_round(4, ["a", "b"], liars=0))
        assert line == "round 4 rejected (4 of 10 replies, quorum 5): 2 accepted"

    def test_an_evaluation_is_one_line(self) -> None:
        assert evaluation_line(sample_evaluations()[1], total=3) == (
            "round 1/3 evaluated by server: accuracy 0.34, loss 1.84"
        )

    def test_hostile_texts_stay_one_line(self) -> None:
        record = EvaluationRecord(round=1, source=HOSTILE, metrics={HOSTILE: 1.0})
        for line in (round_line(sample_round(1, [HOSTILE])), evaluation_line(record)):
            assert line.isprintable()

    def test_long_texts_are_cut(self) -> None:
        assert len(printable("x" * 10**6)) == 200


class TestLiveTable:
    def test_a_pipe_gets_one_line_an_event(self) -> None:
        console = Console(file=io.StringIO(), width=40)
        with LiveTable(console, total_rounds=2) as table:
            table("starting")
            table(sample_round(1, ["a", "b", "c", "d"]))
            table(sample_evaluations()[1])
        lines = written(console).splitlines()
        assert len(lines) == 3
        assert lines[0] == "starting"
        assert lines[1].startswith("round 1/2 accepted: 3 accepted, 1 quarantined")
        assert "\x1b" not in written(console)

    def test_a_dumb_terminal_is_not_redrawn(self) -> None:
        console = terminal(dumb=True)
        with LiveTable(console) as table:
            table(sample_round(1, ["a"], liars=0))
        assert written(console) == "round 1 accepted: 1 accepted\n"

    def test_a_terminal_is_redrawn(self) -> None:
        console = terminal()
        with LiveTable(console, total_rounds=10) as table:
            table("starting")
            table(sample_round(1, ["a", "b"], liars=0))
            table(sample_evaluations()[1])
            table(sample_round(2, ["a", "b"], liars=0))
        text = written(console)
        assert "\x1b[" in text
        assert "round 2/10" in text
        assert "accuracy 0.34" in text

    def test_a_low_window_is_not_overrun(self) -> None:
        console = terminal(height=10)
        table = LiveTable(console)
        table(sample_round(1, [f"n{i}" for i in range(100)]))
        lines = console.render_lines(table.render())
        assert len(lines) <= 10


class TestFollower:
    def test_what_was_there_before_is_not_shown_again(self, tmp_path: Path) -> None:
        folder = write_sample_run(tmp_path, count=2)
        console = Console(file=io.StringIO(), width=100)
        with LiveTable(console) as table, Follower(lambda: folder, table):
            pass
        assert written(console) == ""

    def test_what_is_committed_is_shown_in_order(self, tmp_path: Path) -> None:
        folder = write_sample_run(tmp_path / "other", count=2)
        console = Console(file=io.StringIO(), width=100)
        later = type(folder)(tmp_path / "runs" / "later")
        with LiveTable(console) as table, Follower(lambda: later, table):
            written_run = write_sample_run(tmp_path, run_id="later", count=2)
        assert written_run.path == later.path
        starts = [" ".join(line.split()[:3]) for line in written(console).splitlines()]
        assert starts == [
            "round 0/2 evaluated",
            "round 1/2 accepted:",
            "round 1/2 evaluated",
            "round 2/2 accepted:",
            "round 2/2 evaluated",
        ]

    def test_a_corrupt_journal_does_not_stop_the_run(self, tmp_path: Path) -> None:
        folder = write_sample_run(tmp_path, count=1)
        console = Console(file=io.StringIO(), width=100)
        with LiveTable(console) as table, Follower(lambda: folder, table):
            folder.database.write_bytes(b"x" * 10_000)
        assert "Traceback" not in written(console)


class TestPace:
    def test_a_run_that_goes_on_is_timed_from_the_first_round_seen(self) -> None:
        now = [0.0]
        pace = Pace(clock=lambda: now[0])
        now[0] = 30.0  # what it took to get there does not count
        pace.reach(7)
        assert pace.seconds_left(10) is None
        now[0] = 34.0
        pace.reach(8)
        assert pace.seconds_left(10) == 8.0
        now[0] = 60.0  # later than expected: never below nothing
        assert pace.seconds_left(10) == 0.0
        pace.reach(10)
        assert pace.text(10) == "1:00"
