"""The server: reputation-enhanced FedAvg, evaluated on a central test set."""

from flwr.app import Array, ArrayRecord, Context, MetricRecord
from flwr.serverapp import Grid, ServerApp

from parity_flwr.clients import evaluate_arrays, initial_arrays
from parity_flwr.clients.attacks import parse_attackers
from parity_flwr.strategies import ReputationFedAvg, Sampling
from parity_images.task import load_central_test, network_for

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Train for the configured number of rounds."""
    config = context.run_config
    seed = int(config["seed"])
    parse_attackers(str(config["attackers"]))  # a typing error ends the run here, not later
    test = load_central_test(context)
    network = network_for(test, int(config["classes"]))

    def evaluate(server_round: int, arrays: ArrayRecord) -> MetricRecord:
        model = {name: array.numpy() for name, array in arrays.items()}
        loss, accuracy = evaluate_arrays(network, model, test)
        return MetricRecord({"loss": loss, "accuracy": accuracy})

    nodes = int(config["min-nodes"])
    strategy = ReputationFedAvg(
        sampling=Sampling(
            fraction_evaluate=0.0, min_train_nodes=nodes, min_available_nodes=nodes
        ),
        seed=seed,
    )
    model = initial_arrays(network, seed=seed)
    strategy.start(
        grid=grid,
        initial_arrays=ArrayRecord({name: Array(array) for name, array in model.items()}),
        num_rounds=int(config["num-server-rounds"]),
        evaluate_fn=evaluate,
    )
