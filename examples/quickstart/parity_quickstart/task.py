"""The learning task: model, data, and how a client trains."""

from functools import lru_cache

from flwr.app import Context

from parity_flwr.app.datasets import Federation, federation
from parity_flwr.clients import Examples, LocalTraining, mlp

MODEL = mlp(64, hidden=(32,), classes=10)


@lru_cache(maxsize=1)  # a simulation's worker plays many clients; they share one data set
def load_federation(num_partitions: int, seed: int, alpha: float) -> Federation:
    """Divide scikit-learn's digits among the clients."""
    least = min(20, 359 // num_partitions)  # a quarter of an even share
    return federation("digits", clients=num_partitions, seed=seed, alpha=alpha, min_size=least)


def load_data(context: Context) -> tuple[Examples, Examples]:
    """Return the client's training and test examples."""
    data = load_federation(
        int(context.node_config["num-partitions"]),
        int(context.run_config["seed"]),
        float(context.run_config["dirichlet-alpha"]),
    )
    x, y = data.client(int(context.node_config["partition-id"]))
    in_test = slice(None, None, 5)
    in_train = [row for row in range(len(y)) if row % 5]
    return Examples(x[in_train], y[in_train]), Examples(x[in_test], y[in_test])


def load_central_test(seed: int) -> Examples:
    """Return the test set of the server: the same for any number of clients."""
    data = federation("digits", clients=1, seed=seed, alpha=None)
    return Examples(data.x_test, data.y_test)


def training_of(context: Context) -> LocalTraining:
    """Return how a client trains in one round."""
    config = context.run_config
    return LocalTraining(
        seed=int(config["seed"]),
        epochs=int(config["local-epochs"]),
        batch_size=int(config["batch-size"]),
        learning_rate=float(config["learning-rate"]),
    )
