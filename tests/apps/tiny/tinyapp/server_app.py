"""Stock FedAvg over the tiny clients; writes the final weight where it is told."""

from pathlib import Path

import numpy as np
from flwr.app import Array, ArrayRecord, Context
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg

from parity_flwr.errors import ConfigError

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Run the configured rounds."""
    config = context.run_config
    if config["fault"] == "server":
        raise ValueError("the server app broke")
    if config["fault"] == "interrupt":
        raise KeyboardInterrupt
    if config["fault"] == "input":
        raise ConfigError("tiny needs a better fault", came="'input'", action="choose another")
    count = int(config["num-clients"])
    strategy = FedAvg(
        min_train_nodes=count, min_evaluate_nodes=count, min_available_nodes=count
    )
    result = strategy.start(
        grid,
        ArrayRecord({"w": Array(np.zeros(3, dtype=np.float64))}),
        num_rounds=int(config["num-server-rounds"]),
    )
    if config["output"]:
        Path(str(config["output"])).write_text(str(result.arrays["w"].numpy().tolist()))
