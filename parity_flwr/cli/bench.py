"""`parity bench`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from parity_flwr.cli.bench_tables import (
    draw_aggregate,
    draw_figures,
    draw_forest,
    draw_gas,
    draw_overhead,
)
from parity_flwr.cli.output import Output, examples, json_option, quiet_option
from parity_flwr.cli.progress import Meter

Command = TypeVar("Command", bound=Callable[..., Any])
_PARTS = ("he", "secagg", "dp")
_CLIENTS, _PARAMETERS = (10, 50, 100), 1_000_000
_FEWEST = 5  # Krum's least
_RUN_CLIENTS, _RUN_PARAMETERS = 10, 159_010
_PARTICIPANTS = (10, 100, 1000)


def _parameters_option(default: int) -> Callable[[Command], Command]:
    return click.option(
        "--parameters",
        type=click.IntRange(1, 10**9),
        default=default,
        show_default=True,
        help="Size of the model.",
    )


@click.group()
def bench() -> None:
    """Measure what things cost beside what others do."""


@bench.command(
    epilog=examples(
        "parity bench aggregate",
        "parity bench aggregate --json",
        "parity bench aggregate --clients 100 --parameters 10000000",
    )
)
@click.option(
    "--clients",
    type=click.IntRange(_FEWEST, 10_000),
    multiple=True,
    default=_CLIENTS,
    show_default=True,
    help="How many replies; give it again for more sizes. Ratios are of the last one.",
)
@_parameters_option(_PARAMETERS)
@click.option(
    "--repeat",
    type=click.IntRange(1, 100),
    default=3,
    show_default=True,
    help="Calls of each case; the median counts.",
)
@click.option(
    "--case",
    "cases",
    multiple=True,
    metavar="NAME",
    help="Only the cases of this name, such as reputation or mean; again for"
    " more. All by default.",
)
@quiet_option
@json_option
def aggregate(
    clients: tuple[int, ...],
    parameters: int,
    repeat: int,
    cases: tuple[str, ...],
    quiet: bool,
    as_json: bool,
) -> None:
    """Time the rules beside Flower's strategies, byzfl's rules and one pass over the data."""
    from parity_flwr.app.bench.running import run_bench

    out, sizes = Output(as_json, quiet=quiet), [(n, parameters) for n in clients]
    with Meter(out, "timing") as meter:
        result = run_bench(sizes, repeat=repeat, only=cases, report=meter.note)
    out.result({"what": "aggregate", **result}, lambda out: draw_aggregate(out, result))


@bench.command(epilog=examples("parity bench overhead --clients 10 --rounds 5 --json"))
@click.option(
    "--clients",
    type=click.IntRange(2, 10_000),
    default=_RUN_CLIENTS,
    show_default=True,
    help="How many are simulated.",
)
@_parameters_option(_RUN_PARAMETERS)
@click.option(
    "--rounds",
    type=click.IntRange(1, 1000),
    default=5,
    show_default=True,
    help="Rounds of each run. The first one does not count.",
)
@quiet_option
@json_option
def overhead(clients: int, parameters: int, rounds: int, quiet: bool, as_json: bool) -> None:
    """Time what reputation costs a round of a real run in Flower's simulation engine."""
    from parity_flwr.app.bench.overhead import overhead as measure

    out = Output(as_json, quiet=quiet)
    with Meter(out, "two runs") as meter:
        shown = measure(
            clients=clients, rounds=rounds, parameters=parameters, report=meter.notes(2)
        )
    out.result({"what": "overhead", **shown}, lambda out: draw_overhead(out, shown))


@bench.command(
    epilog=examples(
        "parity bench privacy --json", "parity bench privacy --part dp --data DIR --json"
    )
)
@click.option(
    "--part",
    "parts",
    type=click.Choice(_PARTS),
    multiple=True,
    default=_PARTS,
    show_default=True,
    help="What to measure: encryption, secure aggregation, differential privacy; again for"
    " more.",
)
@click.option(
    "--data",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder with mnist.npz. Without it the part dp is skipped.",
)
@click.option("--quick", is_flag=True, help="Small sizes, to see that it runs.")
@quiet_option
@json_option
def privacy(
    parts: tuple[str, ...], data: Path | None, quick: bool, quiet: bool, as_json: bool
) -> None:
    """Time encrypted sums beside NVFLARE's way, and secure aggregation beside Flower's.

    10 clients and 10^6 parameters, and 100 with 10^5, unless --quick. The part dp measures
    accuracy against epsilon on MNIST. In full the first two take about ten CPU minutes, most
    of them Flower's, and dp half an hour.
    """
    from parity_flwr.app.bench.running import run_privacy_bench

    out = Output(as_json, quiet=quiet)
    with Meter(out, "measuring") as meter:
        figures = run_privacy_bench(quick=quick, parts=parts, data=data, report=meter.note)
    out.result({"what": "privacy", **figures}, lambda out: draw_figures(out, figures))


@bench.command(epilog=examples("parity bench forest --data DIR --json"))
@click.option(
    "--data",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder with support2.csv.gz and credit_default.csv.gz.",
)
@click.option("--seeds", type=click.IntRange(1, 100), help="Fewer seeds than usual.")
@quiet_option
@json_option
def forest(data: Path | None, seeds: int | None, quiet: bool, as_json: bool) -> None:
    """Measure federated forests beside pooled ones, and under attack."""
    from parity_flwr.app.bench.running import run_forest_bench

    out = Output(as_json, quiet=quiet)
    with Meter(out, "growing forests") as meter:
        found = run_forest_bench(data, seeds=seeds, report=meter.note)
    out.result({"what": "forest", **found}, lambda out: draw_forest(out, found))


@bench.command(epilog=examples("parity bench gas", "parity bench gas --json"))
@click.option(
    "--clients",
    type=click.IntRange(2, 2_000),
    multiple=True,
    default=_PARTICIPANTS,
    show_default=True,
    help="How many participate; again for more sizes.",
)
@quiet_option
@json_option
def gas(clients: tuple[int, ...], quiet: bool, as_json: bool) -> None:
    """Measure the gas of rounds and claims on the embedded chain, beside a naive loop."""
    from parity_flwr.app.bench.gas import bench_gas

    out = Output(as_json, quiet=quiet)
    with Meter(out, "sending transactions") as meter:
        found = bench_gas(clients, report=meter.notes(len(clients)))
    out.result({"what": "gas", **found}, lambda out: draw_gas(out, found))
