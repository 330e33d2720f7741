"""The server: reputation-enhanced FedAvg, evaluated on a central test set."""

from flwr.app import Array, ArrayRecord, Context, MetricRecord
from flwr.serverapp import Grid, ServerApp

from parity_flwr.clients import evaluate_arrays, initial_arrays
from parity_flwr.clients.attacks import parse_attackers
from parity_flwr.strategies import ReputationFedAvg, Sampling
from parity_quickstart.task import MODEL, load_central_test

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Train for the configured number of rounds."""
    config = context.run_config
    seed = int(config["seed"])
    parse_attackers(str(config["attackers"]))  # a typing error ends the run here, not later
    test = load_central_test(seed)

    def evaluate(server_round: int, arrays: ArrayRecord) -> MetricRecord:
        model = {name: array.numpy() for name, array in arrays.items()}
        loss, accuracy = evaluate_arrays(MODEL, model, test)
        return MetricRecord({"loss": loss, "accuracy": accuracy})

    nodes = int(config["min-nodes"])
    secret = int(config["strategy-seed"])
    strategy = ReputationFedAvg(
        mode=str(config["mode"]),
        sampling=Sampling(
            fraction_evaluate=float(config["fraction-evaluate"]),
            min_train_nodes=nodes,
            min_evaluate_nodes=min(nodes, 2),
            min_available_nodes=nodes,
        ),
        seed=secret if secret >= 0 else None,
    )
    model = initial_arrays(MODEL, seed=seed)
    strategy.start(
        grid=grid,
        initial_arrays=ArrayRecord({name: Array(array) for name, array in model.items()}),
        num_rounds=int(config["num-server-rounds"]),
        timeout=float(config["round-timeout"]),
        evaluate_fn=evaluate,
    )
