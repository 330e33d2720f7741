"""`parity bench`."""

from __future__ import annotations

from typing import Any

import click

from parity_flwr.cli.output import Output, examples, json_option, plain_table
from parity_flwr.errors import ConfigError

_CLIENTS, _PARAMETERS = (10, 50, 100), 1_000_000
_FEWEST = 5  # Krum's least
_RUN_CLIENTS, _RUN_PARAMETERS = 10, 159_010


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


def _draw_overhead(out: Output, result: dict[str, Any]) -> None:
    table = plain_table(
        "strategy", "round, s", "CPU s", "share", right=("round, s", "CPU s", "share")
    )
    for name, each in result["strategies"].items():
        table.add_row(
            name, f"{each['wall_s']:.2f}", f"{each['cpu_s']:.4f}", f"{each['share']:.2%}"
        )
    out.table(table)
    out.line(f"reputation costs {result['overhead']:.2%} of a round more than FedAvg")


@click.command(
    epilog=examples(
        "parity bench aggregate",
        "parity bench aggregate --json",
        "parity bench aggregate --clients 100 --parameters 10000000",
        "parity bench overhead --clients 10 --rounds 5 --json",
    )
)
@click.argument("what", type=click.Choice(["aggregate", "overhead"]))
@click.option(
    "--clients",
    type=click.IntRange(2, 10_000),
    multiple=True,
    help="How many replies; 10, 50 and 100 by default. Given again, `aggregate` measures more"
    " sizes. Ratios are of the last one, and `overhead` (10 by default) takes only that.",
)
@click.option(
    "--parameters",
    type=click.IntRange(8, 1_000_000_000),
    help="Length of an update; 1,000,000 for `aggregate`, 159,010 for `overhead` by default.",
)
@click.option(
    "--repeat",
    type=click.IntRange(1, 100),
    default=3,
    show_default=True,
    help="For `aggregate`: calls of each case; the median counts.",
)
@click.option(
    "--case",
    "cases",
    multiple=True,
    metavar="NAME",
    help="For `aggregate`: only the cases of this name, such as reputation or mean; again for"
    " more. All by default.",
)
@click.option(
    "--rounds",
    type=click.IntRange(1, 1000),
    default=5,
    show_default=True,
    help="For `overhead`: rounds of each run. The first one does not count.",
)
@json_option
def bench(
    what: str,
    clients: tuple[int, ...],
    parameters: int | None,
    repeat: int,
    cases: tuple[str, ...],
    rounds: int,
    as_json: bool,
) -> None:
    """Time aggregation, or what reputation costs a whole round.

    `aggregate` times our rules beside Flower's strategies, byzfl's rules and one pass over
    the data. `overhead` runs a federation in Flower's simulation engine twice, under FedAvg
    and under ReputationFedAvg, and times what both strategies do in a round.
    """
    out = Output(as_json)
    if what == "overhead":
        from parity_flwr.app.bench.overhead import overhead

        shown = overhead(
            clients=(clients or (_RUN_CLIENTS,))[-1],
            rounds=rounds,
            parameters=parameters or _RUN_PARAMETERS,
            report=lambda line: click.echo(line, err=True),
        )
        out.result({"what": what, **shown}, lambda out: _draw_overhead(out, shown))
        return
    from parity_flwr.app.bench.running import run_bench

    sizes = [(_enough(n), parameters or _PARAMETERS) for n in clients or _CLIENTS]
    result = run_bench(sizes, repeat=repeat, only=cases)
    out.result({"what": what, **result}, lambda out: _draw(out, result))


def _enough(clients: int) -> int:
    if clients < _FEWEST:
        raise ConfigError(
            f"aggregation is timed with at least {_FEWEST} clients",
            came=str(clients),
            action="raise --clients",
        )
    return clients
