"""`parity run data.csv`: its options, its run, and what it prints at the end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from parity_flwr.app.environment import Environment
from parity_flwr.app.runs.asked import AskedRun
from parity_flwr.app.runs.folder import RunFolder
from parity_flwr.cli.chain_options import draw_chain
from parity_flwr.cli.disk_options import draw_disk
from parity_flwr.cli.output import Output
from parity_flwr.cli.progress import Meter
from parity_flwr.errors import ConfigError

if TYPE_CHECKING:
    from parity_flwr.app.chains.choice import ChainChoice
    from parity_flwr.app.engines.engine import Engine
    from parity_flwr.app.tabular.plan import TabularPlan

_Command = TypeVar("_Command", bound=Callable[..., Any])

_MODELS = click.Choice(["neural_network", "linear", "logistic", "random_forest"])
_LEVELS = click.Choice(["off", "low", "medium", "high"])
_TASKS = click.Choice(["classification", "regression"])
_ROUNDS = 5
_SHORT = {"average_precision": "avg. prec."}
DEFAULT_CLIENTS = 10
"""How many clients there are where nobody says."""


@dataclass(frozen=True, kw_only=True)
class TableOptions:
    """The options that only a table has, None where not given."""

    target: str | None = None
    model: str | None = None
    rounds: int | None = None
    task: str | None = None
    partition: str | None = None
    seed: int | None = None
    privacy: str | None = None
    epsilon: float | None = None
    delta: float | None = None
    clip: float | None = None
    attack: str | None = None

    def refuse_for_an_app(self) -> None:
        """Refuse these options beside a Flower app.

        Raises
        ------
        ConfigError
            If one is given.
        """
        for field in fields(self):
            if getattr(self, field.name) is not None:
                raise ConfigError(
                    f"--{field.name} needs a CSV file",
                    came="the directory of a Flower app",
                    action=f"leave out --{field.name}, or give a file",
                )


def table_options(command: _Command) -> _Command:
    """Add the options of a table to a command."""
    options = (
        click.option("--target", metavar="COLUMN", help="CSV: the column to predict."),
        click.option("--model", type=_MODELS, help="CSV: what is trained."),
        click.option(
            "--rounds", type=click.IntRange(1), help=f"CSV: how many rounds.  [{_ROUNDS}]"
        ),
        click.option("--task", type=_TASKS, help="CSV: what the target holds.  [inferred]"),
        click.option(
            "--partition",
            metavar="HOW",
            help="CSV: iid, stratified, sequential, dirichlet:ALPHA, label-skew:CLASSES, "
            "quantity:ALPHA or by:COLUMN.  [iid]",
        ),
        click.option("--seed", type=click.IntRange(0), help="CSV: decides every draw.  [0]"),
        click.option(
            "--privacy",
            type=_LEVELS,
            help="CSV: differential privacy for each row; high: secure sums too.  [off]",
        ),
        click.option("--epsilon", type=float, help="CSV: instead of the level's."),
        click.option("--delta", type=float, help="CSV: instead of the level's."),
        click.option("--clip", type=float, help="CSV: longest gradient of one row.  [1]"),
        click.option(
            "--attack",
            metavar="KIND:FRACTION",
            help="CSV: let that share of the clients lie, as in sign_flip:0.3.  [nobody]",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def run_csv(
    path: Path,
    options: TableOptions,
    *,
    engine: Engine,
    clients: int | None,
    home: Path,
    resume: RunFolder | None,
    keep_updates: bool,
    disk_cap: int | None,
    chain: ChainChoice | None,
    asked: AskedRun,
    out: Output,
) -> dict[str, Any]:
    """Run a federation over the rows of a CSV file; empty if the caller took the request.

    Raises
    ------
    ConfigError
        If --target or --model is missing, or an option does not fit.
    """
    from parity_flwr.app.runs.live import LiveTable
    from parity_flwr.app.tabular.preparing import TabularRequest, prepare_table
    from parity_flwr.app.tabular.running import run_table

    request = TabularRequest(
        plan=_plan(path, options, clients=clients),
        home=home,
        resume=resume,
        keep_updates=keep_updates,
        disk_cap=disk_cap if disk_cap is not None else Environment.read().disk_cap,
        engine=engine,
        chain=chain,
        asked=asked,
    )
    if out.takes(request):
        return {}
    with Meter(out, f"preparing {path.name}") as meter:
        prepared = prepare_table(request, watch=meter.watch)
    for line in prepared.meaning:
        _say(out, options, line)
    with LiveTable(out.progress) as table:
        return run_table(prepared, table)


def _plan(path: Path, options: TableOptions, *, clients: int | None) -> TabularPlan:
    from parity_flwr.app.tabular.attack_asked import AttackAsked
    from parity_flwr.app.tabular.plan import Model, PrivacyAsked, TabularPlan
    from parity_flwr.app.tabular.target import Task
    from parity_flwr.core.privacy.presets import Level

    for name in ("target", "model"):
        if getattr(options, name) is None:
            raise ConfigError(
                f"a table needs --{name}", came="none", action=f"give --{name}, see --help"
            )
    return TabularPlan(
        data=path,
        target=str(options.target),
        model=Model(str(options.model)),
        clients=_clients(clients, options.partition),
        rounds=_ROUNDS if options.rounds is None else options.rounds,
        task=Task(options.task) if options.task else None,
        partition=options.partition or "iid",
        seed=options.seed or 0,
        privacy=PrivacyAsked(
            level=Level(options.privacy or "off"),
            epsilon=options.epsilon,
            delta=options.delta,
            clip=options.clip,
        ),
        attack=AttackAsked.parse(options.attack),
    )


def _clients(given: int | None, partition: str | None) -> int:
    """Return how many; natural clients are counted in the file."""
    natural = (partition or "").startswith("by:")
    return given if given is not None else 0 if natural else DEFAULT_CLIENTS


def _say(out: Output, options: TableOptions, line: str) -> None:
    """Print what is promised, if a level was given, and who attacks; JSON has both."""
    if options.privacy is None and not line.startswith("attack: "):
        return
    if out.as_json:
        out.progress.print(line, soft_wrap=True)
    else:
        out.line(line)


def draw_table(out: Output, result: dict[str, Any]) -> None:
    """Print what a run on a table ended with."""
    out.line(f"run        {result['run_id']} {result['status']} in {result['seconds']:.1f} s")
    out.line(f"rounds     {result['accepted_rounds']} of {result['rounds']} accepted")
    out.line(
        f"data       {result['train_rows']} rows on {result['clients']} clients, "
        f"{result['test_rows']} held out, {result['inputs']} inputs"
    )
    if result["dropped_columns"]:
        out.line(f"dropped    {', '.join(result['dropped_columns'])}: nothing to learn there")
    if result["skipped_rows"]:
        out.line(f"skipped    {result['skipped_rows']} rows without a target or client")
    draw_metrics(out, result["metrics"], "held-out rows")
    for note in result["notes"]:
        out.line(f"note       {note}")
    if "spent" in result["privacy"]:
        privacy = result["privacy"]
        out.line(
            f"privacy    {privacy['level']}: epsilon {privacy['spent']:.4g} of "
            f"{privacy['epsilon']:g} spent at delta {privacy['delta']:g} by the client that "
            f"spent most; the held-out rows are not covered"
        )
    excluded = [_named(each, result["client_names"]) for each in result["excluded"]]
    out.line(f"excluded   {', '.join(excluded) or 'nobody'}")
    _draw_attack(out, result["attack"])
    out.line(f"model      {result['model_hash']}")
    out.line(f"folder     {result['model_folder']}")
    draw_chain(out, result["chain"])
    draw_disk(out, result["disk"])
    out.line(f"next       parity predict {result['run_id']} new.csv")
    out.line(f"next       parity report {result['run_id']}")


def _draw_attack(out: Output, attack: dict[str, Any] | None) -> None:
    """Print who of the attackers was found, and who was taken for one."""
    if attack is None:
        return
    found, liars = attack["found"], attack["attackers"]
    missed = ", ".join(each for each in liars if each not in found)
    wronged = ", ".join(attack["honest_without_a_say"])
    out.line(
        f"attackers  found {len(found)} of {len(liars)} ({attack['kind']})"
        + (f"; missed {missed}" if missed else "")
        + (f"; without a say though honest: {wronged}" if wronged else "")
    )
    if attack["note"]:
        out.line(f"note       {attack['note']}")
    out.line("compare    the same command without --attack shows what the attack cost")


def _named(identity: str, names: list[str]) -> str:
    """Return a client with its own name, where it has one."""
    place = identity.removeprefix("client-")
    if not (place.isdecimal() and int(place) < len(names)):
        return identity
    return f"{identity} ({names[int(place)]})"


def draw_metrics(out: Output, metrics: Mapping[str, float], where: str) -> None:
    """Print metrics, one on a line, and the rows that they are of."""
    for name, value in metrics.items():
        out.line(f"{_SHORT.get(name, name):10} {value:.4g} ({where})")
