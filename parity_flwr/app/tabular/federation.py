"""From a plan and its data to what a run needs: clients, strategy, first model, judgement.

This is where other ways to train are added: a function from plan and data to a
:class:`TabularFederation`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from flwr.app import Array, ArrayRecord, Context, MetricRecord
from flwr.client import Client, NumPyClient
from flwr.clientapp import ClientApp
from flwr.serverapp.strategy import Strategy
from numpy.typing import NDArray

from parity_flwr.app.tabular.data import TabularData
from parity_flwr.app.tabular.metrics import class_metrics, number_metrics
from parity_flwr.app.tabular.network import Network
from parity_flwr.app.tabular.plan import Model, TabularPlan
from parity_flwr.app.tabular.target import Task
from parity_flwr.clients import (
    ForestClient,
    ForestTraining,
    LinearClient,
    LinearTraining,
    StatisticsClient,
    Table,
    initial_linear,
    parity_mods,
)
from parity_flwr.clients.linear_model import task_of
from parity_flwr.core.forest import (
    BaggingConfig,
    Forest,
    ForestSchema,
    decode_forest,
    forest_values,
)
from parity_flwr.core.linear import predict_linear
from parity_flwr.core.protocols import Journal
from parity_flwr.errors import ConfigError
from parity_flwr.strategies import ForestBagging, LeastSquares, ReputationFedAvg, Sampling

Values = NDArray[np.float64]
Arrays = Mapping[str, NDArray[Any]]
Predict = Callable[[Arrays, NDArray[np.float32]], Values]
MakeClient = Callable[[Table, Context], NumPyClient]


@dataclass(frozen=True, kw_only=True, eq=False)
class TabularFederation:
    """What a run needs.

    Parameters
    ----------
    client_app : ClientApp
        Its clients find their rows by partition id.
    strategy : Strategy
        With the journal in it.
    initial : ArrayRecord
        The first model.
    predict : callable
        (arrays, inputs) -> probabilities, shape (n, classes), or numbers, shape (n,), in the
        target's own units.
    rounds : int
        How many rounds make sense, at most the plan's.
    forest : callable, optional
        arrays -> the forest in them, where the model is one.
    """

    client_app: ClientApp
    strategy: Strategy
    initial: ArrayRecord
    predict: Predict
    rounds: int
    forest: Callable[[Arrays], Forest] | None = None


def check_model(plan: TabularPlan, task: Task, *, classes: int) -> None:
    """Refuse a model that does not predict what the target holds.

    Raises
    ------
    ConfigError
        Where it does not.
    """
    if plan.model is Model.LINEAR and task is not Task.REGRESSION:
        raise ConfigError(
            "the linear model predicts numbers",
            came=f"a target with {classes} classes",
            action="use --model logistic, or --task regression",
        )
    if plan.model is Model.LOGISTIC and task is not Task.CLASSIFICATION:
        raise ConfigError(
            "the logistic model predicts classes",
            came="a target of numbers",
            action="use --model linear, or --task classification",
        )


def build_federation(
    plan: TabularPlan, data: TabularData, *, journal: Journal | None
) -> TabularFederation:
    """Return clients and strategy for the plan's model.

    Raises
    ------
    ConfigError
        If the model does not fit the task.
    """
    check_model(plan, data.task, classes=len(data.classes))
    return _BUILDERS[plan.model](plan, data, journal)


def judge(federation: TabularFederation, data: TabularData) -> Callable[..., Any]:
    """Return the evaluation on the test set, as ``Strategy.start`` wants it."""

    def evaluate(server_round: int, arrays: ArrayRecord) -> MetricRecord | None:
        model = {name: array.numpy() for name, array in arrays.items()}
        if "sizes" in model and not len(model["sizes"]):
            return None  # a forest without trees has no opinion
        return MetricRecord({**held_out_metrics(federation, data, model)})

    return evaluate


def held_out_metrics(
    federation: TabularFederation, data: TabularData, model: Arrays
) -> dict[str, float]:
    """Return the metrics of a model on the test set."""
    values = federation.predict(model, data.test.x.astype(np.float32))
    if data.classes:
        return class_metrics(values, data.test.y.astype(np.int64))
    return number_metrics(values, data.test.y.astype(np.float64))


def _sampling(plan: TabularPlan) -> Sampling:
    return Sampling(fraction_evaluate=0.0, min_available_nodes=plan.clients)


def _app(data: TabularData, make: MakeClient) -> ClientApp:
    def client_fn(context: Context) -> Client:
        table = data.clients[int(context.node_config["partition-id"])]
        return make(table, context).to_client()

    return ClientApp(client_fn, mods=parity_mods())


def array_record(arrays: Arrays) -> ArrayRecord:
    """Return named arrays as Flower's record."""
    return ArrayRecord({name: Array(np.asarray(array)) for name, array in arrays.items()})


