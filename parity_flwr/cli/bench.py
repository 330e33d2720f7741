"""`parity bench`."""

from __future__ import annotations

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


def _draw_figures(out: Output, figures: dict[str, Any]) -> None:
    table = plain_table("figure", "value", right=("value",))
    for name, value in figures.items():
        if isinstance(value, float):
            table.add_row(name, f"{value:.6g}")
    out.table(table)


@click.command(
    epilog=examples(
        "parity bench aggregate",
        "parity bench aggregate --json",
        "parity bench aggregate --clients 100 --parameters 10000000",
        "parity bench privacy --json",
    )
)
@click.argument("what", type=click.Choice(["aggregate", "privacy"]))
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
@click.option("--quick", is_flag=True, help="privacy: small sizes, to see that it runs.")
@json_option
def bench(
    what: str,
    clients: tuple[int, ...],
    parameters: int,
    repeat: int,
    quick: bool,
    as_json: bool,
) -> None:
    """Measure what things cost beside what others do.

    aggregate: the rules, beside Flower's strategies, byzfl's rules and one pass over the
    data. privacy: encrypted sums beside NVFLARE's way, secure aggregation beside Flower's;
    10 clients and 10^6 parameters unless --quick.
    """
    from parity_flwr.app.bench.running import run_bench, run_privacy_bench

    if what == "privacy":
        figures = run_privacy_bench(quick=quick)
        Output(as_json).result(
            {"what": what, **figures}, lambda out: _draw_figures(out, figures)
        )
        return
    result = run_bench([(n, parameters) for n in clients], repeat=repeat)
    Output(as_json).result({"what": what, **result}, lambda out: _draw(out, result))
