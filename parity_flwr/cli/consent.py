"""`parity consent`."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path

import click

from parity_flwr.app.environment import Environment
from parity_flwr.cli.output import Output, examples, json_option, write_json
from parity_flwr.errors import ConfigError

_DAY_S = 86_400


@click.command(
    epilog=examples(
        "parity consent client-3 --key node.pem --deployment deployment-1.json",
        "parity consent client-3 --key node.pem --deployment deployment-1.json --wallet mine",
    )
)
@click.argument("name")
@click.option(
    "--key",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The node's private Ed25519 key (PEM, mode 0600), which signs its replies.",
)
@click.option(
    "--deployment",
    "file",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The deployment's file, as 'parity chain deploy' wrote it.",
)
@click.option("--wallet", metavar="NAME", help="The wallet that is paid.  [default]")
@click.option(
    "--days",
    type=click.IntRange(1, 3650),
    default=30,
    show_default=True,
    help="How long it holds.",
)
@json_option
def consent(
    name: str, key: Path, file: Path, wallet: str | None, days: int, as_json: bool
) -> None:
    """Bind the wallet and the node key of the client NAME to each other.

    Prints one entry of a members file; give it to whoever runs the federation. Neither key
    leaves this machine.
    """
    from parity_flwr.app.chains import members_file
    from parity_flwr.app.chains.keys import choose_wallet
    from parity_flwr.app.chains.places import ChainPlaces
    from parity_flwr.chain_bridge.deployment import MAX_FILE, Deployment
    from parity_flwr.core.signatures import Ed25519Signer

    with file.open("rb") as opened:
        deployment = Deployment.parse(opened.read(MAX_FILE + 1))
    environment = Environment.read()
    if len(name) > 256 or not name:
        raise ConfigError("NAME needs 1 to 256 characters", came="others", action="change it")
    found = members_file.consent(
        name,
        wallet=choose_wallet(
            ChainPlaces(environment.home),
            environment,
            where="a URL",  # the key has to be a member's own
            chain_id=deployment.chain_id,
            name=wallet,
        ),
        signer=Ed25519Signer.from_file(key),
        deployment=deployment,
        deadline=int(time.time()) + days * _DAY_S,
    )
    Output(as_json).result(asdict(found), lambda out: write_json(asdict(found)))
