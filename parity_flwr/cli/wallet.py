"""`parity wallet`."""

from __future__ import annotations

import click

from parity_flwr.app.environment import Environment
from parity_flwr.cli.output import Output, examples, json_option

_NAME = click.argument("name", default="default")


@click.group()
def wallet() -> None:
    """Make and show the keys that pay on a chain."""


@wallet.command(
    "new", epilog=examples("parity wallet new", "parity wallet new publisher --json")
)
@_NAME
@json_option
def new(name: str, as_json: bool) -> None:
    """Make a key and keep it in an Ethereum keystore (scrypt) that only you can read.

    The password comes from PARITY_WALLET_PASSWORD, or you are asked for it.
    """
    from parity_flwr.app.chains.keys import make_wallet
    from parity_flwr.app.chains.places import ChainPlaces

    environment = Environment.read()
    password = environment.wallet_password or _asked()
    address, path = make_wallet(ChainPlaces(environment.home), name, password)
    result = {"name": name, "address": address, "file": str(path)}
    Output(as_json).result(result, lambda out: out.line(f"{address} in {path}"))


@wallet.command("show", epilog=examples("parity wallet show", "parity wallet show publisher"))
@_NAME
@json_option
def show(name: str, as_json: bool) -> None:
    """Show a wallet's address; its key is never shown."""
    from parity_flwr.app.chains.keys import shown_address
    from parity_flwr.app.chains.places import ChainPlaces

    places = ChainPlaces(Environment.read().home)
    address = shown_address(places, name)
    result = {"name": name, "address": address, "file": str(places.wallet(name))}
    Output(as_json).result(result, lambda out: out.line(address))


def _asked() -> str:
    prompt = "Password of the new wallet"
    return str(click.prompt(prompt, hide_input=True, confirmation_prompt=True, err=True))
