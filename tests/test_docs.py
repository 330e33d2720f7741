"""The documentation is true: its Python runs and its commands exist."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import click
import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`(parity [^`\n]+)`")
LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)[^)]*\)")

pytestmark = [
    pytest.mark.repository,
    pytest.mark.skipif(not (ROOT / "docs").is_dir(), reason="needs the source tree"),
]


def blocks(page: Path, *languages: str) -> list[str]:
    """Return the page's fenced blocks in one of the languages."""
    found = BLOCK.findall(page.read_text(encoding="utf-8"))
    return [body for language, body in found if language in languages]


def python_blocks() -> list[tuple[str, str]]:
    """Return each Python block of each page with its name, as in ``README.md-1``."""
    return [
        (f"{page.relative_to(ROOT).as_posix()}-{number}", body)
        for page in PAGES
        if page.is_file()
        for number, body in enumerate(blocks(page, "python"), start=1)
    ]


def commands(page: Path) -> list[list[str]]:
    """Return every ``parity ...`` command line on the page, split into words."""
    lines = INLINE.findall(page.read_text(encoding="utf-8"))
    for body in blocks(page, "sh", "bash", "console"):
        found = re.findall(r"^(?:\$ )?(parity [^#\n]*)", body, re.MULTILINE)
        lines += found
    return [shlex.split(line) for line in lines]


def unknown_part(words: list[str]) -> str | None:
    """Return the first word that the command tree does not know, or None."""
    from parity_flwr.cli.main import parity

    command: click.Command = parity
    rest = words[1:]
    while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        if rest[0] not in command.commands:
            return rest[0]
        command = command.commands[rest.pop(0)]
    options = {option for parameter in command.params for option in parameter.opts}
    options |= {option for parameter in command.params for option in parameter.secondary_opts}
    used = (word.partition("=")[0] for word in rest if word.startswith("--"))
    return next((word for word in used if word not in options | {"--help", "--version"}), None)


@pytest.mark.parametrize(
    "code", [pytest.param(body, id=name) for name, body in python_blocks()]
)
def test_every_python_block_runs(
    code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "<documentation>", "exec"), {"__name__": "__main__"})


def test_the_program_in_the_readme_finds_the_liars(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (program,) = blocks(ROOT / "README.md", "python")
    names: dict[str, Any] = {}
    exec(compile(program, "README.md", "exec"), names)
    standings = names["strategy"].state.standings
    fallen = {name for name, each in standings.items() if each.composite < 200}
    assert fallen == {"client-7", "client-8", "client-9"}
    assert abs(names["result"].arrays["0"].numpy().mean() - 1) < 0.05


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_command_on_the_page_exists(page: Path) -> None:
    wrong = [(shlex.join(w), part) for w in commands(page) if (part := unknown_part(w))]
    assert wrong == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_on_the_page_leads_to_a_file(page: Path) -> None:
    targets = LINK.findall(page.read_text(encoding="utf-8"))
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_every_command_is_documented() -> None:
    from parity_flwr.cli.main import parity

    assert isinstance(parity, click.Group)
    text = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    missing = [name for name in parity.commands if f"parity {name}" not in text]
    assert missing == []
