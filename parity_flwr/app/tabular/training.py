"""Where a table's clients run: in this process, or in Flower's simulation."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flwr.app import ArrayRecord
from numpy.typing import NDArray

from parity_flwr.app.engines.engine import Engine, run_app
from parity_flwr.app.engines.inprocess import InProcessGrid
from parity_flwr.app.environment import Environment, exported
from parity_flwr.app.journal.opening import open_journal, start_journal
from parity_flwr.app.runs.checkpoint import read_model
from parity_flwr.app.runs.folder import RunFolder
from parity_flwr.app.tabular.data import TabularData
from parity_flwr.app.tabular.federation import TabularFederation, build_federation, judge
from parity_flwr.app.tabular.plan import TabularPlan
from parity_flwr.app.tabular.privacy import TablePrivacy
from parity_flwr.app.tabular.privacy_report import client_ledgers, reported_ledgers
from parity_flwr.app.tabular.private_federation import build_private
from parity_flwr.app.tabular.table_app import write_table_app
from parity_flwr.core.privacy.ledger import Ledger
from parity_flwr.core.protocols import Journal
from parity_flwr.errors import RunError


@dataclass(frozen=True, kw_only=True, eq=False)
class Trained:
    """What came out of a run.

    Parameters
    ----------
    federation : TabularFederation
        What was run.
    model : mapping
        Its arrays.
    ledgers : mapping
        The clients', by name; empty without privacy.
    """

    federation: TabularFederation
    model: Mapping[str, NDArray[Any]]
    ledgers: Mapping[str, Ledger]


@dataclass(frozen=True, kw_only=True, eq=False)
class Training:
    """A plan whose data are encoded and whose folder is there.

    Parameters
    ----------
    plan, data, privacy, folder
        Of the run.
    keep_updates : bool
        Keep what clients sent.
    disk_cap : int, optional
        Bytes that the folder should not exceed.
    """

    plan: TabularPlan
    data: TabularData
    privacy: TablePrivacy | None
    folder: RunFolder
    keep_updates: bool = False
    disk_cap: int | None = None

    def on(self, engine: Engine) -> Trained:
        """Train to the end.

        Raises
        ------
        RunError
            The simulation failed.
        """
        return self._in_simulation() if engine is Engine.SIMULATION else self._here()

    def federation(self, journal: Journal | None) -> TabularFederation:
        """Return clients and strategy."""
        if self.privacy is None:
            return build_federation(self.plan, self.data, journal=journal)
        return build_private(
            self.plan, self.data, self.privacy, journal=journal, run=self.folder.id
        )

    def _here(self) -> Trained:
        journal = start_journal(
            self.folder, keep_updates=self.keep_updates, disk_cap=self.disk_cap
        )
        federation = self.federation(journal)
        with InProcessGrid(federation.client_app, self.plan.clients) as grid:
            result = federation.strategy.start(
                grid,
                federation.initial,
                num_rounds=federation.rounds,
                evaluate_fn=judge(federation, self.data),
            )
            state = grid.save_client_state()
        arrays: ArrayRecord = result.arrays
        model = {name: array.numpy() for name, array in arrays.items()}
        ledgers: Mapping[str, Ledger] = {}
        if self.privacy is not None:
            budget = self.privacy.budget
            ledgers = client_ledgers(state, clients=self.plan.clients, budget=budget)
        return Trained(federation=federation, model=model, ledgers=ledgers)

    def _in_simulation(self) -> Trained:
        kept = dataclasses.replace(
            Environment.read(), keep_updates=self.keep_updates, disk_cap=self.disk_cap
        )
        with exported(kept.variables()):
            outcome = run_app(
                write_table_app(self.folder.path, self.plan),
                engine=Engine.SIMULATION,
                folder=self.folder,
                num_clients=self.plan.clients,
            )
        if not outcome.completed:
            raise RunError(
                f"run {self.folder.id} needs to end with a sound model",
                came=outcome.reason,
                action=f"see {self.folder.path / 'flower.log'}",
            )
        ledgers: Mapping[str, Ledger] = {}
        if self.privacy is not None:
            charges = open_journal(self.folder).charges()
            ledgers = reported_ledgers(charges, budget=self.privacy.budget)
        return Trained(
            federation=self.federation(None),
            model=read_model(self.folder.model),
            ledgers=ledgers,
        )
