"""`parity run`, killed and resumed, as a person at a terminal would see it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from parity_flwr.app.journal import open_journal
from parity_flwr.app.runs.folder import all_runs
from parity_flwr.app.runs.outcome import has_journal
from parity_flwr.errors import JournalError

pytest.importorskip("torch")
pytest.importorskip("sklearn")

APP = Path(__file__).parents[1] / "examples" / "quickstart"
RUN = [
    *(sys.executable, "-m", "parity_flwr.cli.main", "run", str(APP), "--json", "--quiet"),
    *("--engine", "inprocess", "--clients", "6", "--run-config", "num-server-rounds=8"),
]
_PATIENCE_S = 60.0


def _command(home: Path) -> dict[str, str]:
    return {**os.environ, "PARITY_HOME": str(home)}


def _finish(home: Path, *more: str) -> dict[str, object]:
    done = subprocess.run(
        [*RUN, *more], env=_command(home), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    result: dict[str, object] = json.loads(done.stdout)
    return result


def _rounds(home: Path) -> int:
    try:
        return sum(
            len(open_journal(run).rounds()) for run in all_runs(home) if has_journal(run)
        )
    except JournalError:
        return 0  # it is being made


@pytest.mark.slow
def test_a_killed_run_resumes_to_the_same_model(tmp_path: Path) -> None:
    whole = _finish(tmp_path / "whole")
    home = tmp_path / "killed"
    process = subprocess.Popen(
        RUN, env=_command(home), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + _PATIENCE_S
    while _rounds(home) < 2 and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    before = _rounds(home)
    assert 2 <= before < 8
    resumed = _finish(home, "--resume", "latest")
    assert resumed["model_hash"] == whole["model_hash"]
    assert resumed["rounds"] == 8
