"""DP-FedAvg over all clients: their own noise and the server's."""

import numpy as np
from flwr.app import Array, ArrayRecord, Context
from flwr.serverapp import Grid, ServerApp

from parity_flwr.core.privacy.central import CentralPrivacy
from parity_flwr.strategies import DPFedAvg, Sampling

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Run one round more than the budget covers; the journal keeps everything."""
    count = int(context.run_config["num-clients"])
    rounds = int(context.run_config["num-server-rounds"])
    privacy = CentralPrivacy(epsilon=4.0, delta=1e-3, clip=1.0, clients=count, rounds=rounds)
    sampling = Sampling(fraction_evaluate=0.0, min_train_nodes=0, min_available_nodes=count)
    DPFedAvg(privacy, sampling=sampling).start(
        grid,
        ArrayRecord({"w": Array(np.zeros(4, dtype=np.float32))}),
        num_rounds=rounds + 1,
    )
