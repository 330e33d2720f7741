"""What a shell offers after Tab: runs, wallets, chains and extras of this home."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial

import click
from click.shell_completion import CompletionItem, shell_complete

from parity_flwr.app.environment import Environment
from parity_flwr.errors import ParityError

VARIABLE = "_PARITY_COMPLETE"  # the name that click's scripts use
_MOST = 100

Words = Callable[[], Iterator[str]]


def run_words() -> Iterator[str]:
    """Yield what names a run: ``latest``, then ids, the newest first."""
    from parity_flwr.app.runs.folder import all_runs

    yield "latest"
    yield from (folder.id for folder in reversed(all_runs(Environment.read().home)))


def wallet_words() -> Iterator[str]:
    """Yield the names of the wallets."""
    wallets = (Environment.read().home / "chain" / "wallets").glob("*.json")
    yield from sorted(path.stem for path in wallets)


def extra_words() -> Iterator[str]:
    """Yield the names of the extras."""
    from parity_flwr.app.installation import extras

    yield from sorted(extras())


def _words_of(command: click.Command, group: str, parameter: click.Parameter) -> Words | None:
    metavar = parameter.metavar or ""
    if metavar == "RUN":
        return run_words
    if parameter.name == "wallet" or (group == "wallet" and parameter.name == "name"):
        return wallet_words
    if parameter.name == "extras":
        return extra_words
    if "embedded|" in metavar:
        return lambda: iter([word for word in metavar.split("|") if word != "URL"])
    return None


def _offer(
    words: Words, paths: bool, context: click.Context, incomplete: str
) -> list[CompletionItem]:
    """Return what fits; a RUN may be a folder too."""
    if paths and ("/" in incomplete or incomplete.startswith(".")):
        return [CompletionItem(incomplete, type="dir")]
    with suppress(ParityError, OSError):
        found = [word for word in words() if word.startswith(incomplete)]
        return [CompletionItem(word) for word in found[:_MOST]]
    return []


def teach(command: click.Command, *, group: str = "") -> None:
    """Give the parameters of a command, and of those below it, what they can be."""
    for parameter in command.params:
        words = _words_of(command, group, parameter)
        if words is not None:
            offer = partial(_offer, words, words is run_words)
            parameter.shell_complete = offer  # type: ignore[method-assign]
    if isinstance(command, click.Group):
        for each in command.commands.values():
            teach(each, group=command.name or "")


def answer_shell(command: click.Command, instruction: str) -> int:
    """Answer what the shell asks in its variables; return the exit code."""
    teach(command)
    return shell_complete(command, {}, "parity", VARIABLE, instruction)
