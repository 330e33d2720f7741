"""Clients and strategy for a table with a privacy level."""

from __future__ import annotations

from flwr.app import Context
from flwr.client import Client
from flwr.clientapp import ClientApp
from flwr.serverapp.strategy import Strategy

from parity_flwr.app.tabular.data import TabularData
from parity_flwr.app.tabular.federation import (
    TabularFederation,
    array_record,
    attackers_of,
)
from parity_flwr.app.tabular.plan import Model, TabularPlan
from parity_flwr.app.tabular.privacy import TablePrivacy
from parity_flwr.app.tabular.private_forest import PrivateForest
from parity_flwr.app.tabular.private_linear import PrivateLinear
from parity_flwr.app.tabular.private_network import PrivateNetwork
from parity_flwr.clients import SecAggMod, derived_signers, parity_mods
from parity_flwr.core.privacy.combinations import Hiding
from parity_flwr.core.privacy.rounds import CLIENT_PRIVACY
from parity_flwr.core.protocols import Journal
from parity_flwr.core.secagg.session import LEAST_PARTICIPANTS
from parity_flwr.strategies import (
    ReleasedSums,
    Reputation,
    ReputationFedAvg,
    Sampling,
    SecureAggregation,
    SecureSetup,
)

_RANGE = 64.0  # of one number of an update: wide is cheap, and what is beyond is cut


PrivateModel = PrivateLinear | PrivateForest | PrivateNetwork


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
    return TabularFederation(
        client_app=_app(plan, data, model, privacy, run),
        strategy=_strategy(plan, privacy, model, journal),
        initial=array_record(model.initial()),
        fitted=model.fitted,
        rounds=plan.rounds if isinstance(model, PrivateNetwork) else 1,
    )


def _model(
    plan: TabularPlan, data: TabularData, privacy: TablePrivacy, run: str
) -> PrivateModel:
    if plan.model is Model.LINEAR:
        return PrivateLinear(data, privacy, run)
    if plan.model is Model.RANDOM_FOREST:
        return PrivateForest(data, privacy, run, seed=plan.seed)
    return PrivateNetwork(plan, data, privacy, run)


def _app(
    plan: TabularPlan, data: TabularData, model: PrivateModel, privacy: TablePrivacy, run: str
) -> ClientApp:
    attackers = attackers_of(plan, data)

    def client_fn(context: Context) -> Client:
        place = int(context.node_config["partition-id"])
        table = attackers.rows(place, data.clients[place])
        return model.client(table, context).to_client()

    if privacy.preset.hiding is not Hiding.SECAGG:
        return ClientApp(client_fn, mods=parity_mods(inner=attackers.mods()))
    # One process plays everybody, so that its clients' keys can follow from the run's id.
    signers = derived_signers(run.encode())
    mods = parity_mods(signers, inner=[SecAggMod(signers, clip=True)])
    return ClientApp(client_fn, mods=mods)


def _strategy(
    plan: TabularPlan, privacy: TablePrivacy, model: PrivateModel, journal: Journal | None
) -> Strategy:
    """Return the strategy; the run's header says what the clients promise."""
    strategy = _averaging(plan, privacy, model, journal)
    strategy.book.extra = {CLIENT_PRIVACY: privacy.settings()}
    return strategy


def _averaging(
    plan: TabularPlan, privacy: TablePrivacy, model: PrivateModel, journal: Journal | None
) -> Reputation | SecureAggregation:
    if not privacy.reputation:
        return _secure(plan, privacy, model, journal)
    sampling = Sampling(fraction_evaluate=0.0, min_available_nodes=plan.clients)
    if isinstance(model, PrivateNetwork):
        return ReputationFedAvg(seed=plan.seed, sampling=sampling, journal=journal)
    return ReleasedSums(model.release, seed=plan.seed, sampling=sampling, journal=journal)


def _secure(
    plan: TabularPlan, privacy: TablePrivacy, model: PrivateModel, journal: Journal | None
) -> SecureAggregation:
    """Return sums under masks: models by n_k, noisy sums one like the other."""
    sampling = Sampling(
        fraction_evaluate=0.0,
        min_train_nodes=LEAST_PARTICIPANTS,
        min_available_nodes=plan.clients,
    )
    if isinstance(model, PrivateNetwork):
        setup = SecureSetup(clipping_range=_RANGE, weight_cap=privacy.most, sampling=sampling)
    else:
        noise = _RANGE * model.release.noise_multiplier
        setup = SecureSetup(clipping_range=2 * privacy.most + noise, sampling=sampling)
    return SecureAggregation(setup=setup, seed=plan.seed, journal=journal)
