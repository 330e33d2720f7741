"""`parity chain`."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import click

from parity_flwr.app.environment import Environment
from parity_flwr.cli import chain_members
from parity_flwr.cli.chain_options import by_stake_option, draw_chain
from parity_flwr.cli.output import Output, examples, json_option, quiet_option
from parity_flwr.cli.progress import Meter
from parity_flwr.errors import ConfigError, RunError

_WEI = 10**18
_CHAIN = click.option(
    "--chain",
    "where",
    default="embedded",
    show_default=True,
    metavar="embedded|URL",
    help="Which chain.",
)
_WALLET = click.option("--wallet", metavar="NAME", help="Sign with this wallet's key.")


@click.group()
def chain() -> None:
    """Put the contracts on a chain and see how they stand.

    The embedded chain lives in this home and needs no server; a URL names any node. Keys:
    --wallet NAME with PARITY_WALLET_PASSWORD, or PARITY_CHAIN_KEY; never on the command line.
    """


@chain.command(
    "deploy",
    epilog=examples("parity chain deploy", "parity chain deploy --chain http://127.0.0.1:8545"),
)
@_CHAIN
@_WALLET
@click.option(
    "--delay",
    type=click.IntRange(0, 30 * 86_400),
    default=3600,
    show_default=True,
    help="Seconds until a round's rewards can be claimed, time for a dispute.",
)
@click.option(
    "--pool",
    default="1000000",
    show_default=True,
    metavar="TOKENS",
    help="How many tokens to mint into the pool of rewards.",
)
@click.option("--force", is_flag=True, help="Even if this home has contracts there.")
@quiet_option
@json_option
def deploy(
    where: str,
    wallet: str | None,
    delay: int,
    pool: str,
    force: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Deploy token, registry, ledger and rewards, and write down their addresses."""
    from parity_flwr.app.chains.commands import ChainDesk
    from parity_flwr.chain_bridge.deployment import DeploymentSettings

    out, tokens = Output(as_json, quiet=quiet), _amount(pool, "--pool")
    with Meter(out, "deploying"):
        result = ChainDesk(where, Environment.read()).deploy(
            settings=DeploymentSettings(delay_s=delay), pool=tokens, wallet=wallet, force=force
        )
    out.result(result, lambda out: _lines(out, result))


@chain.command("status", epilog=examples("parity chain status", "parity chain status --json"))
@_CHAIN
@quiet_option
@json_option
def status(where: str, quiet: bool, as_json: bool) -> None:
    """Show the chain's head and whether this home's contracts are on it."""
    from parity_flwr.app.chains.commands import ChainDesk

    out = Output(as_json, quiet=quiet)
    with Meter(out, "reading the chain"):
        result = ChainDesk(where, Environment.read()).status()
    out.result(result, lambda out: _status(out, result))


@chain.command(
    "fund", epilog=examples("parity chain fund 0x00000000000000000000000000000000000000AA 0.5")
)
@click.argument("address")
@click.argument("coins", default="1")
@_CHAIN
@_WALLET
@quiet_option
@json_option
def fund(
    address: str, coins: str, where: str, wallet: str | None, quiet: bool, as_json: bool
) -> None:
    """Send an address coins for gas (by default 1; on the embedded chain they are free)."""
    from parity_flwr.app.chains.commands import ChainDesk

    out, wei = Output(as_json, quiet=quiet), _amount(coins, "COINS")
    with Meter(out, "sending"):
        result = ChainDesk(where, Environment.read()).fund(address, wei=wei, wallet=wallet)
    out.result(result, lambda out: _lines(out, result))


@chain.command("up", epilog=examples("parity chain up", "parity chain up --node embedded"))
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8545,
    show_default=True,
    help="Where it listens.",
)
@click.option(
    "--node",
    type=click.Choice(["auto", "anvil", "embedded"]),
    default="auto",
    show_default=True,
    help="anvil from npm where it is, else the embedded chain.",
)
@json_option
def up(port: int, node: str, as_json: bool) -> None:
    """Run a chain on 127.0.0.1 until Ctrl-C; its state stays in this home."""
    from parity_flwr.app.chains.places import ChainPlaces
    from parity_flwr.app.chains.running import find_anvil, run_anvil, run_embedded

    places, out = ChainPlaces(Environment.read().home), Output(as_json)

    def say(kind: str, at: int) -> None:
        result = {"node": kind, "url": f"http://127.0.0.1:{at}"}
        out.result(result, lambda out: out.line(f"{kind} on {result['url']}; Ctrl-C ends it"))

    anvil = find_anvil() if node != "embedded" else None
    if anvil is None and node == "anvil":
        raise ConfigError(
            "--node anvil needs anvil",
            came="none in node_modules or PATH",
            action="run: npm install --no-save @foundry-rs/anvil@1.7.1",
        )
    if anvil is None:
        run_embedded(places, port=port, ready=lambda at: say("embedded", at))
    else:
        code = run_anvil(anvil, places, port=port, ready=lambda: say("anvil", port))
        click.get_current_context().exit(RunError.exit_code if code else 0)


