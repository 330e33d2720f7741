"""The client: a hospital behind our mods; with "attackers", one of them lies."""

from __future__ import annotations

from flwr.app import Context
from flwr.client import Client
from flwr.clientapp import ClientApp

from parity_flwr.clients import parity_mods
from parity_flwr.clients.attacks import ConfiguredAttackMod
from parity_healthcare.task import Settings, client_of


def client_fn(context: Context) -> Client:
    """Make the client of one hospital."""
    return client_of(Settings.of(context.run_config), context).to_client()


# Drop `inner` in your own app: it is here to try attacks.
app = ClientApp(client_fn, mods=parity_mods(inner=[ConfiguredAttackMod(classes=2)]))
