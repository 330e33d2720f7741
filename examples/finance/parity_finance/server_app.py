"""The server: a strategy that judges banks, or one that cannot because it sees no update."""

from __future__ import annotations

from typing import Any

from flwr.app import Array, ArrayRecord, Context, MetricRecord
from flwr.serverapp import Grid, ServerApp

from parity_finance.banks import market_of
from parity_finance.mods import forest_attackers
from parity_finance.models import RandomForest, model_of, quality
from parity_flwr.clients.attacks import parse_attackers
from parity_flwr.errors import ConfigError
from parity_flwr.strategies import (
    EncryptedAggregation,
    Encryption,
    ForestBagging,
    ReputationFedAvg,
    Sampling,
)
from parity_flwr.strategies.options import RunOptions
from parity_flwr.strategies.reputation import Reputation

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Train for the configured number of rounds."""
    run(grid, context)


def run(grid: Grid, context: Context, **options: Any) -> Reputation:
    """Train, and return the strategy as it is afterwards; ``options`` go to it."""
    config = context.run_config
    market = market_of(context)
    model = model_of(config, market)

    def evaluate(server_round: int, arrays: ArrayRecord) -> MetricRecord:
        found = {name: array.numpy() for name, array in arrays.items()}
        scores = model.scores(found, market.test.x)
        return MetricRecord({market.metric: quality(scores, market.data.y_test, market.metric)})

    strategy = strategy_of(context, model, options)
    start = {name: Array(array) for name, array in model.initial().items()}
    strategy.start(
        grid=grid,
        initial_arrays=ArrayRecord(start),
        num_rounds=int(config["num-server-rounds"]),
        evaluate_fn=evaluate,
    )
    return strategy


def strategy_of(context: Context, model: Any, more: dict[str, Any]) -> Reputation:
    """Return the strategy that model and privacy call for.

    Raises
    ------
    ConfigError
        If they do not go together.
    """
    config = context.run_config
    nodes, secret = int(config["min-nodes"]), int(config["strategy-seed"])
    text, privacy = str(config["attackers"]), str(config["privacy"])
    parse_attackers(text)  # a typing error ends the run here, not later
    options: RunOptions = {
        "seed": secret if secret >= 0 else None,
        "sampling": Sampling(
            fraction_evaluate=float(config["fraction-evaluate"]),
            min_train_nodes=nodes,
            min_evaluate_nodes=min(nodes, 2),
            min_available_nodes=nodes,
        ),
    }
    if privacy not in ("off", "he"):
        raise ConfigError("privacy needs 'off' or 'he'", came=repr(privacy)[:60], action="choose")
    if isinstance(model, RandomForest):
        forest_attackers(text)
        if privacy == "he":
            raise ConfigError(
                "trees cannot be added, so that ciphertexts of them cannot either",
                came="model='forest' with privacy='he'",
                action="encrypt the network, or grow the forest in clear",
            )
        return ForestBagging(model.schema, **options, **more)
    if privacy == "he":
        return EncryptedAggregation(encryption=ENCRYPTION, **options, **more)
    return ReputationFedAvg(**options, **more)


ENCRYPTION = Encryption(clip=2.0, levels=2**18, examples_cap=1000)
"""Updates within 2, in steps of 1.5e-5; a bank counts by its customers, up to 1000."""
