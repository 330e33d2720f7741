"""A bank: it trains on its customers, encrypts if the run asks for it, or rides for free."""

from flwr.app import Context
from flwr.client import Client
from flwr.clientapp import ClientApp

from parity_finance.banks import market_of
from parity_finance.models import model_of
from parity_finance.mods import ConfiguredEncryption, FreeRiders
from parity_flwr.clients import parity_mods


def client_fn(context: Context) -> Client:
    """Make the client of one bank."""
    market = market_of(context.run_config)
    train, test = market.banks[int(context.node_config["partition-id"])]
    return model_of(context.run_config, market).client(train, test, context).to_client()


# In an app of your own leave FreeRiders out, and say EncryptionMod(...) if you encrypt.
app = ClientApp(client_fn, mods=parity_mods(inner=[ConfiguredEncryption(), FreeRiders()]))
