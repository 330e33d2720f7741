"""All commands keep to one set of conventions: a walk over the whole tree of them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from parity_flwr.cli.main import execute, parity

ROOT = Path(__file__).resolve().parent.parent
METAVARS = {
    "--wallet": {"NAME"},
    "--resume": {"RUN", "BOOLEAN"},  # of `compare`: carry on in --output
    "--run": {"RUN"},
    "--reputation-from": {"RUN"},
    "--ipfs": {"URL"},
    "--identity": {"NAME"},
}
CHAINS = re.compile(r"URL|embedded\|URL|off\|embedded\|URL|\[.*embedded.*\]")
SLOW = {
    "audit-privacy",
    "bench aggregate",
    "bench forest",
    "bench gas",
    "bench overhead",
    "bench privacy",
    "bundle",
    "chain deploy",
    "chain drain",
    "chain fund",
    "chain mint",
    "chain outbox",
    "chain register",
    "chain stake",
    "chain status",
    "claim",
    "compare",
    "demo",
    "doctor",
    "economy simulate",
    "events",
    "predict",
    "report",
    "reputation",
    "rewards",
    "run",
    "slash",
    "stake",
    "unstake",
    "verify",
}


def walk(command: click.Command, path: tuple[str, ...]) -> Iterator[tuple[str, click.Command]]:
    """Yield every command that does something, by its words after `parity`."""
    if isinstance(command, click.Group):
        for name, each in command.commands.items():
            yield from walk(each, (*path, name))
    else:
        yield " ".join(path), command


COMMANDS = dict(walk(parity, ()))
EACH = pytest.mark.parametrize("name", COMMANDS)


def options(name: str) -> dict[str, click.Option]:
    """Return a command's options by their longest name."""
    found = [each for each in COMMANDS[name].params if isinstance(each, click.Option)]
    return {max(each.opts, key=len): each for each in found}


@EACH
def test_options_are_named_alike(name: str) -> None:
    for option, parameter in options(name).items():
        assert re.fullmatch(r"--[a-z][a-z0-9]*(-[a-z0-9]+)*", option), option
        assert not [each for each in parameter.opts if not each.startswith("--")]
        assert parameter.help, f"{option} needs a help"
        assert parameter.help[0].isupper() or parameter.help[0] in "0123456789'-`a"
        shown = parameter.make_metavar(click.Context(COMMANDS[name]))
        assert shown in METAVARS.get(option, {shown})
        if option == "--chain":
            assert CHAINS.fullmatch(shown), shown
        if option in {"--output", "--data", "--members", "--key", "--deployment"}:
            assert isinstance(parameter.type, click.Path)
        if option in {"--json", "--quiet", "--force", "--debug", "--dry-run"}:
            assert parameter.is_flag


@EACH
def test_it_speaks_json_and_shows_its_errors(name: str) -> None:
    found = options(name)
    assert (found["--json"].name, found["--debug"].is_flag) == ("as_json", True)


@EACH
def test_what_takes_long_can_be_quiet(name: str) -> None:
    assert "--quiet" in options(name) or name not in SLOW


@EACH
def test_its_help_begins_with_a_sentence_and_ends_with_an_example(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = COMMANDS[name].help or ""
    assert re.match(r"[A-Z][^\n]{10,95}\.(\n|$)", text), text
    assert execute([*name.split(), "--help"]) == 0
    _, _, lines = capsys.readouterr().out.partition("Examples:\n")
    assert f"  parity {name}" in lines or f"(parity {name}" in lines


@EACH
def test_a_wrong_option_is_one_line_and_2(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute([*name.split(), "--no-such-option", "--json"]) == 2
    told = capsys.readouterr()
    (line,) = told.err.splitlines()
    assert line.startswith(f"error: 'parity {name}' needs ")
    assert json.loads(told.out)["error"]["exit_code"] == 2


@EACH
def test_what_it_must_have_is_asked_for(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    needed = [each for each in COMMANDS[name].params if each.required]
    if not needed:
        return
    assert execute(name.split()) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "Missing " in line


@EACH
def test_a_run_that_is_not_there_is_one_line_and_2(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = [each for each in COMMANDS[name].params if each.metavar == "RUN"]
    if (
        not runs
        or not isinstance(runs[0], click.Argument)
        or COMMANDS[name].params[0] != runs[0]
    ):
        return
    others = [each for each in COMMANDS[name].params[1:] if each.required]
    words = [
        "1" if isinstance(each, click.Argument) else f"{each.opts[0]}=x" for each in others
    ]
    assert execute([*name.split(), "no-such-run", *words]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.repository
@EACH
def test_the_manual_names_it_and_each_option(name: str) -> None:
    if not (ROOT / "docs" / "cli.md").is_file():
        pytest.skip("needs the source tree")
    text = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    section = text.partition("## Every option")[2]
    names = sorted(set(options(name)) - {"--json", "--debug"})
    wanted = f"| `parity {name}` | {', '.join(f'`{each}`' for each in names)} |"
    assert wanted in section.splitlines()
