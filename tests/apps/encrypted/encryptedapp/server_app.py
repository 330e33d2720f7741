"""Encrypted aggregation over all clients."""

import numpy as np
from flwr.app import Array, ArrayRecord, Context
from flwr.serverapp import Grid, ServerApp

from parity_flwr.strategies import EncryptedAggregation, Encryption, Sampling

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Run the configured rounds; the journal keeps everything."""
    count = int(context.run_config["num-clients"])
    sampling = Sampling(fraction_evaluate=0.0, min_train_nodes=count, min_available_nodes=count)
    EncryptedAggregation(encryption=Encryption(clip=8.0), sampling=sampling, seed=7).start(
        grid,
        ArrayRecord({"w": Array(np.zeros(4, dtype=np.float32))}),
        num_rounds=int(context.run_config["num-server-rounds"]),
    )
