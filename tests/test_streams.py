"""Streams that are closed, full, cut short or of another encoding, and Ctrl-C."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from parity_flwr.app.environment import Environment
from parity_flwr.app.runs.folder import RunFolder
from parity_flwr.cli.main import execute
from sample_runs import write_sample_run
from terminal_screen import in_terminal

PARITY = [sys.executable, "-m", "parity_flwr.cli.main"]


def shell(script: str, **env: str) -> subprocess.CompletedProcess[bytes]:
    """Run a line of bash in which `parity` is ours."""
    program = f'parity() {{ "{sys.executable}" -m parity_flwr.cli.main "$@"; }}\n'
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {program}{script}"],
        capture_output=True,
        timeout=120,
        check=False,
        env={**os.environ, **env},
    )


@pytest.fixture
def sample() -> RunFolder:
    """Write a run; its tables have dashes that ASCII lacks."""
    return write_sample_run(Environment.read().home, run_id="sample", count=1)


class TestPipes:
    def test_head_takes_a_line_and_nothing_is_said(self, sample: RunFolder) -> None:
        done = shell("parity runs | head -1")
        assert done.stdout.startswith(b"run ")
        assert done.stderr == b""
        assert done.returncode in {0, 141}

    def test_a_closed_stdout_leads_nowhere(self, sample: RunFolder) -> None:
        before = sample.database.read_bytes()
        done = shell("parity runs --json >&-")
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
        assert sample.database.read_bytes() == before  # none of it went into a file

    def test_closed_streams_all_of_them(self, sample: RunFolder) -> None:
        assert shell("parity runs <&- >&- 2>&-").returncode == 0
        assert shell("parity report nothing <&- >&- 2>&-").returncode == 2

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
    @pytest.mark.parametrize("option", ["", "--json"])
    def test_a_full_disk_is_one_line(self, option: str, sample: RunFolder) -> None:
        done = shell(f"parity runs {option} > /dev/full")
        assert done.returncode == 3
        (line,) = done.stderr.decode().splitlines()
        assert "No space left on device" in line


class TestLocales:
    @pytest.mark.parametrize(
        "command", ["runs", "reputation sample", "verify sample", "--help"]
    )
    def test_ascii_is_enough(self, command: str, sample: RunFolder) -> None:
        ascii_only = {
            "LC_ALL": "C",
            "PYTHONUTF8": "0",
            "PYTHONCOERCECLOCALE": "0",
            "PYTHONIOENCODING": "",
        }
        done = shell(f"parity {command}", **ascii_only)
        assert done.returncode == (1 if command == "verify sample" else 0), done
        assert done.stdout.isascii()
        assert done.stderr == b""

    def test_an_error_about_a_name_that_ascii_lacks(self) -> None:
        done = shell("parity report größe", LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
        assert done.returncode == 2
        assert done.stderr.startswith(b"error: ")
        assert done.stderr.isascii()


class TestInterrupt:
    @pytest.mark.slow
    def test_a_run_stops_with_one_line_and_goes_on(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        pytest.importorskip("pyarrow")
        pytest.importorskip("sklearn")
        data = tmp_path / "data.csv"
        rows = [f"{i % 7},{(i * i) % 11},{int(i % 7 > 3)}" for i in range(400)]
        data.write_text("\n".join(["a,b,sick", *rows]) + "\n")
        options = [
            "run",
            str(data),
            "--target",
            "sick",
            "--model",
            "logistic",
            "--clients",
            "4",
        ]
        pressed: list[int] = []

        def press(text: str, terminal: int) -> None:
            if not pressed and "round 3/150" in text:
                pressed.append(len(text))
                os.write(terminal, b"\x03")

        done = in_terminal(
            [*PARITY, *options, "--rounds", "150"], columns=100, rows=24, on_output=press
        )
        assert pressed
        assert done.code == 130, done.output
        last = (
            re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", done.output).replace("\r", "\n").split("\n")
        )
        (line,) = [each for each in last if "error:" in each]
        found = re.search(r"--resume (\S+)$", line.strip())
        assert found is not None, line
        again = [*options, "--rounds", "150", "--resume", found[1], "--json", "--quiet"]
        assert execute(again) == 0
        result = json.loads(capsys.readouterr().out)
        assert (result["run_id"], result["rounds"]) == (found[1], 150)

    def test_a_check_that_is_stopped_says_so(self, sample: RunFolder) -> None:
        pressed: list[int] = []

        def press(text: str, terminal: int) -> None:
            if not pressed and "listening" in text:
                pressed.append(1)
                os.write(terminal, b"\x03")

        code = (
            "import sys, time; from parity_flwr.cli import main, runs;"
            "runs.all_runs = lambda home: (print('listening', flush=True), time.sleep(60));"
            "sys.exit(main.execute(['runs']))"
        )
        done = in_terminal([sys.executable, "-c", code], on_output=press)
        assert done.code == 130
        assert done.output.splitlines()[-1].endswith("error: interrupted")
