"""`parity rewards`, `parity claim`, `parity stake`, `parity unstake`, `parity slash`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from parity_flwr.app.environment import Environment
from parity_flwr.app.runs.folder import RunFolder
from parity_flwr.cli.members_drawn import draw_offences, draw_rewards, draw_stake
from parity_flwr.cli.output import Output, examples, json_option, quiet_option
from parity_flwr.cli.progress import Meter
from parity_flwr.core.economy.amounts import scaled
from parity_flwr.errors import ConfigError

if TYPE_CHECKING:
    from parity_flwr.app.chains.desk import Desk
    from parity_flwr.app.chains.run_desk import RunDesk

_Command = TypeVar("_Command", bound=Callable[..., Any])


_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)

chain_option = click.option(
    "--chain",
    "where",
    default="embedded",
    show_default=True,
    metavar="embedded|URL",
    help="Where the run was published.",
)


def run_chain(command: _Command) -> _Command:
    """Add RUN and --chain to a command."""
    return click.argument("reference", metavar="RUN")(chain_option(command))


def member_options(command: _Command) -> _Command:
    """Add --wallet and --identity to a command."""
    wallet = click.option("--wallet", metavar="NAME", help="The member's wallet, for a URL.")
    identity = click.option(
        "--identity", metavar="NAME", help="The member; on the embedded chain its wallet too."
    )
    return wallet(identity(command))


def run_desk(reference: str, where: str) -> RunDesk:
    """Return a run's contracts at hand."""
    from parity_flwr.app.chains.run_desk import RunDesk

    environment = Environment.read()
    return RunDesk(RunFolder.find(reference, environment.home), where, environment)


def _claiming_desk(
    reference: str | None, bundle: Path | None, deployment: Path | None, where: str
) -> Desk:
    from parity_flwr.app.chains.member_desks import BundleDesk, DeploymentDesk

    environment = Environment.read()
    if bundle is not None and reference is None and deployment is None:
        return BundleDesk.open(bundle, where, environment)
    if deployment is not None and reference is None and bundle is None:
        return DeploymentDesk.open(deployment, where, environment)
    if reference is not None and bundle is None and deployment is None:
        return run_desk(reference, where)
    given = [each for each in (reference, bundle, deployment) if each is not None]
    raise ConfigError(
        "parity claim needs one of RUN, --bundle FILE and --deployment FILE",
        came=f"{len(given)} of them" if given else "none",
        action="see 'parity claim --help'",
    )


@click.command(
    epilog=examples(
        "parity rewards latest",
        "parity rewards latest --chain http://127.0.0.1:8545 --json",
    )
)
@run_chain
@quiet_option
@json_option
def rewards(reference: str, where: str, quiet: bool, as_json: bool) -> None:
    """Show what every client earned, may claim by now, and was paid, in tokens."""
    from parity_flwr.app.chains.money import rewards_of

    out = Output(as_json, quiet=quiet)
    with Meter(out, "reading the chain"):
        found = rewards_of(run_desk(reference, where))
    out.result(found, lambda out: draw_rewards(out, found))


@click.command(
    epilog=examples(
        "parity claim latest --identity client-3",
        "parity claim --bundle run.parity --chain http://127.0.0.1:8545 --wallet mine",
        "parity claim --deployment deployment.json --chain http://127.0.0.1:8545 --wallet mine",
    )
)
@click.argument("reference", metavar="[RUN]", required=False)
@chain_option
@click.option(
    "--bundle", type=_FILE, help="Take the score list from this file of 'parity bundle'."
)
@click.option(
    "--deployment",
    type=_FILE,
    help="Take the score list from IPFS (PARITY_IPFS_URL), by the CID on chain.",
)
@member_options
@quiet_option
@json_option
def claim(
    reference: str | None,
    where: str,
    bundle: Path | None,
    deployment: Path | None,
    wallet: str | None,
    identity: str | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Claim all that a member was granted so far; its account is paid.

    A member that has no folder of the run needs its bundle, or the deployment's file.
    """
    from parity_flwr.app.chains import money

    out = Output(as_json, quiet=quiet)
    desk = _claiming_desk(reference, bundle, deployment, where)
    with Meter(out, "claiming"):
        found = money.claim(desk, wallet=wallet, identity=identity)
    out.result(
        found,
        lambda out: out.line(
            f"paid {found['paid']} tokens to {found['account']} ({found['gas']} gas); "
            f"it has {found['balance']}"
        ),
    )


@click.command(epilog=examples("parity stake latest 100 --identity client-3"))
@run_chain
@click.argument("tokens")
@member_options
@quiet_option
@json_option
def stake(
    reference: str,
    where: str,
    tokens: str,
    wallet: str | None,
    identity: str | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Put TOKENS of a member's at stake."""
    out = Output(as_json, quiet=quiet)
    put_at_stake(
        out, tokens, lambda: run_desk(reference, where), wallet=wallet, identity=identity
    )


def put_at_stake(
    out: Output,
    tokens: str,
    open_desk: Callable[[], Desk],
    *,
    wallet: str | None,
    identity: str | None,
) -> None:
    """Put tokens at stake where a desk leads, and show what is there then."""
    from parity_flwr.app.chains import money

    amount = scaled(tokens, decimals=18, name="TOKENS")
    with Meter(out, "staking"):
        found = money.stake(open_desk(), amount, wallet=wallet, identity=identity)
    out.result(found, lambda out: draw_stake(out, found))


@click.command(
    epilog=examples(
        "parity unstake latest 100 --identity client-3",
        "parity unstake latest --withdraw --identity client-3",
    )
)
@run_chain
@click.argument("tokens", required=False)
@click.option("--withdraw", is_flag=True, help="Pay out what has waited long enough.")
@member_options
@quiet_option
@json_option
def unstake(
    reference: str,
    where: str,
    tokens: str | None,
    withdraw: bool,
    wallet: str | None,
    identity: str | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Begin to take TOKENS out of a member's stake; they can be withdrawn later."""
    from parity_flwr.app.chains import money

    if withdraw == (tokens is not None):
        raise ConfigError(
            "parity unstake needs TOKENS or --withdraw",
            came="both" if withdraw else "neither",
            action="see 'parity unstake --help'",
        )
    amount = None if tokens is None else scaled(tokens, decimals=18, name="TOKENS")
    out = Output(as_json, quiet=quiet)
    with Meter(out, "unstaking"):
        found = money.unstake(
            run_desk(reference, where), amount, wallet=wallet, identity=identity
        )
    out.result(found, lambda out: draw_stake(out, found))


@click.command(epilog=examples("parity slash latest --dry-run", "parity slash latest --json"))
@run_chain
@click.option("--wallet", metavar="NAME", help="The slasher's wallet, for a URL.")
@click.option("--dry-run", is_flag=True, help="Only show what would be slashed.")
@quiet_option
@json_option
def slash(
    reference: str, where: str, wallet: str | None, dry_run: bool, quiet: bool, as_json: bool
) -> None:
    """Slash the offences that a run's journal shows, each once, with its evidence by CID."""
    from parity_flwr.app.chains.slashing import slash_run

    out = Output(as_json, quiet=quiet)
    with Meter(out, "slashing"):
        found = slash_run(run_desk(reference, where), wallet=wallet, dry_run=dry_run)
    out.result(found, lambda out: draw_offences(out, found))
