"""`parity demo`."""

from __future__ import annotations

import click

from parity_flwr.app.environment import Environment
from parity_flwr.app.live import LiveTable
from parity_flwr.cli.output import Output, examples, json_option


@click.command(epilog=examples("parity demo", "parity demo --seed 3", "parity demo --json"))
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True)
@click.option("--quiet", is_flag=True, help="No live table.")
@json_option
def demo(seed: int, quiet: bool, as_json: bool) -> None:
    """Ten clients on real images, three of them attackers, in under a minute, offline."""
    from parity_flwr.app.demo import run_demo

    out = Output(as_json, quiet=quiet)
    with LiveTable(out.progress) as table:
        result = run_demo(seed=seed, home=Environment.read().home, on_progress=table).to_json()

    def human(out: Output) -> None:
        out.line(f"accuracy, FedAvg over the honest alone  {result['accuracy_clean']:.1%}")
        out.line(f"accuracy, FedAvg with the attackers     {result['accuracy_fedavg']:.1%}")
        out.line(f"accuracy, parity with the attackers     {result['accuracy_parity']:.1%}")
        out.line(f"attackers  {', '.join(result['attackers'])}")
        out.line(f"excluded   {', '.join(result['flagged']) or 'nobody'}")
        out.line(f"verify     {result['verify']}")
        out.line(f"report     {result['report']}")

    out.result(result, human)
