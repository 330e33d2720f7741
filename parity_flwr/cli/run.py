"""`parity run`: a Flower app, or a table in a CSV file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from parity_flwr.app.environment import Environment
from parity_flwr.app.runs.folder import RunFolder
from parity_flwr.cli.asked import asked_of
from parity_flwr.cli.chain_options import chain_options, draw_chain
from parity_flwr.cli.disk_options import disk_cap_option, draw_disk
from parity_flwr.cli.output import Output, examples, json_option, quiet_option
from parity_flwr.cli.run_table import (
    DEFAULT_CLIENTS,
    TableOptions,
    draw_table,
    run_csv,
    table_options,
)
from parity_flwr.errors import ConfigError

if TYPE_CHECKING:
    from parity_flwr.app.runs.running import RunRequest

_EPILOG = examples(
    "parity run examples/quickstart",
    "parity run examples/quickstart --engine inprocess --clients 20",
    "parity run . --run-config 'num-server-rounds=5 seed=7' --baseline",
    "parity run examples/healthcare --data support2.csv.gz",
    "parity run . --engine deployment --superlink 127.0.0.1:8000",
    "parity run . --resume latest",
    "parity run . --chain embedded",
    "parity run . --chain http://127.0.0.1:8545 --wallet publisher --members members.json",
    "parity run data.csv --target price --model random_forest --clients 10 --rounds 3",
    "parity run data.csv --target sick --model logistic --privacy medium --epsilon 2",
)
_ONLY_OF_APPS = (
    "run_config",
    "data",
    "superlink",
    "root_certificates",
    "reputation_from",
    "baseline",
    "timeout",
)
_ENGINES = click.Choice(["inprocess", "simulation", "deployment"])


def _draw(out: Output, result: dict[str, Any]) -> None:
    out.line(f"run        {result['run_id']} {result['status']} in {result['seconds']:.1f} s")
    if not result["journal"]:
        out.line(
            "journal    none: the app does not use parity_flwr.strategies, or ran elsewhere"
        )
        return
    out.line(f"rounds     {result['accepted_rounds']} of {result['rounds']} accepted")
    metric, baseline = result["metric"], result.get("baseline")
    if metric is not None:
        out.line(f"{metric['name'][:10]:10} {metric['value']:.4g} ({metric['source']})")
    if baseline is not None:
        value = baseline["metric"] and baseline["metric"]["value"]
        shown = baseline["reason"] or (f"{value:.4g}" if value is not None else "not finite")
        out.line(f"FedAvg     {shown}")
    out.line(f"excluded   {', '.join(result['excluded']) or 'nobody'}")
    out.line(f"model      {result['model_hash']}")
    draw_chain(out, result["chain"])
    draw_disk(out, result["disk"])
    for line in result["summary"]:
        out.line(line)
    if result["results"]:
        out.line(f"results    {result['results']}")
    out.line(f"next       parity report {result['run_id']}")


def _refuse_for_a_table(given: Mapping[str, Any]) -> None:
    for name in _ONLY_OF_APPS:
        if given[name] not in (None, "", (), False):
            option = f"--{name.replace('_', '-')}"
            raise ConfigError(
                "a table runs with its own options", came=option, action=f"leave out {option}"
            )


def _run_app(request: RunRequest, out: Output) -> None:
    from parity_flwr.app.runs.live import LiveTable
    from parity_flwr.app.runs.running import perform

    if out.takes(request):
        return
    with LiveTable(out.progress) as table:
        result = perform(request, table)
    out.result(result, lambda out: _draw(out, result))


@click.command(epilog=_EPILOG)
@click.argument("app", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--engine", type=_ENGINES, default=None, help="What runs it.  [simulation; CSV: inprocess]"
)
@click.option(
    "--clients",
    type=click.IntRange(1),
    default=None,
    help=f"How many clients to simulate.  [{DEFAULT_CLIENTS}]",
)
@click.option(
    "--run-config", multiple=True, metavar="K=V", help="As of 'flwr run'; repeatable."
)
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="For an app with 'data' in its config: the file's path.",
)
@click.option("--superlink", metavar="ADDRESS", help="HOST:PORT of a running SuperLink.")
@click.option(
    "--root-certificates",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Who signed that SuperLink's certificate.",
)
@click.option("--resume", metavar="RUN", help="Continue a run that did not complete.")
@click.option("--reputation-from", metavar="RUN", help="Start with that run's reputation.")
@click.option("--keep-updates", is_flag=True, help="Keep updates for 'verify --updates'.")
@disk_cap_option
@click.option("--baseline", is_flag=True, help="Run again without reputation, to compare.")
@click.option("--timeout", type=click.FloatRange(0, min_open=True), help="Seconds at most.")
@quiet_option
@chain_options
@table_options
@json_option
@click.pass_context
def run(
    context: click.Context,
    app: Path,
    engine: str | None,
    clients: int | None,
    run_config: tuple[str, ...],
    data: Path | None,
    superlink: str | None,
    root_certificates: Path | None,
    resume: str | None,
    reputation_from: str | None,
    keep_updates: bool,
    disk_cap: int | None,
    baseline: bool,
    timeout: float | None,
    quiet: bool,
    chain: str | None,
    wallet: str | None,
    members: Path | None,
    by_stake: bool,
    target: str | None,
    model: str | None,
    rounds: int | None,
    task: str | None,
    partition: str | None,
    seed: int | None,
    privacy: str | None,
    epsilon: float | None,
    delta: float | None,
    clip: float | None,
    attack: str | None,
    as_json: bool,
) -> None:
    """Run the Flower app in directory APP, and fail if it gives no sound model.

    APP may also be a CSV file: then its rows are divided among --clients, and a --model of
    the --target is trained on them for --rounds, in this process or with --engine simulation.
    """
    from parity_flwr.app.chains.choice import ChainChoice
    from parity_flwr.app.engines.engine import Engine
    from parity_flwr.app.engines.run_data import with_data
    from parity_flwr.app.runs.running import RunRequest

    home = Environment.read().home
    out = Output.of(context, as_json, quiet=quiet)
    chosen = ChainChoice.parse(chain, wallet=wallet, members=members, by_stake=by_stake)
    options = TableOptions(
        target=target,
        model=model,
        rounds=rounds,
        task=task,
        partition=partition,
        seed=seed,
        privacy=privacy,
        epsilon=epsilon,
        delta=delta,
        clip=clip,
        attack=attack,
    )
    resumed = RunFolder.find(resume, home) if resume else None
    if not app.is_dir():
        _refuse_for_a_table(context.params)
        found = run_csv(
            app,
            options,
            engine=Engine(engine or "inprocess"),
            clients=clients,
            home=home,
            resume=resumed,
            keep_updates=keep_updates,
            disk_cap=disk_cap,
            chain=chosen,
            asked=asked_of(context),
            out=out,
        )
        if found:
            out.result(found, lambda out: draw_table(out, found))
        return
    options.refuse_for_an_app()
    request = RunRequest(
        app=app,
        engine=Engine(engine or ("deployment" if superlink else "simulation")),
        num_clients=DEFAULT_CLIENTS if clients is None else clients,
        run_config=with_data(run_config, data),
        superlink=superlink,
        root_certificates=root_certificates,
        resume=resumed,
        reputation_from=RunFolder.find(reputation_from, home) if reputation_from else None,
        keep_updates=keep_updates,
        disk_cap=disk_cap,
        baseline=baseline,
        timeout_s=timeout,
        chain=chosen,
        asked=asked_of(context),
    )
    _run_app(request, out)
