"""The options that say where a run's rounds go, and what became of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from parity_flwr.cli.output import Output

_Command = TypeVar("_Command", bound=Callable[..., Any])


by_stake_option = click.option(
    "--by-stake",
    is_flag=True,
    help="Pay members by what they have at stake when the run begins; who has nothing "
    "earns nothing.",
)


def chain_options(command: _Command) -> _Command:
    """Add --chain, --wallet, --members and --by-stake to a command."""
    options = (
        click.option(
            "--chain",
            metavar="off|embedded|URL",
            help="Where rounds are anchored and clients are paid.  [off]",
        ),
        click.option("--wallet", metavar="NAME", help="The wallet that publishes, for a URL."),
        click.option(
            "--members",
            type=click.Path(exists=True, dir_okay=False, path_type=Path),
            help="Who is registered and paid, for a URL: see docs/chain.md.",
        ),
        by_stake_option,
    )
    for option in reversed(options):
        command = option(command)
    return command


def draw_chain(out: Output, found: Mapping[str, Any] | None) -> None:
    """Print what became of a run's rounds on their way to a chain."""
    if found is None:
        return
    where = f"{found['chain']} {found['chain_id']}, ledger {found['ledger']}"
    out.line(f"chain      {where}: {found['transactions']} transactions are final")
    if found["waiting"]:
        out.line(f"waiting    {found['waiting']} more: parity chain drain")
    if found["trouble"]:
        out.line(f"trouble    {found['trouble']}", style="bold red")
