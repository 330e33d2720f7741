"""`parity demo`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from rich.table import Table

from parity_flwr.app.environment import Environment
from parity_flwr.cli.asked import asked_of
from parity_flwr.cli.output import Output, examples, json_option, plain_table, quiet_option
from parity_flwr.cli.verify import show_lines
from parity_flwr.core.economy.amounts import UNIT
from parity_flwr.errors import MissingExtraError, RunError

if TYPE_CHECKING:
    from parity_flwr.app.demo import DemoResult

_NUMBERS = ("reputation", "reward")


@click.command(epilog=examples("parity demo", "parity demo --seed 3", "parity demo --json"))
@click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    default=0,
    show_default=True,
    help="Decides every draw.",
)
@click.option(
    "--chain",
    type=click.Choice(["off", "embedded"]),
    help="Where rounds are anchored and clients are paid.  [embedded, if it is installed]",
)
@quiet_option
@json_option
@click.pass_context
def demo(
    context: click.Context, seed: int, chain: str | None, quiet: bool, as_json: bool
) -> None:
    """Ten clients on real images, three of them attackers, in under a minute, offline."""
    from parity_flwr.app.chains.choice import OFF, ChainChoice
    from parity_flwr.app.demo import run_demo
    from parity_flwr.app.runs.live import LiveTable
    from parity_flwr.chain_bridge.connecting import EMBEDDED

    out = Output.of(context, as_json, quiet=quiet)
    with LiveTable(out.progress) as table:
        done = run_demo(
            seed=seed,
            home=Environment.read().home,
            on_progress=table,
            chain=ChainChoice.parse(chain or (EMBEDDED if _has_chain() else OFF)),
            asked=asked_of(context),
        )
    out.result(done.to_json(), lambda out: _show(out, done))
    if not done.verification.ok:
        raise RunError(
            f"run {done.run_id} needs to verify",
            came="; ".join(
                f"{x.name}: {x.detail}" for x in done.verification.lines if x.ok is False
            ),
            action=f"see: parity verify {done.run_id}",
        )


def _has_chain() -> bool:
    """Say whether the extra that the embedded chain needs is installed."""
    from parity_flwr.chain_bridge.evm import require_evm

    try:
        require_evm()
    except MissingExtraError:
        return False
    return True


def _show(out: Output, done: DemoResult) -> None:
    """Draw the result for people: three accuracies, who was found out, the verdict."""
    table = Table("accuracy on the test set", "", box=None, pad_edge=False)
    table.add_row("FedAvg, the seven honest clients alone", f"{done.accuracy_clean:.1%}")
    table.add_row("FedAvg, all ten", f"{done.accuracy_fedavg:.1%}")
    table.add_row("parity, all ten", f"{done.accuracy_parity:.1%}", style="bold")
    out.table(table)
    out.line("")
    out.table(_clients(done))
    out.line("")
    if done.chain is not None:
        made = done.chain
        out.line(
            f"chain      embedded, ledger {made.deployment.ledger}: {made.anchored} of "
            f"{made.rounds} rounds, {made.round_gas} gas each"
        )
    else:
        out.line("chain      off; pip install 'parity-flwr[chain]' for rewards")
    if done.trouble:
        out.line(f"trouble    {done.trouble}", style="bold red")
    out.line(f"report     {done.report}")
    out.line(f"seconds    {done.seconds:.1f}")
    out.line("")
    show_lines(out, done.verification)
    out.line(f"verify     {'ok' if done.verification.ok else 'failed'}")


def _clients(done: DemoResult) -> Table:
    """Return who attacked, who was found out, and who was paid what."""
    paid = {} if done.chain is None else done.chain.rewards.earned
    table = plain_table("client", "is", "ended", "reputation", "reward", right=_NUMBERS)
    for name, reputation in sorted(done.reputation.items()):
        table.add_row(
            name,
            "an attacker" if name in done.attackers else "honest",
            "excluded" if name in done.flagged else "included",
            f"{reputation:.0f}",
            "–" if done.chain is None else f"{paid.get(name, 0) / UNIT:.2f}",
        )
    return table
