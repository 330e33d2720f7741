"""`parity bench`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from parity_flwr.cli.output import Output, examples, json_option, plain_table

_CLIENTS, _PARAMETERS = (10, 50, 100), 1_000_000


def _draw(out: Output, result: dict[str, Any]) -> None:
    cases = plain_table(
        "rule", "of", "n", "d", "CPU s", "MiB", right=("n", "d", "CPU s", "MiB")
    )
    for each in result["cases"]:
        cases.add_row(
            each["name"],
            each["impl"],
            f"{each['n']}",
            f"{each['d']}",
            f"{each['cpu_s']:.4f}",
            f"{each['extra_mib']:.1f}",
        )
    out.table(cases)
    last = result["ratios_by_size"][-1]
    out.line(f"our time over theirs, n = {last['n']}, d = {last['d']}:")
    table = plain_table("ratio", "value", right=("value",))
    for name, value in result["ratios"].items():
        table.add_row(name, f"{value:.3f}")
    out.table(table)
    for name, reason in result["skipped"].items():
        out.line(f"{name}: {reason}")


_FIGURES = ("pooled", "pooled_alike", "federated", "honest", "attacked", "undefended")


def _draw_forest(out: Output, result: dict[str, Any]) -> None:
    table = plain_table("data", "seeds", *_FIGURES, "holds", right=("seeds", *_FIGURES))
    for each in result["cases"]:
        figures = [f"{each[name]:.2f}" for name in _FIGURES]
        holds = "yes" if each["holds"] else "no"
        table.add_row(each["name"], str(each["seeds"]), *figures, holds)
    out.table(table)


@click.command(
    epilog=examples(
        "parity bench aggregate",
        "parity bench aggregate --json",
        "parity bench aggregate --clients 100 --parameters 10000000",
        "parity bench forest --data DIR --json",
    )
)
@click.argument("what", type=click.Choice(["aggregate", "forest"]))
@click.option(
    "--clients",
    type=click.IntRange(5, 10_000),
    multiple=True,
    default=_CLIENTS,
    show_default=True,
    help="How many replies; give it again for more sizes. Ratios are of the last one.",
)
@click.option(
    "--parameters",
    type=click.IntRange(8, 1_000_000_000),
    default=_PARAMETERS,
    show_default=True,
    help="Length of an update.",
)
@click.option(
    "--repeat",
    type=click.IntRange(1, 100),
    default=3,
    show_default=True,
    help="Calls of each case; the median counts.",
)
@click.option(
    "--data",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="forest: folder with support2.csv.gz and credit_default.csv.gz.",
)
@click.option("--seeds", type=click.IntRange(1, 100), help="forest: fewer seeds than usual.")
@json_option
def bench(
    what: str,
    clients: tuple[int, ...],
    parameters: int,
    repeat: int,
    data: Path | None,
    seeds: int | None,
    as_json: bool,
) -> None:
    """Time aggregation beside Flower's strategies, byzfl's rules and one pass over the data.

    With forest: the accuracy of federated forests beside pooled ones, and under attack.
    """
    from parity_flwr.app.bench.running import run_bench, run_forest_bench

    if what == "forest":
        found = {"what": what, **run_forest_bench(data, seeds=seeds)}
        Output(as_json).result(found, lambda out: _draw_forest(out, found))
        return
    result = run_bench([(n, parameters) for n in clients], repeat=repeat)
    Output(as_json).result({"what": what, **result}, lambda out: _draw(out, result))
