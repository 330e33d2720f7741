"""`parity runs` and `parity reputation`."""

from __future__ import annotations

from typing import Any

import click
from rich.text import Text

from parity_flwr.app.environment import Environment
from parity_flwr.app.runs.folder import RunFolder, all_runs
from parity_flwr.app.runs.in_use import is_in_use
from parity_flwr.app.runs.size import folder_bytes, shown_size
from parity_flwr.app.text import printable
from parity_flwr.cli.members import run_desk
from parity_flwr.cli.members_drawn import draw_standings
from parity_flwr.cli.output import Output, examples, json_option, plain_table, quiet_option
from parity_flwr.cli.progress import Meter
from parity_flwr.cli.runs_rm import remove_runs
from parity_flwr.errors import ParityError


def _listed(folder: RunFolder) -> dict[str, Any]:
    """Return one run as plain data, with its size and whether a process is at work in it."""
    return {
        **_summary(folder),
        "bytes": folder_bytes(folder.path),
        "in_use": is_in_use(folder.path),
    }


def _summary(folder: RunFolder) -> dict[str, Any]:
    """Return one run as plain data; a journal that cannot be read is a row, not an error."""
    from parity_flwr.app.report.summary import summarise
    from parity_flwr.app.runs.outcome import has_journal

    try:
        if not has_journal(folder):
            return {"run_id": folder.id, "path": str(folder.path), "status": "no journal"}
        return summarise(folder)
    except ParityError as error:
        return {
            "run_id": folder.id,
            "path": str(folder.path),
            "status": "unreadable",
            "reason": str(error),
        }


def _draw_runs(out: Output, summaries: list[dict[str, Any]]) -> None:
    if not summaries:
        out.line("no runs yet; start one with: parity demo")
        return
    right = ("rounds", "size")
    table = plain_table("run", "status", "rounds", "size", "quality", "excluded", right=right)
    for each in summaries:
        metric = each.get("metric")
        table.add_row(
            each["run_id"],
            each["status"],
            f"{each.get('rounds', '–')}",
            shown_size(each["bytes"]),
            Text(printable(f"{metric['name']} {metric['value']:.4g}") if metric else "–"),
            Text(printable(", ".join(each.get("excluded", [])), limit=80)),
        )
    out.table(table)


@click.group(
    invoke_without_command=True,
    epilog=examples("parity runs", "parity runs --json", "parity runs rm --older-than 30d"),
)
@json_option
@click.pass_context
def runs(context: click.Context, as_json: bool) -> None:
    """List the runs, oldest first; `rm` removes some."""
    if context.invoked_subcommand is not None:
        return
    summaries = [_listed(folder) for folder in all_runs(Environment.read().home)]
    Output(as_json).result({"runs": summaries}, lambda out: _draw_runs(out, summaries))


runs.add_command(remove_runs)


def _draw_reputation(out: Output, result: dict[str, Any]) -> None:
    from parity_flwr.core.records import DIMENSIONS

    clients = result["clients"]
    if not clients:
        out.line(f"{result['run_id']}: no round stands in the journal yet")
        return
    numbers = ("perf", "qual", "cons", "soc", "rep", "rounds")
    table = plain_table("client", *numbers, "standing", right=numbers)
    for each in clients:
        scores = [f"{each['reputation'][name]:.0f}" for name in DIMENSIONS]
        table.add_row(
            Text(printable(each["identity"], limit=64)),
            *scores,
            f"{each['composite']:.0f}",
            str(each["rounds"]),
            Text(each["standing"], style="" if each["standing"] == "included" else "bold red"),
        )
    out.table(table)


@click.command(
    epilog=examples(
        "parity reputation latest",
        "parity reputation latest --json",
        "parity reputation latest --chain embedded",
    )
)
@click.argument("reference", metavar="RUN")
@click.option(
    "--chain",
    "where",
    metavar="embedded|URL",
    help="What ledger and registry on chain say instead, stakes included.",
)
@quiet_option
@json_option
def reputation(reference: str, where: str | None, quiet: bool, as_json: bool) -> None:
    """Show every client's reputation after a run's last round."""
    out = Output(as_json, quiet=quiet)
    if where is not None:
        from parity_flwr.app.chains.money import chain_standings

        with Meter(out, "reading the chain"):
            found = chain_standings(run_desk(reference, where))
        out.result(found, lambda out: draw_standings(out, found))
        return
    from parity_flwr.app.report.summary import standings

    folder = RunFolder.find(reference, Environment.read().home)
    with Meter(out, f"reading {folder.id}"):
        result = {"run_id": folder.id, **standings(folder)}
    out.result(result, lambda out: _draw_reputation(out, result))
