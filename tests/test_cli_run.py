"""`parity run` on a real app, in process: what it shows, what it returns, how it fails."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from apps_made import make_app
from parity_flwr.app.journal import open_journal
from parity_flwr.app.runs.folder import all_runs
from parity_flwr.cli.main import execute


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """Return a Flower app in which one of four clients sends NaN."""
    return make_app(tmp_path / "app")


def run(app: Path, *options: str) -> int:
    """Run the app in process."""
    return execute(["run", str(app), "--engine", "inprocess", "--clients", "4", *options])


class TestSuccess:
    def test_it_ends_with_figures_and_where_to_go(
        self, app: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert run(app) == 0
        captured = capsys.readouterr()
        lines = captured.out.splitlines()
        assert any(line.startswith("round 2/2 accepted") for line in lines)
        assert any("1 quarantined (client-0: " in line for line in lines)
        assert "accuracy   0.75 (server)" in lines
        assert lines[-1].startswith("next       parity report ")
        assert captured.err == ""

    def test_json_keeps_stdout_to_itself(
        self, app: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert run(app, "--json", "--run-config", "rounds=1") == 0
        captured = capsys.readouterr()
        result = json.loads(captured.out)
        assert result["status"] == "completed"
        assert (result["rounds"], result["accepted_rounds"]) == (1, 1)
        assert result["metric"]["value"] == 0.5
        assert "round 1/1 accepted" in captured.err

    def test_quiet_shows_no_rounds(self, app: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert run(app, "--quiet", "--run-config", "rounds=1") == 0
        assert "round 1/1" not in capsys.readouterr().out

    def test_updates_are_kept_when_asked(
        self, app: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert run(app, "--keep-updates", "--quiet") == 0
        (folder,) = all_runs(tmp_path / "parity-home")
        assert any(folder.updates.iterdir())
        capsys.readouterr()
        assert execute(["verify", "latest", "--updates", str(folder.updates)]) == 0

    def test_reputation_goes_on(self, app: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert run(app, "--quiet", "--json") == 0
        first = json.loads(capsys.readouterr().out)["run_id"]
        assert run(app, "--quiet", "--reputation-from", first) == 0
        capsys.readouterr()
        assert execute(["reputation", "latest", "--json"]) == 0
        clients = json.loads(capsys.readouterr().out)["clients"]
        assert {client["rounds"] for client in clients} == {4}

    def test_a_baseline_stands_beside_the_run(
        self, app: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert run(app, "--baseline", "--quiet", "--json") == 0
        result = json.loads(capsys.readouterr().out)
        (folder,) = all_runs(tmp_path / "parity-home")
        assert result["run_id"] == folder.id
        assert result["baseline"]["metric"] == {
            "name": "accuracy",
            "source": "server",
            "value": 0.75,
        }
        stored = json.loads((folder.path / "baselines.json").read_text())
        assert stored == {
            "fedavg": {"accuracy": [[0, 0.0], [1, 0.5], [2, 0.75]], "final": 0.75}
        }


class TestFailure:
    def test_the_root_cause_is_one_line(
        self, app: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert run(app, "--run-config", "broken=true", "--quiet") == 3
        captured = capsys.readouterr()
        (line,) = captured.err.splitlines()
        assert "the server app broke" in line
        assert captured.out == ""

    def test_an_unknown_key_is_2_and_leaves_no_run(
        self, app: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert run(app, "--run-config", "round=3") == 2
        assert "did you mean 'rounds'" in capsys.readouterr().err
        assert all_runs(tmp_path / "parity-home") == []

    def test_a_folder_that_is_no_app_is_2(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert run(tmp_path) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert "pyproject.toml" in line

    def test_only_liars_is_no_model(
        self, app: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        options = ["--clients", "1", "--run-config", "minimum=1", "--quiet", "--json"]
        assert run(app, *options) == 3
        captured = capsys.readouterr()
        assert "no round was accepted" in json.loads(captured.out)["error"]["got"]

    def test_a_run_that_is_complete_cannot_be_resumed(
        self, app: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert run(app, "--quiet") == 0
        capsys.readouterr()
        assert run(app, "--quiet", "--resume", "latest") == 3
        assert "unfinished" in capsys.readouterr().err

    def test_resume_and_reputation_from_exclude_each_other(
        self, app: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert run(app, "--quiet") == 0
        capsys.readouterr()
        assert run(app, "--resume", "latest", "--reputation-from", "latest") == 2
        assert "--resume with --reputation-from" in capsys.readouterr().err

    def test_a_run_that_waits_for_ever_is_timed_out(
        self, app: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert run(app, "--quiet", "--run-config", "minimum=99", "--timeout", "1") == 3
        (line,) = capsys.readouterr().err.splitlines()
        assert "--timeout 1 s" in line

    def test_a_run_whose_audience_leaves_goes_on(self, app: Path, tmp_path: Path) -> None:
        code = (
            "import os, sys; r, w = os.pipe(); os.close(r); os.dup2(w, 1);"
            "from parity_flwr.cli.main import main; main()"
        )
        command = [sys.executable, "-c", code, "run", str(app), "--engine", "inprocess"]
        done = subprocess.run(
            [*command, "--clients", "4"],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode, done.stderr) == (141, "")
        (folder,) = all_runs(tmp_path / "parity-home")
        assert open_journal(folder).status().status == "completed"

    def test_an_interrupt_is_130_and_one_line(self, app: Path) -> None:
        command = [
            sys.executable,
            "-m",
            "parity_flwr.cli.main",
            "run",
            str(app),
            "--engine",
            "inprocess",
            "--run-config",
            "minimum=99",
        ]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline().startswith("started")
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=60)
        assert process.returncode == 130
        (line,) = errors.splitlines()
        assert line == "error: interrupted" or line.partition("; ")[2].startswith(
            "got an inter"
        )
