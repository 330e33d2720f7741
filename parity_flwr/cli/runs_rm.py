"""`parity runs rm`."""

from __future__ import annotations

import sys
from typing import Any

import click

from parity_flwr.app.environment import Environment
from parity_flwr.app.runs.removal import (
    Choice,
    Selection,
    choose,
    finish_removals,
    outcome,
    parse_age,
    remove,
)
from parity_flwr.app.runs.size import shown_size
from parity_flwr.cli.output import Output, examples, json_option, plain_table
from parity_flwr.errors import ConfigError, ParityError


@click.command(
    "rm",
    epilog=examples(
        "parity runs rm 20261120-064512-ab12",
        "parity runs rm --older-than 30d --keep 5 --yes",
        "parity runs rm --all --yes --json",
    ),
)
@click.argument("references", metavar="[RUN]...", nargs=-1)
@click.option("--older-than", metavar="AGE", help="Not written to for so long: 12h, 30d, 2w.")
@click.option("--keep", type=click.IntRange(0), help="All but the newest so many.")
@click.option("--all", "everything", is_flag=True, help="All of them.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@click.pass_context
def remove_runs(
    context: click.Context,
    references: tuple[str, ...],
    older_than: str | None,
    keep: int | None,
    everything: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Remove runs with all that lies in their folders, never one that is running.

    With --older-than and --keep both, the newest stay whatever their age.
    """
    home = Environment.read().home
    selection = Selection(
        references=references,
        everything=everything,
        older_than_s=parse_age(older_than) if older_than is not None else None,
        keep=keep,
    )
    finish_removals(home)
    choice = choose(selection, home)
    out = Output(as_json)
    if choice.going and not yes and not _agreed(choice, out):
        choice = Choice(going=(), staying=_refused(choice))
    removed, staying, trouble = [], list(choice.staying), []
    for each in choice.going:
        try:
            remove(each.folder, home)
        except ParityError as error:
            trouble.append(str(error))
            staying.append((each.folder.id, error.came))
        else:
            removed.append(each)
    done = outcome(removed, staying)
    out.result(done, lambda out: _draw(out, done))
    for line in trouble:
        click.echo(f"error: {line}", err=True)
    context.exit(1 if trouble else 0)


def _refused(choice: Choice) -> tuple[tuple[str, str], ...]:
    declined = tuple((each.folder.id, "not wanted") for each in choice.going)
    return choice.staying + declined


def _agreed(choice: Choice, out: Output) -> bool:
    """Show what would go, and ask."""
    if out.as_json or not sys.stdin.isatty():
        raise ConfigError(
            "removing runs needs a yes",
            came="nobody to ask" if not out.as_json else "--json, with which nobody is asked",
            action="add --yes",
        )
    table = plain_table("run", "size", right=("size",))
    for each in choice.going:
        table.add_row(each.folder.id, shown_size(each.bytes))
    out.table(table)
    total = shown_size(sum(each.bytes for each in choice.going))
    return click.confirm(f"Remove {len(choice.going)} runs, {total}?", default=False)


def _draw(out: Output, done: dict[str, Any]) -> None:
    for each in done["skipped"]:
        out.line(f"kept       {each['run_id']}: {each['reason']}")
    for each in done["removed"]:
        out.line(f"removed    {each['run_id']} ({shown_size(each['bytes'])})")
    out.line(f"freed      {shown_size(done['freed_bytes'])}")
