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

from parity_flwr.app.tabular.attack import Attackers
from parity_flwr.app.tabular.data import TabularData
from parity_flwr.app.tabular.fitted import FittedModel, Kind
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
from parity_flwr.core.forest import BaggingConfig, ForestSchema
from parity_flwr.core.protocols import Journal
from parity_flwr.errors import ConfigError
from parity_flwr.strategies import ForestBagging, LeastSquares, ReputationFedAvg, Sampling

Arrays = Mapping[str, NDArray[Any]]
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
    fitted : callable
        arrays -> the model in them, which predicts in the target's own units.
    rounds : int
        How many rounds make sense, at most the plan's.
    """

    client_app: ClientApp
    strategy: Strategy
    initial: ArrayRecord
    fitted: Callable[[Arrays], FittedModel]
    rounds: int


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
        found = held_out_metrics(federation, data, model)
        return MetricRecord({**found}) if found else None

    return evaluate


def held_out_metrics(
    federation: TabularFederation, data: TabularData, model: Arrays
) -> dict[str, float]:
    """Return the metrics of a model on the test set."""
    values = federation.fitted(model).predict(data.test.x.astype(np.float32))
    if data.classes:
        return class_metrics(values, data.test.y.astype(np.int64))
    return number_metrics(values, data.test.y.astype(np.float64))


def _sampling(plan: TabularPlan) -> Sampling:
    return Sampling(fraction_evaluate=0.0, min_available_nodes=plan.clients)


def _app(plan: TabularPlan, data: TabularData, make: MakeClient) -> ClientApp:
    attackers = attackers_of(plan, data)

    def client_fn(context: Context) -> Client:
        place = int(context.node_config["partition-id"])
        return make(attackers.rows(place, data.clients[place]), context).to_client()

    return ClientApp(client_fn, mods=parity_mods(inner=attackers.mods()))


def attackers_of(plan: TabularPlan, data: TabularData) -> Attackers:
    """Return who lies among the plan's clients."""
    return Attackers(plan=plan, classes=len(data.classes))


def array_record(arrays: Arrays) -> ArrayRecord:
    """Return named arrays as Flower's record."""
    return ArrayRecord({name: Array(np.asarray(array)) for name, array in arrays.items()})


def fitted_in(kind: Kind, data: TabularData) -> Callable[[Arrays], FittedModel]:
    """Return what finds a model in arrays that are one."""

    def fitted(arrays: Arrays) -> FittedModel:
        return FittedModel(
            kind=kind, arrays=arrays, features=data.features, classes=data.classes
        )

    return fitted


def _averaging(plan: TabularPlan, journal: Journal | None) -> ReputationFedAvg:
    return ReputationFedAvg(seed=plan.seed, sampling=_sampling(plan), journal=journal)


def _network(
    plan: TabularPlan, data: TabularData, journal: Journal | None
) -> TabularFederation:
    network = Network(plan, data)
    return TabularFederation(
        client_app=_app(plan, data, network.client),
        strategy=_averaging(plan, journal),
        initial=array_record(network.initial()),
        fitted=network.fitted,
        rounds=plan.rounds,
    )


def _linear(plan: TabularPlan, data: TabularData, journal: Journal | None) -> TabularFederation:
    def client(table: Table, context: Context) -> NumPyClient:
        return StatisticsClient(train=table, test=table, context=context)

    strategy = LeastSquares(
        data.features, seed=plan.seed, sampling=_sampling(plan), journal=journal
    )
    return TabularFederation(
        client_app=_app(plan, data, client),
        strategy=strategy,
        initial=strategy.initial_arrays(),
        fitted=fitted_in(Kind.LINEAR, data),
        rounds=1,
    )


def _logistic(
    plan: TabularPlan, data: TabularData, journal: Journal | None
) -> TabularFederation:
    training = LinearTraining(steps=50, ridge=1e-4)

    def client(table: Table, context: Context) -> NumPyClient:
        return LinearClient(
            data.classes, train=table, test=table, context=context, training=training
        )

    return TabularFederation(
        client_app=_app(plan, data, client),
        strategy=_averaging(plan, journal),
        initial=array_record(initial_linear(data.features, data.classes)),
        fitted=fitted_in(Kind.LINEAR, data),
        rounds=plan.rounds,
    )


def _forest(plan: TabularPlan, data: TabularData, journal: Journal | None) -> TabularFederation:
    schema = ForestSchema.of(data.features, data.classes)
    training = ForestTraining(trees=-(-plan.trees // plan.clients), seed=plan.seed)

    def client(table: Table, context: Context) -> NumPyClient:
        return ForestClient(schema, train=table, test=table, context=context, training=training)

    strategy = ForestBagging(
        schema,
        bagging=BaggingConfig(budget=plan.trees),
        seed=plan.seed,
        sampling=_sampling(plan),
        journal=journal,
    )
    return TabularFederation(
        client_app=_app(plan, data, client),
        strategy=strategy,
        initial=strategy.initial_arrays(),
        fitted=fitted_in(Kind.FOREST, data),
        rounds=plan.rounds,
    )


_BUILDERS = {
    Model.NEURAL_NETWORK: _network,
    Model.LINEAR: _linear,
    Model.LOGISTIC: _logistic,
    Model.RANDOM_FOREST: _forest,
}
