"""A client that adds its partition number plus one to every weight."""

import time

from flwr.app import Array, ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

app = ClientApp()


@app.train()
def train(message: Message, context: Context) -> Message:
    """Return the model plus ``(partition + 1) * scale``."""
    fault = str(context.run_config["fault"])
    partition = int(context.node_config["partition-id"])
    if fault == "client":
        raise ValueError("secret in /home/alice/data.csv")
    if fault == "hang":
        time.sleep(3600)
    step = (partition + 1) * float(context.run_config["scale"])
    arrays = {
        name: Array(array.numpy() + step)
        for name, array in message.content.array_records["arrays"].items()
    }
    metrics = MetricRecord({"num-examples": 1, "partition": partition})
    return Message(
        RecordDict({"arrays": ArrayRecord(arrays), "metrics": metrics}), reply_to=message
    )


@app.evaluate()
def evaluate(message: Message, context: Context) -> Message:
    """Return the mean weight."""
    mean = float(message.content.array_records["arrays"]["w"].numpy().mean())
    content = RecordDict({"metrics": MetricRecord({"num-examples": 1, "mean": mean})})
    return Message(content, reply_to=message)
