"""The server: reputation-enhanced FedAvg over noisy updates, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flwr.app import Array, ArrayRecord, Context, MetricRecord
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import Strategy
from numpy.typing import NDArray

from parity_flwr.app.journal import SqlJournal, from_environment
from parity_flwr.core.config import TrustConfig
from parity_flwr.strategies import ReputationFedAvg, Sampling
from parity_healthcare.outcome import leave, outcome_of
from parity_healthcare.study import pooled_auc, study
from parity_healthcare.task import Settings, first_model

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Train, compare with training alone, and leave the results in the run's folder."""
    settings = Settings.of(context.run_config)
    journal = from_environment()
    strategy = strategy_of(settings, journal)
    benefit = study(settings, train(settings, strategy, grid))
    leave(outcome_of(settings, benefit, journal, strategy), journal)


def strategy_of(settings: Settings, journal: SqlJournal) -> ReputationFedAvg:
    """Return the strategy: it needs every hospital in every round.

    The default judges by how updates answer the model's steps. That is the finer judgement,
    but it drowns in the noise of hospitals with 40 patients (it finds one liar in five): there
    the distance between updates has to do, which is coarser and spares fewer minorities.
    """
    config = TrustConfig()
    secret = settings.strategy_seed
    return ReputationFedAvg(
        config=config.judging_by_distance() if settings.patients.few else config,
        sampling=Sampling(
            fraction_evaluate=0.0,
            min_train_nodes=settings.hospitals,
            min_available_nodes=settings.hospitals,
            node_timeout_s=120,  # they are all there at once, or not at all
        ),
        seed=secret if secret >= 0 else None,
        promise=settings.budget,
        journal=journal,
    )


def train(settings: Settings, strategy: Strategy, grid: Grid) -> Mapping[str, NDArray[Any]]:
    """Run all rounds and return the model."""

    def evaluate(server_round: int, arrays: ArrayRecord) -> MetricRecord:
        model = {name: each.numpy() for name, each in arrays.items()}
        return MetricRecord({"auc": pooled_auc(settings, model)})

    first = {name: Array(array) for name, array in first_model(settings).items()}
    result = strategy.start(
        grid=grid,
        initial_arrays=ArrayRecord(first),
        num_rounds=settings.rounds,
        evaluate_fn=evaluate,
    )
    return {name: each.numpy() for name, each in result.arrays.items()}
