"""The option that limits a run's folder, and what became of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from parity_flwr.app.runs.size import parse_size, shown_size
from parity_flwr.cli.output import Output

_Command = TypeVar("_Command", bound=Callable[..., Any])


def _bytes(context: click.Context, param: click.Parameter, value: str | None) -> int | None:
    return None if value is None else parse_size(value, name="--disk-cap")


def disk_cap_option(command: _Command) -> _Command:
    """Add --disk-cap to a command."""
    return click.option(
        "--disk-cap",
        callback=_bytes,
        metavar="SIZE",
        help="Drop old checkpoints while the run's folder is above it: 500MB, 2GB.",
    )(command)


def draw_disk(out: Output, disk: Mapping[str, Any]) -> None:
    """Say when a run's folder is above its cap although all that may go is gone."""
    if disk["cap"] is not None and disk["bytes"] > disk["cap"]:
        out.line(
            f"disk       {shown_size(disk['bytes'])}, above the cap of"
            f" {shown_size(disk['cap'])}: the rest is needed to resume, publish or verify",
            style="bold yellow",
        )
