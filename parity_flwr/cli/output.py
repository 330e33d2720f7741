"""How commands speak: results on stdout, for people or as JSON; errors on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from typing import Any, TextIO

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from parity_flwr.app.text import printable, visible
from parity_flwr.errors import ParityError

ERROR_LENGTH = 2000


class _PipeConsole(Console):
    """A console that lets a broken pipe through; rich would exit with 1 instead."""

    def on_broken_pipe(self) -> None:
        """Say so to the caller."""
        raise BrokenPipeError


def _console(file: TextIO, *, quiet: bool = False) -> Console:
    """Return a console; FORCE_COLOR brings colours to a pipe, but nothing is redrawn there."""
    console = _PipeConsole(highlight=False, markup=False, file=file, quiet=quiet)
    console.is_interactive = console.is_interactive and file.isatty()
    return console


class Output:
    """Where a command's words go.

    Parameters
    ----------
    as_json : bool
        One JSON object on stdout and nothing else there; progress goes to stderr.
    quiet : bool, keyword-only
        No progress.

    Attributes
    ----------
    console
        Where results for people go: stdout.
    errors
        Where a :class:`parity_flwr.cli.progress.Meter` is drawn: stderr.
    progress
        Where a live table is drawn: stdout, or stderr if that is for JSON.
    """

    def __init__(self, as_json: bool, *, quiet: bool = False) -> None:
        self.as_json = as_json
        self.quiet = quiet
        # explicit files: an engine may redirect this process's stdout and stderr to a log
        self.console = _console(sys.stdout)
        self.errors = _console(sys.stderr, quiet=quiet)
        self.progress = _console(sys.stderr if as_json else sys.stdout, quiet=quiet)

    @classmethod
    def of(cls, context: click.Context, as_json: bool, *, quiet: bool = False) -> Output:
        """Return where the words of a command go that another command may have called."""
        given = context.obj
        return given if isinstance(given, Output) else cls(as_json, quiet=quiet)

    def takes(self, request: object) -> bool:
        """Say whether the caller wants what would be run instead of its run.

        `parity check` asks `parity run` for its request in this way, so that both always
        understand the same options alike.
        """
        return False

    def result(self, data: Mapping[str, Any], human: Callable[[Output], None]) -> None:
        """Write the result: `data` as one JSON object, or what `human` draws."""
        if self.as_json:
            write_json(data)
        else:
            human(self)

    def line(self, text: str, *, style: str = "") -> None:
        """Write one line for people; never wrapped, so that it can be searched."""
        self.console.print(Text(visible(text[:ERROR_LENGTH]), style=style), soft_wrap=True)

    def table(self, table: Table) -> None:
        """Draw a table for people."""
        self.console.print(table)


def write_json(data: Mapping[str, Any]) -> None:
    """Write one JSON object on one line of stdout; ASCII, so that no escape gets through."""
    sys.stdout.write(json.dumps(data, allow_nan=False) + "\n")
    sys.stdout.flush()


def error_object(error: ParityError) -> dict[str, Any]:
    """Return an error as plain data."""
    return {
        "error": {
            "kind": type(error).__name__,
            "message": str(error),
            "needed": error.needed,
            "got": error.came,
            "action": error.action,
            "exit_code": error.exit_code,
        }
    }


def report_error(error: ParityError, *, as_json: bool) -> int:
    """Write an error to stderr, and to stdout as JSON if asked to; return the exit code."""
    sys.stderr.write(f"error: {printable(error, limit=ERROR_LENGTH)}\n")
    if as_json:
        write_json(error_object(error))
    return error.exit_code


def plain_table(*columns: str, right: tuple[str, ...] = ()) -> Table:
    """Return an empty table without lines; the columns named in `right` hold numbers."""
    table = Table(box=None, pad_edge=False, padding=(0, 1), header_style="bold")
    for name in columns:
        table.add_column(name, justify="right" if name in right else "left", overflow="fold")
    return table


def quiet_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add --quiet to a command (given to the function as `quiet`)."""
    return click.option("--quiet", is_flag=True, help="No progress.")(function)


def json_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add --json (given to the function as `as_json`) and --debug to a command."""
    with_debug = click.option(
        "--debug", is_flag=True, expose_value=False, help="Show the traceback of an error."
    )(function)
    return click.option(
        "--json", "as_json", is_flag=True, help="Write one JSON object to stdout."
    )(with_debug)


def examples(*lines: str) -> str:
    """Return the examples of a command's help, each on its own line."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)
