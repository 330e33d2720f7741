"""`parity compare`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from parity_flwr.app.environment import Environment
from parity_flwr.cli.listing import listed
from parity_flwr.cli.output import Output, examples, json_option, quiet_option
from parity_flwr.cli.progress import Meter
from parity_flwr.errors import ConfigError

if TYPE_CHECKING:
    from parity_flwr.app.compare.run import Comparison

MAX_SEEDS = 1000
_PRESETS = (
    "smoke",
    "paper-table-2",
    "convergence",
    "grid",
)  # not imported: help needs no numpy


@click.command(
    epilog=examples(
        "parity compare",
        "parity compare --preset grid --data DIR --jobs 4 --output grid",
        "parity compare --preset grid --data DIR --output grid --resume",
        "parity compare --strategies reputation,oracle --attacks alie --fractions 0.3",
    )
)
@click.option(
    "--preset",
    type=click.Choice(_PRESETS),
    default="smoke",
    show_default=True,
    help="Which experiment.",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Folder with mnist.npz, fashion_mnist.npz, ...",
)
@click.option("--strategies", default="", help="Names between commas; default: the preset's.")
@click.option("--attacks", default="", help="Names between commas.")
@click.option("--fractions", default="", help="Shares of attackers, such as 0,0.2,0.3.")
@click.option("--partitions", default="", help="Names between commas.")
@click.option("--seeds", default="", help="How many (5), or which (0,3,7).")
@click.option(
    "--jobs",
    type=click.IntRange(1, 256),
    default=2,
    show_default=True,
    help="How many processes.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for results.jsonl, table.md and plot.png; default: a new one in $PARITY_HOME.",
)
@click.option("--resume", is_flag=True, help="Carry on in --output; finished cells stay.")
@quiet_option
@json_option
def compare(
    preset: str,
    data: Path | None,
    strategies: str,
    attacks: str,
    fractions: str,
    partitions: str,
    seeds: str,
    jobs: int,
    output: Path | None,
    resume: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Strategies against attacks, over fractions of attackers, divisions and seeds."""
    from parity_flwr.app.compare.presets import PRESETS, narrowed
    from parity_flwr.app.compare.run import compare as run

    if resume and output is None:
        raise ConfigError("--resume needs a folder", came="none", action="give --output DIR")
    plan = narrowed(
        PRESETS[preset](data),
        strategies=listed(strategies, str, "strategies"),
        attacks=listed(attacks, str, "attacks"),
        fractions=listed(fractions, float, "fractions"),
        partitions=listed(partitions, str, "partitions"),
        seeds=_seeds(seeds),
    )
    out = Output(as_json, quiet=quiet)
    with Meter(out, f"comparison {plan.name}") as meter:
        done = run(
            plan,
            output or _new_folder(plan.name),
            jobs=jobs,
            resume=resume,
            on_progress=meter,
        )
    out.result(done.to_json(), lambda out: _show(out, done))


def _seeds(text: str) -> tuple[int, ...]:
    """Read "5" as the seeds 0 to 4, and "3," or "0,3,7" as those seeds."""
    values = listed(text, int, "seeds")
    if "," in text or not values:
        return values
    if not 1 <= values[0] <= MAX_SEEDS:
        raise ConfigError(
            f"--seeds needs a number from 1 to {MAX_SEEDS}, or seeds between commas",
            came=repr(text[:60]),
            action="change --seeds",
        )
    return tuple(range(values[0]))


def _new_folder(name: str) -> Path:
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    base = Environment.read().home / "compare"
    names = (f"{stamp}-{name}{suffix}" for suffix in ("", *(f"-{k}" for k in range(1, 1000))))
    return next(path for path in map(base.joinpath, names) if not path.exists())


def _show(out: Output, done: Comparison) -> None:
    for line in done.table.read_text(encoding="utf-8").splitlines():
        out.line(line)
    out.line("")
    for path in (done.results, done.table, done.plot):
        out.line(str(path))