def _averaging(plan: TabularPlan, journal: Journal | None) -> ReputationFedAvg:
    return ReputationFedAvg(seed=plan.seed, sampling=_sampling(plan), journal=journal)


def _network(
    plan: TabularPlan, data: TabularData, journal: Journal | None
) -> TabularFederation:
    network = Network(plan, data)
    return TabularFederation(
        client_app=_app(data, network.client),
        strategy=_averaging(plan, journal),
        initial=array_record(network.initial()),
        predict=network.predict,
        rounds=plan.rounds,
    )


def _linear(plan: TabularPlan, data: TabularData, journal: Journal | None) -> TabularFederation:
    def client(table: Table, context: Context) -> NumPyClient:
        return StatisticsClient(train=table, test=table, context=context)

    def predict(arrays: Arrays, x: NDArray[np.float32]) -> Values:
        return predict_linear(arrays["coef"], arrays["intercept"], x, task_of(()))[:, 0]

    strategy = LeastSquares(
        data.features, seed=plan.seed, sampling=_sampling(plan), journal=journal
    )
    return TabularFederation(
        client_app=_app(data, client),
        strategy=strategy,
        initial=strategy.initial_arrays(),
        predict=predict,
        rounds=1,
    )


def _logistic(
    plan: TabularPlan, data: TabularData, journal: Journal | None
) -> TabularFederation:
    task, training = task_of(data.classes), LinearTraining(steps=50, ridge=1e-4)

    def client(table: Table, context: Context) -> NumPyClient:
        return LinearClient(
            data.classes, train=table, test=table, context=context, training=training
        )

    def predict(arrays: Arrays, x: NDArray[np.float32]) -> Values:
        return predict_linear(arrays["coef"], arrays["intercept"], x, task)

    return TabularFederation(
        client_app=_app(data, client),
        strategy=_averaging(plan, journal),
        initial=array_record(initial_linear(data.features, data.classes)),
        predict=predict,
        rounds=plan.rounds,
    )


def _forest(plan: TabularPlan, data: TabularData, journal: Journal | None) -> TabularFederation:
    schema = ForestSchema.of(data.features, data.classes)
    training = ForestTraining(trees=-(-plan.trees // plan.clients), seed=plan.seed)

    def client(table: Table, context: Context) -> NumPyClient:
        return ForestClient(schema, train=table, test=table, context=context, training=training)

    def predict(arrays: Arrays, x: NDArray[np.float32]) -> Values:
        values = forest_values(decode_forest(arrays, schema=schema), x)
        return values if data.classes else values[:, 0]

    strategy = ForestBagging(
        schema,
        bagging=BaggingConfig(budget=plan.trees),
        seed=plan.seed,
        sampling=_sampling(plan),
        journal=journal,
    )
    return TabularFederation(
        client_app=_app(data, client),
        strategy=strategy,
        initial=strategy.initial_arrays(),
        predict=predict,
        rounds=plan.rounds,
        forest=lambda arrays: decode_forest(arrays, schema=schema),
    )


_BUILDERS = {
    Model.NEURAL_NETWORK: _network,
    Model.LINEAR: _linear,
    Model.LOGISTIC: _logistic,
    Model.RANDOM_FOREST: _forest,
}
