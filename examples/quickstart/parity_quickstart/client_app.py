"""The client: a NumPyClient behind our mods; with "attackers", some of them lie."""

from flwr.app import Context
from flwr.client import Client
from flwr.clientapp import ClientApp

from parity_flwr.clients import TorchClient, parity_mods
from parity_flwr.clients.attacks import ConfiguredAttackMod
from parity_quickstart.task import MODEL, load_data, training_of


def client_fn(context: Context) -> Client:
    """Make the client of one partition."""
    train, test = load_data(context)
    training = training_of(context)
    client = TorchClient(MODEL, train=train, test=test, context=context, training=training)
    return client.to_client()


# Drop `inner` in your own app: it is here to try attacks.
app = ClientApp(client_fn, mods=parity_mods(inner=[ConfiguredAttackMod()]))
