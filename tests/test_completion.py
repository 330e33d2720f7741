"""Completion in a real bash, and by the protocol of the shells that are not here."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from parity_flwr.app.chains.places import ChainPlaces
from parity_flwr.app.environment import Environment
from parity_flwr.app.runs.folder import RunFolder
from parity_flwr.cli.main import execute
from terminal_screen import in_terminal

MOST_S = 0.3
TRY = """
source <(parity completion bash)
complete -p parity
while IFS= read -r line; do
  read -r -a COMP_WORDS <<< "$line"
  [[ "$line" == *" " ]] && COMP_WORDS+=("")
  COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); COMPREPLY=()
  _parity_completion parity
  echo "${COMPREPLY[*]}"
done
"""


@pytest.fixture
def commands(tmp_path: Path) -> dict[str, str]:
    """Return variables of a shell that finds `parity`."""
    program = tmp_path / "bin" / "parity"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m parity_flwr.cli.main "$@"\n')
    program.chmod(0o755)
    return {"PATH": f"{program.parent}:{os.environ['PATH']}"}


@pytest.fixture
def home() -> Path:
    """Fill this home with two runs and a wallet."""
    place = Environment.read().home
    RunFolder.create(place, "20260101-000000-aaaa")
    RunFolder.create(place, "20260202-000000-bbbb")
    wallet = ChainPlaces(place).wallet("publisher")
    wallet.parent.mkdir(parents=True)
    wallet.write_text("{}")
    return place


def completed(variables: dict[str, str], *lines: str) -> list[list[str]]:
    """Return what a real bash offers at the end of each line."""
    done = subprocess.run(
        ["bash", "--norc", "-c", TRY],
        input="".join(f"{line}\n" for line in lines),
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    first, *answers = done.stdout.splitlines()
    assert "_parity_completion parity" in first
    return [answer.split() for answer in answers]


class TestBash:
    def test_commands_options_runs_wallets_and_models(
        self, commands: dict[str, str], home: Path
    ) -> None:
        questions = {
            "parity rep": ["report", "reputation"],
            "parity chain d": ["deploy", "drain"],
            "parity verify 202601": ["20260101-000000-aaaa"],
            "parity run app --resume ": [
                "latest",
                "20260202-000000-bbbb",
                "20260101-000000-aaaa",
            ],
            "parity claim latest --wallet p": ["publisher"],
            "parity wallet show ": ["publisher"],
            "parity run data.csv --model r": ["random_forest"],
            "parity run app --chain ": ["off", "embedded"],
            "parity doctor --extra ch": ["chain"],
            "parity report 2026 --js": ["--json"],
            "parity verify nothing-like-it": [],
        }
        assert completed(commands, *questions) == list(questions.values())

    def test_a_key_press_completes(self, commands: dict[str, str]) -> None:
        typed: list[str] = []

        def person(text: str, terminal: int) -> None:
            say = {0: "source <(parity completion bash); echo rea''dy\n", 1: "parity repor\t"}
            waits = {0: "$", 1: "ready\r\n", 2: "parity report "}
            if len(typed) in waits and waits[len(typed)] in text:
                typed.append(say.get(len(typed), "\x15exit\n"))
                os.write(terminal, typed[-1].encode())

        done = in_terminal(
            ["/bin/bash", "--norc", "--noprofile", "-i"],
            env={**commands, "PS1": "$ ", "INPUTRC": "/dev/null"},
            on_output=person,
        )
        assert len(typed) == 3, done.output


@pytest.mark.parametrize(
    ("shell", "answer"),
    [("bash", "plain,latest"), ("fish", "plain,latest"), ("zsh", "plain\nlatest\n_")],
)
def test_every_shell_is_answered(shell: str, answer: str, home: Path) -> None:
    asked = {
        "_PARITY_COMPLETE": f"{shell}_complete",
        "COMP_WORDS": "parity verify l",
        "COMP_CWORD": "l" if shell == "fish" else "2",
    }
    done = subprocess.run(
        [sys.executable, "-m", "parity_flwr.cli.main"],
        env={**os.environ, **asked},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout.strip(), done.stderr) == (answer, "")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_is_for_the_shell(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["completion", shell, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert f"_PARITY_COMPLETE={shell}_complete" in told["script"]
    assert execute(["completion", shell]) == 0
    assert capsys.readouterr().out.strip() == told["script"].strip()


@pytest.mark.parametrize(
    "asked",
    [{}, {"_PARITY_COMPLETE": "bash_complete", "COMP_WORDS": "parity r", "COMP_CWORD": "1"}],
)
def test_help_and_completion_are_quick(asked: dict[str, str]) -> None:
    """CPU time, as the wall clock says more of a busy machine than of the command."""

    def seconds() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(
            [sys.executable, "-m", "parity_flwr.cli.main", "--help"],
            env={**os.environ, **asked},
            capture_output=True,
            timeout=60,
            check=True,
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime

    assert min(seconds() for _ in range(3)) < MOST_S
