"""`parity verify`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from parity_flwr.app.environment import Environment
from parity_flwr.app.runs.folder import RunFolder
from parity_flwr.cli.output import Output, examples, json_option

if TYPE_CHECKING:
    from parity_flwr.app.verification.verify import Verification

_EPILOG = examples(
    "parity verify latest",
    "parity verify latest --json",
    "parity verify 20261120-064512-ab12 --updates ~/.parity/runs/20261120-064512-ab12/updates",
)
_MARKS = {True: ("ok", "green"), False: ("FAIL", "bold red"), None: ("skip", "dim")}


def show_lines(out: Output, found: Verification) -> None:
    """Write one line for each check."""
    for line in found.lines:
        mark, style = _MARKS[line.ok]
        out.line(f"{mark:4}  {line.name}: {line.detail}", style=style)


@click.command(epilog=_EPILOG)
@click.argument("reference", metavar="RUN")
@click.option(
    "--updates",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Recompute the facts too, from the updates kept in this folder.",
)
@json_option
@click.pass_context
def verify(context: click.Context, reference: str, updates: Path | None, as_json: bool) -> None:
    """Recompute a run's decisions from its journal; exit 1 if anything differs."""
    from parity_flwr.app.verification.verify import verify as verify_run

    folder = RunFolder.find(reference, Environment.read().home)
    found = verify_run(folder, updates=updates)

    def human(out: Output) -> None:
        show_lines(out, found)
        out.line(f"{folder.id}: {'ok' if found.ok else 'does not hold'}", style="bold")

    lines = [{"name": each.name, "ok": each.ok, "detail": each.detail} for each in found.lines]
    result = {"run_id": folder.id, "verify": "ok" if found.ok else "failed", "lines": lines}
    Output(as_json).result(result, human)
    context.exit(0 if found.ok else 1)
