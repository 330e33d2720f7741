"""Live table and progress in real pseudo-terminals of several sizes, and in pipes."""

from __future__ import annotations

import os
import re
import time

import pytest

from parity_flwr.app.runs.live import LiveTable
from parity_flwr.cli.output import Output
from parity_flwr.cli.progress import Meter
from sample_runs import sample_evaluations, sample_round
from terminal_screen import Finished, Screen, in_terminal, set_size


def nine_rounds(names: list[str], *, as_json: bool = False, wait: bool = False) -> None:
    """Show nine rounds, with a question to whoever watches in the middle."""
    with LiveTable(Output(as_json).progress, total_rounds=9) as table:
        table("starting")
        for number in range(1, 10):
            table(sample_round(number, names))
            table(sample_evaluations()[min(number, 3) - 1])
            if number == 5 and wait:
                table("WAITING")
                input()
    print("done")


def sites(count: int, *, longest: int = 0, letter: str = "x") -> list[str]:
    """Return names of clients."""
    return [f"site-{i}-" + letter * longest for i in range(count)]


def live(names: list[str], *, columns: int, rows: int, **env: str) -> Finished:
    """Show nine rounds in a terminal of this size."""
    return in_terminal(lambda: nine_rounds(names), columns=columns, rows=rows, env=env)


def shown(done: Finished, columns: int, rows: int) -> Screen:
    """Return the screen after all output."""
    assert done.code == 0, done.output
    screen = Screen(columns, rows)
    screen.write(done.output)
    return screen


