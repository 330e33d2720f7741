"""Clients and strategy for a table with a privacy level."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from flwr.app import Context
from flwr.client import Client, NumPyClient
from flwr.clientapp import ClientApp
from flwr.serverapp.strategy import Strategy
from numpy.typing import NDArray

from parity_flwr.app.tabular.data import TabularData
from parity_flwr.app.tabular.federation import (
    Arrays,
    TabularFederation,
    Values,
    array_record,
)
from parity_flwr.app.tabular.plan import Model, TabularPlan
from parity_flwr.app.tabular.privacy import TablePrivacy
from parity_flwr.app.tabular.private_forest import PrivateForest
from parity_flwr.app.tabular.private_linear import PrivateLinear
from parity_flwr.app.tabular.private_network import PrivateNetwork
from parity_flwr.clients import SecAggMod, Table, derived_signers, parity_mods
from parity_flwr.core.privacy.combinations import Hiding
from parity_flwr.core.privacy.rounds import CLIENT_PRIVACY
from parity_flwr.core.protocols import Journal
from parity_flwr.core.secagg.session import LEAST_PARTICIPANTS
from parity_flwr.strategies import (
    ReputationFedAvg,
    Sampling,
    SecureAggregation,
    SecureSetup,
)

_RANGE = 64.0  # of one number of an update: wide is cheap, and what is beyond is cut


class PrivateModel(Protocol):
    """A model whose clients promise something."""

    def initial(self) -> Arrays:
        """Return the first model."""
        ...

    def client(self, table: Table, context: Context) -> NumPyClient:
        """Return the client of these rows."""
        ...

    def predict(self, arrays: Arrays, x: NDArray[np.float32]) -> Values:
        """Return probabilities or numbers."""
        ...


def build_private(
    plan: TabularPlan,
    data: TabularData,
    privacy: TablePrivacy,
    *,
    journal: Journal | None,
    run: str,
) -> TabularFederation:
    """Return clients and strategy; ``run`` names the run in the clients' ledgers."""
    model = _model(plan, data, privacy, run)
    once = plan.model in (Model.LINEAR, Model.RANDOM_FOREST)
    return TabularFederation(
        client_app=_app(data, model, privacy, run),
        strategy=_strategy(plan, privacy, journal),
        initial=array_record(model.initial()),
        predict=model.predict,
        rounds=1 if once else plan.rounds,
    )


def _model(
    plan: TabularPlan, data: TabularData, privacy: TablePrivacy, run: str
) -> PrivateModel:
    if plan.model is Model.LINEAR:
        return PrivateLinear(data, privacy, run)
    if plan.model is Model.RANDOM_FOREST:
        return PrivateForest(data, privacy, run, seed=plan.seed)
    return PrivateNetwork(plan, data, privacy, run)


def _app(data: TabularData, model: PrivateModel, privacy: TablePrivacy, run: str) -> ClientApp:
    def client_fn(context: Context) -> Client:
        table = data.clients[int(context.node_config["partition-id"])]
        return model.client(table, context).to_client()

    if privacy.preset.hiding is not Hiding.SECAGG:
        return ClientApp(client_fn, mods=parity_mods())
    # One process plays everybody, so that its clients' keys can follow from the run's id.
    signers = derived_signers(run.encode())
    mods = parity_mods(signers, inner=[SecAggMod(signers, clip=True)])
    return ClientApp(client_fn, mods=mods)


def _strategy(plan: TabularPlan, privacy: TablePrivacy, journal: Journal | None) -> Strategy:
    """Return the strategy; the run's header says what the clients promise."""
    strategy = _averaging(plan, privacy, journal)
    strategy.book.extra = {CLIENT_PRIVACY: privacy.settings()}
    return strategy


def _averaging(
    plan: TabularPlan, privacy: TablePrivacy, journal: Journal | None
) -> ReputationFedAvg | SecureAggregation:
    if privacy.reputation:
        sampling = Sampling(fraction_evaluate=0.0, min_available_nodes=plan.clients)
        return ReputationFedAvg(seed=plan.seed, sampling=sampling, journal=journal)
    sampling = Sampling(
        fraction_evaluate=0.0,
        min_train_nodes=LEAST_PARTICIPANTS,
        min_available_nodes=plan.clients,
    )
    setup = SecureSetup(clipping_range=_RANGE, weight_cap=privacy.most, sampling=sampling)
    return SecureAggregation(setup=setup, seed=plan.seed, journal=journal)
