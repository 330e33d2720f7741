"""`parity chain register`, `mint` and `stake`: members and stakes before a run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from parity_flwr.app.environment import Environment
from parity_flwr.cli.members import put_at_stake
from parity_flwr.cli.output import Output, examples, json_option, quiet_option
from parity_flwr.cli.progress import Meter
from parity_flwr.core.economy.amounts import scaled

if TYPE_CHECKING:
    from parity_flwr.app.chains.member_desks import DeploymentDesk

_Command = TypeVar("_Command", bound=Callable[..., Any])
_URL = "http://127.0.0.1:8545"


def contracts_on(command: _Command) -> _Command:
    """Add --chain, --deployment and --wallet to a command."""
    options = (
        click.option("--chain", "where", required=True, metavar="URL", help="The node."),
        deployment_option,
        click.option("--wallet", metavar="NAME", help="Sign with this wallet's key."),
    )
    for option in reversed(options):
        command = option(command)
    return command


deployment_option = click.option(
    "--deployment",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The file that 'parity chain deploy' wrote.  [this home's]",
)


def _desk(where: str, deployment: Path | None) -> DeploymentDesk:
    from parity_flwr.app.chains.member_desks import DeploymentDesk

    environment = Environment.read()
    if deployment is None:
        return DeploymentDesk.of_home(where, environment)
    return DeploymentDesk.open(deployment, where, environment)


@click.command(epilog=examples(f"parity chain register members.json --chain {_URL}"))
@click.argument("members", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@contracts_on
@quiet_option
@json_option
def register(
    members: Path,
    where: str,
    deployment: Path | None,
    wallet: str | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Register the members of a file, so that they can stake before a run."""
    from parity_flwr.app.chains.registering import register_members

    out = Output(as_json, quiet=quiet)
    with Meter(out, "registering"):
        found = register_members(_desk(where, deployment), members, wallet=wallet)
    out.result(
        found,
        lambda out: out.line(
            f"{found['members']} members, {len(found['registered'])} of them registered now"
        ),
    )


@click.command(
    epilog=examples(
        f"parity chain mint 0x00000000000000000000000000000000000000AA 100 --chain {_URL}"
    )
)
@click.argument("address")
@click.argument("tokens")
@contracts_on
@quiet_option
@json_option
def mint(
    address: str,
    tokens: str,
    where: str,
    deployment: Path | None,
    wallet: str | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Make TOKENS for an address, as the owner: members need some to stake."""
    from parity_flwr.app.chains.registering import mint_tokens

    amount = scaled(tokens, decimals=18, name="TOKENS")
    out = Output(as_json, quiet=quiet)
    with Meter(out, "minting"):
        found = mint_tokens(_desk(where, deployment), address, amount, wallet=wallet)
    out.result(found, lambda out: out.line(f"{found['account']} has {found['balance']} tokens"))


@click.command(epilog=examples(f"parity chain stake 100 --chain {_URL} --wallet mine"))
@click.argument("tokens")
@contracts_on
@quiet_option
@json_option
def stake(
    tokens: str,
    where: str,
    deployment: Path | None,
    wallet: str | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Put TOKENS of a registered member's at stake before a run."""
    out = Output(as_json, quiet=quiet)
    put_at_stake(out, tokens, lambda: _desk(where, deployment), wallet=wallet, identity=None)
