"""Averaging by reputation over models that clients noised themselves."""

from flwr.app import Array, ArrayRecord, Context
from flwr.serverapp import Grid, ServerApp

from dptrainedapp.task import FACTORY, PRIVACY
from parity_flwr.clients import initial_arrays
from parity_flwr.strategies import ReputationFedAvg, Sampling

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Run one round more than the clients' budgets cover."""
    count = int(context.run_config["num-clients"])
    sampling = Sampling(fraction_evaluate=0.0, min_train_nodes=count, min_available_nodes=count)
    arrays = {name: Array(each) for name, each in initial_arrays(FACTORY, seed=0).items()}
    ReputationFedAvg(seed=7, sampling=sampling, promise=PRIVACY.budget).start(
        grid, ArrayRecord(arrays), num_rounds=int(context.run_config["num-server-rounds"])
    )
