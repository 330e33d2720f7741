"""DP-SGD on the partition's own rows; each call notes which process it ran in."""

import os
from pathlib import Path

from flwr.app import Context
from flwr.client import Client
from flwr.clientapp import ClientApp

from dptrainedapp.task import FACTORY, PRIVACY, TRAINING, examples
from parity_flwr.clients import DPTorchClient, parity_mods


def client_fn(context: Context) -> Client:
    """Make the client of one partition; Flower does so for every message."""
    partition = int(context.node_config["partition-id"])
    if context.run_config["notes"]:
        notes = Path(str(context.run_config["notes"]))
        with notes.open("a", encoding="utf-8") as file:
            file.write(f"{partition} {os.getpid()}\n")
    data = examples(partition)
    return DPTorchClient(
        FACTORY, train=data, test=data, context=context, privacy=PRIVACY, training=TRAINING
    ).to_client()


app = ClientApp(client_fn, mods=parity_mods())
