"""`parity consent`."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from parity_flwr.app.environment import Environment
from parity_flwr.cli.output import Output, examples, json_option, write_json
from parity_flwr.errors import ConfigError

if TYPE_CHECKING:
    from parity_flwr.chain_bridge.deployment import Deployment
    from parity_flwr.core.signatures import Ed25519Signer

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
    "--account",
    metavar="ADDRESS",
    help="Instead of --wallet: a contract wallet (ERC-1271). Without --signature: shows what "
    "it has to sign.",
)
@click.option("--signature", metavar="HEX", help="What that contract signed.")
@click.option("--deadline", type=click.IntRange(1), help="As it was signed, instead of --days.")
@click.option(
    "--days",
    type=click.IntRange(1, 3650),
    default=30,
    show_default=True,
    help="How long it holds.",
)
@json_option
def consent(
    name: str,
    key: Path,
    file: Path,
    wallet: str | None,
    account: str | None,
    signature: str | None,
    deadline: int | None,
    days: int,
    as_json: bool,
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
        raise ConfigError(
            "NAME needs 1 to 256 characters", came=str(len(name)), action="change it"
        )
    signer = Ed25519Signer.from_file(key)
    ends = deadline or int(time.time()) + days * _DAY_S
    if account is not None:
        entry = _of_contract(name, account, signature, signer, deployment, ends)
        Output(as_json).result(entry, lambda out: write_json(entry))
        return
    if signature is not None:
        raise ConfigError(
            "--signature needs a contract wallet", came="none", action="give --account"
        )
    found = members_file.consent(
        name,
        wallet=choose_wallet(
            ChainPlaces(environment.home),
            environment,
            where="a URL",  # the key has to be a member's own
            chain_id=deployment.chain_id,
            name=wallet,
        ),
        signer=signer,
        deployment=deployment,
        deadline=ends,
    )
    Output(as_json).result(asdict(found), lambda out: write_json(asdict(found)))


def _of_contract(
    name: str,
    account: str,
    signature: str | None,
    signer: Ed25519Signer,
    deployment: Deployment,
    deadline: int,
) -> dict[str, Any]:
    """Return a contract wallet's entry, or without its signature what it has to sign."""
    from parity_flwr.app.chains import members_file

    if signature is None:
        node_key = signer.public_key
        return dict(
            members_file.to_sign(
                account, node_key=node_key, deployment=deployment, deadline=deadline
            )
        )
    try:
        signed = bytes.fromhex(signature.removeprefix("0x"))
    except ValueError as error:
        raise ConfigError(
            "--signature needs hex digits", came="something else", action="copy it again"
        ) from error
    return asdict(
        members_file.contract_consent(
            name,
            account=account,
            signature=signed,
            signer=signer,
            deployment=deployment,
            deadline=deadline,
        )
    )
