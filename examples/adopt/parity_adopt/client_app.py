"""The client, as Flower's template writes it; one of them has a bug."""

from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

from parity_adopt.task import Net, load_data
from parity_adopt.task import train as train_fn

app = ClientApp()


@app.train()
def train(msg: Message, context: Context) -> Message:
    """Train the model on local data."""
    model = Net()
    received = msg.content["arrays"].to_torch_state_dict()
    model.load_state_dict(received)

    partition_id = context.node_config["partition-id"]
    num_partitions = context.node_config["num-partitions"]
    batches = load_data(partition_id, num_partitions, context.run_config["batch-size"])
    loss = train_fn(
        model, batches, context.run_config["local-epochs"], msg.content["config"]["lr"]
    )

    trained = model.state_dict()
    if partition_id == context.run_config["broken-client"]:  # the bug: a sign, and a factor
        trained = {key: old - 10 * (trained[key] - old) for key, old in received.items()}

    metrics = {"train_loss": loss, "num-examples": len(batches.dataset)}
    content = RecordDict({"arrays": ArrayRecord(trained), "metrics": MetricRecord(metrics)})
    return Message(content=content, reply_to=msg)