@chain.command(
    "outbox", epilog=examples("parity chain outbox latest", "parity chain outbox RUN --retry")
)
@click.argument("reference", metavar="RUN", default="latest")
@click.option("--retry", is_flag=True, help="Queue again what failed, once its cause is gone.")
@quiet_option
@json_option
def outbox(reference: str, retry: bool, quiet: bool, as_json: bool) -> None:
    """Show which of a run's transactions are on the chain, and why others are not.

    With --retry nothing is sent at once: the run sends it when it goes on.
    """
    from parity_flwr.app.chains.queue import show_outbox

    out = Output(as_json, quiet=quiet)
    with Meter(out, "reading the outbox"):
        result = show_outbox(reference, Environment.read().home, retry=retry)
    out.result(result, lambda out: _queue(out, result))


def _queue(out: Output, result: Mapping[str, Any]) -> None:
    states = ", ".join(f"{count} {state}" for state, count in result["states"].items())
    out.line(states or "no transactions yet")
    for row in (*result["failed"], *result["under_way"]):
        out.line(f"{row['key']:14} {row['state']:8} {row['transaction']} {row['reason']}")
    if result["retried"]:
        out.line(f"queued again: {result['retried']}")


def _amount(text: str, name: str) -> int:
    """Return an amount with at most 18 decimals in its smallest unit."""
    try:
        value = Decimal(text) * _WEI
        if value.is_finite() and value == int(value) and 0 <= value < 2**120:
            return int(value)
    except (InvalidOperation, OverflowError):
        pass
    raise ConfigError(
        f"{name} needs a number from 0 with at most 18 decimals",
        came=ascii(text)[:40],
        action="write it like 1000000 or 0.5",
    )


def _status(out: Output, result: Mapping[str, Any]) -> None:
    _lines(out, {name: result[name] for name in ("chain_id", "block", "max_fee_wei")})
    if result["deployment"] is None:
        out.line("no contracts of this home are there; deploy them with: parity chain deploy")
    else:
        _lines(out, result["deployment"])


def _lines(out: Output, result: Mapping[str, Any]) -> None:
    for name, value in result.items():
        out.line(f"{name.replace('_', ' '):18} {value}")


@chain.command(
    "drain", epilog=examples("parity chain drain latest", "parity chain drain RUN --chain URL")
)
@click.argument("run", metavar="RUN")
@_CHAIN
@_WALLET
@click.option(
    "--members",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="As the run had it.",
)
@by_stake_option
@click.option(
    "--timeout",
    type=click.FloatRange(0, min_open=True),
    default=600.0,
    show_default=True,
    help="Seconds at most.",
)
@quiet_option
@json_option
def drain(
    run: str,
    where: str,
    wallet: str | None,
    members: Path | None,
    by_stake: bool,
    timeout: float,
    quiet: bool,
    as_json: bool,
) -> None:
    """Send what a run left in its outbox, as when its node was away."""
    from parity_flwr.app.chains.choice import ChainChoice
    from parity_flwr.app.chains.draining import drain_run
    from parity_flwr.app.runs.folder import RunFolder

    environment = Environment.read()
    out, folder = Output(as_json, quiet=quiet), RunFolder.find(run, environment.home)
    with Meter(out, f"draining {folder.id}"):
        found = drain_run(
            folder,
            ChainChoice(where=where, wallet=wallet, members=members, by_stake=by_stake),
            environment=environment,
            timeout_s=timeout,
        )
    out.result(found, lambda out: draw_chain(out, found))


for _command in (chain_members.register, chain_members.mint, chain_members.stake):
    chain.add_command(_command)
