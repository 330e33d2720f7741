"""The client: a NumPyClient behind our mods; with "attackers", some of them lie."""

from flwr.app import Context
from flwr.client import Client
from flwr.clientapp import ClientApp

from parity_flwr.clients import TorchClient, parity_mods
from parity_flwr.clients.attacks import ConfiguredAttackMod
from parity_images.task import load_data, network_for, training_of


def client_fn(context: Context) -> Client:
    """Make the client of one partition."""
    train, test = load_data(context)
    network = network_for(train, int(context.run_config["classes"]))
    training = training_of(context)
    client = TorchClient(network, train=train, test=test, context=context, training=training)
    return client.to_client()


# Drop `inner` in your own app: it is here to try attacks.
app = ClientApp(client_fn, mods=parity_mods(inner=[ConfiguredAttackMod()]))
