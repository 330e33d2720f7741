"""The server: a strategy that judges banks, or one that cannot because it sees no update."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flwr.app import Array, ArrayRecord, Context, MetricRecord
from flwr.serverapp import Grid, ServerApp

from parity_finance.banks import Market, market_of
from parity_finance.models import Model, RandomForest, model_of
from parity_finance.mods import forest_attackers
from parity_finance.outcome import leave, outcome_of
from parity_flwr.app.journal import SqlJournal, from_environment
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

ENCRYPTION = Encryption(clip=2.0, levels=2**18, examples_cap=1000)
"""Updates within 2, in steps of 1.5e-5; a bank counts by its customers, up to 1000."""

Config = Mapping[str, Any]
app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Train for the configured number of rounds, and leave results in the run's folder."""
    journal = from_environment()
    arrays, market, model = train(grid, context, journal)
    outcome = outcome_of(context.run_config, market, model, arrays, journal)
    leave(outcome, context.run_config, market, journal)


def train(
    grid: Grid, context: Context, journal: SqlJournal
) -> tuple[ArrayRecord, Market, Model]:
    """Train for the configured number of rounds; return the model's numbers, and of what."""
    config = context.run_config
    dishonest = set(parse_attackers(str(config["attackers"])))  # an error ends the run here
    market = market_of(config)
    model = model_of(config, market)
    test = market.test(dishonest)

    def evaluate(server_round: int, arrays: ArrayRecord) -> MetricRecord | None:
        found = {name: array.numpy() for name, array in arrays.items()}
        value = market.metric(model.scores(found, test.x), test.y == 1)
        return None if value is None else MetricRecord({market.metric.name: value})

    start = {name: Array(array) for name, array in model.initial().items()}
    result = strategy_of(config, model, journal, market.recipe.mode).start(
        grid=grid,
        initial_arrays=ArrayRecord(start),
        num_rounds=market.recipe.rounds,
        evaluate_fn=evaluate,
    )
    return result.arrays, market, model


def strategy_of(config: Config, model: Model, journal: SqlJournal, mode: str) -> Reputation:
    """Return the strategy that model and privacy call for.

    Raises
    ------
    ConfigError
        If they do not go together.
    """
    privacy, nodes, secret = (
        config["privacy"],
        int(config["min-nodes"]),
        int(config["strategy-seed"]),
    )
    if privacy not in ("off", "he"):
        raise ConfigError(
            "privacy needs 'off' or 'he'", came=repr(privacy)[:60], action="choose one"
        )
    options: RunOptions = {
        "mode": mode,
        "seed": secret if secret >= 0 else None,
        "journal": journal,
        "sampling": Sampling(
            fraction_evaluate=float(config["fraction-evaluate"]),
            min_train_nodes=nodes,
            min_evaluate_nodes=min(nodes, 2),
            min_available_nodes=nodes,
        ),
    }
    if isinstance(model, RandomForest):
        forest_attackers(str(config["attackers"]))
        if privacy == "he":
            raise ConfigError(
                "trees cannot be added, so that ciphertexts of them cannot either",
                came="model='forest' with privacy='he'",
                action="encrypt the network, or grow the forest in clear",
            )
        return ForestBagging(model.schema, **options)
    if privacy == "he":
        return EncryptedAggregation(encryption=ENCRYPTION, **options)
    return ReputationFedAvg(**options)
