"""A client that charges its ledger, and answers with noisy sums."""

from flwr.app import Context, Message
from flwr.client import Client
from flwr.clientapp import ClientApp
from flwr.clientapp.typing import ClientAppCallable

from parity_flwr.clients import ReleaseClient, SecAggMod, derived_signers, parity_mods
from releasedapp.task import BUDGET, FOREST, LINEAR, noise_seed, rows

SIGNERS = derived_signers(b"a test's secret; a real node has a key file")
MASKS = SecAggMod(SIGNERS)


def hiding(message: Message, context: Context, call_next: ClientAppCallable) -> Message:
    """Mask the sums if the run says so."""
    if context.run_config["hidden"]:
        return MASKS(message, context, call_next)
    return call_next(message, context)


def client_fn(context: Context) -> Client:
    """Make the client of one partition."""
    model, partition = (
        str(context.run_config["model"]),
        int(context.node_config["partition-id"]),
    )
    return ReleaseClient(
        LINEAR if model == "linear" else FOREST,
        train=rows(partition, model=model),
        context=context,
        budget=BUDGET,
        noise_seed=noise_seed(partition),
    ).to_client()


app = ClientApp(client_fn, mods=parity_mods(SIGNERS, inner=[hiding]))
