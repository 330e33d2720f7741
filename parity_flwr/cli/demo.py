"""`parity demo`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from rich.table import Table

from parity_flwr.app.environment import Environment
from parity_flwr.app.runs.live import LiveTable
from parity_flwr.cli.output import Output, examples, json_option
from parity_flwr.cli.verify import show_lines
from parity_flwr.errors import RunError

if TYPE_CHECKING:
    from parity_flwr.app.demo import DemoResult


@click.command(epilog=examples("parity demo", "parity demo --seed 3", "parity demo --json"))
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True)
@click.option("--quiet", is_flag=True, help="No live table.")
@json_option
def demo(seed: int, quiet: bool, as_json: bool) -> None:
    """Ten clients on real images, three of them attackers, in under a minute, offline."""
    from parity_flwr.app.demo import run_demo

    out = Output(as_json, quiet=quiet)
    with LiveTable(out.progress) as table:
        done = run_demo(seed=seed, home=Environment.read().home, on_progress=table)
    out.result(done.to_json(), lambda out: _show(out, done))
    if not done.verification.ok:
        raise RunError(
            f"run {done.run_id} needs to verify",
            came="; ".join(
                f"{x.name}: {x.detail}" for x in done.verification.lines if x.ok is False
            ),
            action=f"see: parity verify {done.run_id}",
        )


def _show(out: Output, done: DemoResult) -> None:
    """Draw the result for people: three accuracies, who was found out, the verdict."""
    table = Table("accuracy on the test set", "", box=None, pad_edge=False)
    table.add_row("FedAvg, the seven honest clients alone", f"{done.accuracy_clean:.1%}")
    table.add_row("FedAvg, all ten", f"{done.accuracy_fedavg:.1%}")
    table.add_row("parity, all ten", f"{done.accuracy_parity:.1%}", style="bold")
    out.table(table)
    out.line("")
    out.line(f"attackers  {', '.join(done.attackers)}")
    out.line(f"excluded   {', '.join(done.flagged) or 'nobody'}")
    out.line("")
    show_lines(out, done.verification)
    out.line(f"verify     {'ok' if done.verification.ok else 'failed'}")
    out.line(f"report     {done.report}")
    out.line(f"seconds    {done.seconds:.1f}")