class TestLiveTable:
    @pytest.mark.parametrize(
        ("columns", "rows", "clients", "longest"),
        [
            (60, 24, 8, 0),
            (40, 15, 8, 200),
            (100, 30, 1000, 0),
            (60, 12, 1000, 300),
            (20, 6, 3, 9),
        ],
    )
    def test_the_last_frame_is_whole_and_nothing_is_too_wide(
        self, columns: int, rows: int, clients: int, longest: int
    ) -> None:
        done = live(sites(clients, longest=longest), columns=columns, rows=rows)
        screen = shown(done, columns, rows)
        assert screen.wrapped == 0
        assert screen.seen == 0  # it never tried to draw above the window
        assert len(screen.text) <= rows + 1  # nothing scrolled away but by the last line
        text = " ".join(screen.text)
        assert "round 9/9" in text
        assert "round 8/9" not in text
        assert screen.text[-2:] == ["done", ""]
        if columns >= 40:
            assert "excluded" in text
        if clients > rows:
            assert "more, in 'parity report'" in text

    def test_names_of_wide_letters_fit(self) -> None:
        done = live(sites(3, longest=40, letter="病"), columns=60, rows=20)
        screen = shown(done, 60, 20)
        assert screen.wrapped == 0
        assert "病" in "".join(screen.text)

    def test_the_time_left_is_told(self) -> None:
        done = live(sites(3), columns=100, rows=20)
        assert "0:00, about 0:0" in done.output

    @pytest.mark.parametrize(("columns", "rows"), [(50, 24), (120, 30), (100, 8)])
    def test_a_window_that_changes_gets_a_whole_frame(self, columns: int, rows: int) -> None:
        screen, told = Screen(100, 24), [0]

        def resize(text: str, terminal: int) -> None:
            if not told[0] and "WAITING" in text:
                told[0] = len(text)
                set_size(terminal, columns, rows)
                os.write(terminal, b"\n")

        done = in_terminal(
            lambda: nine_rounds(sites(8), wait=True), columns=100, rows=24, on_output=resize
        )
        assert done.code == 0
        screen.write(done.output[: told[0]])
        screen.resize(columns, rows)
        screen.write(done.output[told[0] :])
        last = screen.text[
            max(k for k, line in enumerate(screen.text) if "round 9/9" in line) :
        ]
        assert screen.wrapped == 0
        assert screen.seen == 0  # it never tried to draw over what was there before the run
        assert len(last) <= rows + 1
        assert sum("site-" in line for line in last) == (8 if rows > 10 else 3)

    def test_a_dumb_terminal_gets_lines(self) -> None:
        done = live(sites(8), columns=60, rows=24, TERM="dumb")
        assert "\x1b" not in done.output
        assert done.output.count("round ") == 18

    def test_no_color_has_none(self) -> None:
        plain = live(sites(8), columns=60, rows=24, NO_COLOR="1").output
        assert "\x1b[32m" not in plain
        assert "\x1b[32m" in live(sites(8), columns=60, rows=24).output

    @pytest.mark.parametrize("forced", ["", "1"])
    def test_a_pipe_is_never_drawn_over(
        self, forced: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setenv("FORCE_COLOR", forced) if forced else None
        nine_rounds(sites(8))
        told = capfd.readouterr()
        assert len(told.out.splitlines()) == 20
        for code in ("\x1b[2K", "\x1b[1A", "\x1b[?25l", "\r"):
            assert code not in told.out
        assert told.err == ""

    def test_json_leaves_stdout_alone(self, capfd: pytest.CaptureFixture[str]) -> None:
        nine_rounds(sites(8), as_json=True)
        told = capfd.readouterr()
        assert told.out == "done\n"
        assert len(told.err.splitlines()) == 19


def steps(count: int, each_s: float, *, quiet: bool = False, after_s: float = 0.05) -> None:
    """Do as many steps as given, as a command does."""
    out = Output(False, quiet=quiet)
    with Meter(out, "counting", after_s=after_s) as meter:
        for number in range(count):
            meter(number, count)
            time.sleep(each_s)
        meter.note("nearly")
    out.line("done")


class TestMeter:
    def test_it_appears_late_with_an_estimate_and_goes(self) -> None:
        done = in_terminal(lambda: steps(40, 0.06), columns=40, rows=5)
        assert "counting, " in done.output
        assert "/40, 0:0" in done.output
        assert ", about 0:0" in done.output
        screen = shown(done, 40, 5)
        assert screen.wrapped == 0
        assert screen.text == ["done", ""]

    def test_a_quick_command_shows_nothing(self) -> None:
        done = in_terminal(lambda: steps(3, 0.0, after_s=2.0), columns=40, rows=5)
        assert done.output == "done\r\n"

    def test_quiet_is_quiet(self) -> None:
        done = in_terminal(lambda: steps(5, 0.05, quiet=True), columns=40, rows=5)
        assert done.output == "done\r\n"

    def test_a_dumb_terminal_gets_lines(self) -> None:
        done = in_terminal(lambda: steps(3, 0.06), columns=80, rows=5, env={"TERM": "dumb"})
        first, *rest = (
            done.output.splitlines()
        )  # which step is the first shown: the load decides
        assert re.match(r"counting, \d/3, 0:0", first)
        assert rest == ["nearly", "done"]

    def test_a_pipe_gets_a_line_now_and_then(self, capfd: pytest.CaptureFixture[str]) -> None:
        now = [0.0]
        with Meter(Output(False), "counting", clock=lambda: now[0]) as meter:
            for number in range(30):
                meter(number, 60)
                now[0] += 1.0
        told = capfd.readouterr()
        assert told.out == ""
        assert told.err.splitlines() == [
            "counting, 2/60, 0:02, about 0:58 left",
            "counting, 12/60, 0:12, about 0:48 left",
            "counting, 22/60, 0:22, about 0:38 left",
        ]

    def test_other_steps_have_a_pace_of_their_own(self) -> None:
        now = [0.0]
        with Meter(Output(False, quiet=True), "x", clock=lambda: now[0]) as meter:
            take = meter.notes(3, first=0)
            for text in ("first", "second"):
                take(text)
                now[0] += 5.0
            assert meter.text() == "second, 1/3, 0:10, about 0:05 left"
            meter(0, 100)
            now[0] += 2.0
            meter(50, 100)
            assert meter.text() == "second, 50/100, 0:12, about 0:02 left"
            meter(1)
            assert meter.text() == "second, 0:12"

    def test_a_file_is_read_by_shares(self, capfd: pytest.CaptureFixture[str]) -> None:
        now = [0.0]
        with Meter(Output(False), "preparing", clock=lambda: now[0]) as meter:
            for done in range(1 << 20, 5 << 20, 1 << 20):
                meter.watch("reading", done, 4 << 20)
                now[0] += 1.5
            meter.watch("dividing", 0, 7)
            assert meter.text() == "dividing, 0/7, 0:06"
        told = capfd.readouterr()
        assert told.out == ""
        assert told.err.splitlines() == ["reading, 75 %, 0:03, about 0:02 left"]
