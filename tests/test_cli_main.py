"""The command line: help, exit codes, errors on one line, and terminals that go away."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import click
import pytest

from parity_flwr import __version__
from parity_flwr.cli import main as cli
from parity_flwr.cli.main import execute, parity
from parity_flwr.errors import MissingExtraError
from sample_runs import write_sample_run

COMMANDS = sorted(parity.commands)
LEAVES = [
    f"{name} {part}".rstrip()
    for name, command in sorted(parity.commands.items())
    for part in (sorted(command.commands) if isinstance(command, click.Group) else [""])
]


def parity_process(*arguments: str, pipe: str = "") -> subprocess.CompletedProcess[str]:
    """Run `parity` in a process of its own, its output piped into a shell command."""
    if not pipe:
        command = [sys.executable, "-m", "parity_flwr.cli.main", *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    line = f'"{sys.executable}" -m parity_flwr.cli.main {" ".join(arguments)}'
    script = f"set -o pipefail; {line} | {pipe}"
    return subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, timeout=60, check=False
    )


class TestHelp:
    def test_the_commands_are_these(self) -> None:
        assert COMMANDS == [
            "audit-privacy",
            "ban",
            "bench",
            "bundle",
            "chain",
            "check",
            "claim",
            "compare",
            "completion",
            "consent",
            "demo",
            "doctor",
            "economy",
            "events",
            "predict",
            "price",
            "report",
            "reputation",
            "rerun",
            "rewards",
            "run",
            "runs",
            "slash",
            "stake",
            "unban",
            "unstake",
            "verify",
            "wallet",
        ]

    @pytest.mark.parametrize("name", LEAVES)
    def test_every_command_has_examples_and_json(
        self, name: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert execute([*name.split(), "--help"]) == 0
        text = capsys.readouterr().out
        assert "Examples:\n" in text
        assert f"  parity {name}" in text
        assert "--json" in text
        assert "--debug" in text

    def test_no_command_shows_the_help(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert execute([]) == 0
        assert "Commands:" in capsys.readouterr().out

    def test_the_version(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert execute(["--version"]) == 0
        assert capsys.readouterr().out == f"parity, version {__version__}\n"

    def test_help_is_quick(self) -> None:
        slow = (
            "flwr|torch|sklearn|matplotlib|ray|sqlalchemy|jinja2|numpy|cryptography|httpx|web3"
        )
        code = (
            "import sys, re; from parity_flwr.cli.main import execute; execute(['--help']);"
            f"print([m for m in sys.modules if re.fullmatch(r'{slow}', m)], file=sys.stderr)"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
        )
        assert done.stderr == "[]\n"


class TestErrors:
    @pytest.mark.parametrize(
        "arguments",
        [
            ["nonsense"],
            ["report"],
            ["report", "latest"],
            ["report", "/no/such/folder"],
            ["verify", "../.."],
            ["verify", "latest", "--updates", "/no/such/folder"],
            ["runs", "--nonsense"],
            ["ban", "site-1"],
            ["demo", "--seed", "-1"],
            ["run", "/no/such/app"],
            ["run", ".", "--engine", "magic"],
            ["run", ".", "--clients", "0"],
            ["run", ".", "--timeout", "0"],
            ["run", ".", "--engine", "deployment"],
            ["run", ".", "--engine", "inprocess", "--superlink", "localhost:1"],
            ["run", ".", "--resume", "nothing"],
            ["run", ".", "--superlink", "localhost:1", "--baseline"],
        ],
        ids=" ".join,
    )
    def test_bad_input_is_one_line_and_2(
        self, arguments: list[str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert execute(arguments) == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        (line,) = captured.err.splitlines()
        assert line.startswith("error: ")
        assert line.count("; ") >= 2
        assert "got " in line

    def test_bad_input_is_an_object_with_json(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert execute(["report", "nothing", "--json"]) == 2
        captured = capsys.readouterr()
        error = json.loads(captured.out)["error"]
        assert error["kind"] == "ConfigError"
        assert error["exit_code"] == 2
        assert captured.err == f"error: {error['message']}\n"
        assert error["message"] == f"{error['needed']}; got {error['got']}; {error['action']}"

    def test_a_bad_environment_is_bad_input(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setenv("PARITY_BASELINE", "perhaps")
        assert execute(["runs"]) == 2
        assert "PARITY_BASELINE" in capsys.readouterr().err

    @pytest.mark.parametrize("name", ["report", "verify", "reputation", "ban"])
    def test_a_corrupt_journal_is_3(
        self, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        folder = write_sample_run(tmp_path, count=1)
        for extra in folder.path.glob("journal.sqlite-*"):
            extra.unlink()
        folder.database.write_bytes(b"not a database" * 1000)
        reference = str(folder.path)
        wanted = ["ban", "site-1", "--run", reference, "--reason", "x"]
        assert execute(wanted if name == "ban" else [name, reference]) == 3
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("error: ")

    def test_control_characters_do_not_reach_the_terminal(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert execute(["report", "\x1b[2J\nforged"]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line.isprintable()


class _Failing:
    """Stands in for a command, to fail as bugs and users do."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __call__(self, *_: object) -> int:
        raise self.error


class TestUnexpected:
    def test_a_bug_is_one_line_with_its_class(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(cli, "_invoke", _Failing(KeyError("oops\nand more")))
        assert execute(["runs"]) == 3
        (line,) = capsys.readouterr().err.splitlines()
        assert "KeyError" in line
        assert "--debug" in line

    def test_debug_shows_the_traceback(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(cli, "_invoke", _Failing(KeyError("oops")))
        assert execute(["runs", "--debug"]) == 3
        assert "Traceback" in capsys.readouterr().err
        monkeypatch.setenv("PARITY_DEBUG", "1")
        assert execute(["runs"]) == 3
        assert "Traceback" in capsys.readouterr().err

    def test_a_missing_extra_is_2(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(cli, "_invoke", _Failing(MissingExtraError("the demo", extra="x")))
        assert execute(["demo"]) == 2
        assert "pip install 'parity-flwr[x]'" in capsys.readouterr().err

    @pytest.mark.parametrize("error", [KeyboardInterrupt(), click.Abort()])
    def test_an_interrupt_is_130(
        self,
        error: BaseException,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        monkeypatch.setattr(cli.parity, "invoke", _Failing(error))
        assert execute(["runs"]) == 130
        assert capsys.readouterr().err == "error: interrupted\n"


class TestPipes:
    def test_a_reader_that_leaves_is_no_error(self) -> None:
        done = parity_process("run", "--help", pipe="true")
        assert done.stderr == ""
        assert done.returncode in {0, 141}  # 0 if all fitted into the pipe before it closed

    def test_a_closed_stdout_is_141(self) -> None:
        code = (
            "import os, sys; r, w = os.pipe(); os.close(r); os.dup2(w, 1);"
            "from parity_flwr.cli.main import main; sys.argv = ['parity', 'run', '--help'];"
            "main()"
        )
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode, done.stderr) == (141, "")

    def test_a_table_into_a_closed_stdout_is_141(self, tmp_path: Path) -> None:
        write_sample_run(tmp_path / "parity-home", count=1)
        code = (
            "import os, sys; r, w = os.pipe(); os.close(r); os.dup2(w, 1);"
            "from parity_flwr.cli.main import main; sys.argv = ['parity', 'runs']; main()"
        )
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode, done.stderr) == (141, "")

    def test_output_into_a_pipe_has_no_escapes(self) -> None:
        done = parity_process("doctor")
        assert done.returncode == 0, done.stdout
        assert "\x1b" not in done.stdout
        assert done.stderr == ""
