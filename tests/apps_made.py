"""A Flower app with our strategy, small enough for the tests of commands, made on the spot."""

from __future__ import annotations

from pathlib import Path

_PROJECT = """
[project]
name = "{name}"
version = "1.0.0"
description = "Three honest clients and one that sends NaN"
license = {{ text = "Apache-2.0" }}
dependencies = []

[tool.flwr.app]
publisher = "parity"

[tool.flwr.app.components]
serverapp = "{name}app.server:app"
clientapp = "{name}app.client:app"

[tool.flwr.app.config]
rounds = 2
minimum = 4
broken = false
"""

_SERVER = """
import numpy as np
from flwr.app import Array, ArrayRecord, MetricRecord
from flwr.serverapp import ServerApp
from flwr.serverapp.strategy import FedAvg

from parity_flwr.strategies import Reputation

app = ServerApp()


def evaluate(server_round, arrays):
    return MetricRecord({"accuracy": 1.0 - 0.5**server_round})


@app.main()
def main(grid, context):
    if context.run_config["broken"]:
        raise ValueError("the server app broke\\nbadly")
    count = int(context.run_config["minimum"])
    inner = FedAvg(
        fraction_evaluate=0.0, min_train_nodes=count, min_available_nodes=count
    )
    Reputation(inner, seed=1).start(
        grid,
        ArrayRecord({"w": Array(np.zeros(3, dtype=np.float32))}),
        num_rounds=int(context.run_config["rounds"]),
        evaluate_fn=evaluate,
    )
"""

_CLIENT = """
import numpy as np
from flwr.app import Array, ArrayRecord, MetricRecord, RecordDict, Message
from flwr.clientapp import ClientApp

app = ClientApp()


@app.train()
def train(message, context):
    partition = int(context.node_config["partition-id"])
    step = np.float32("nan" if partition == 0 else 1 + partition / 100)
    arrays = {k: Array(v.numpy() + step) for k, v in message.content["arrays"].items()}
    metrics = MetricRecord({"num-examples": 10})
    return Message(
        RecordDict({"arrays": ArrayRecord(arrays), "metrics": metrics}), reply_to=message
    )


@app.query("parity_identity")
def query(message, context):
    from flwr.app import ConfigRecord

    partition = int(context.node_config["partition-id"])
    content = RecordDict({"parity": ConfigRecord({"partition-id": partition})})
    return Message(content, reply_to=message)
"""


def make_app(folder: Path, *, name: str = "small") -> Path:
    """Write the app into a folder of its own and return that."""
    package = folder / f"{name}app"
    package.mkdir(parents=True)
    (folder / "pyproject.toml").write_text(_PROJECT.format(name=name))
    (package / "__init__.py").write_text("")
    (package / "server.py").write_text(_SERVER)
    (package / "client.py").write_text(_CLIENT)
    return folder
