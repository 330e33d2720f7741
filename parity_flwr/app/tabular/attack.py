"""`--attack KIND:FRACTION`: some clients of a table lie, to see whether they are found."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from flwr.clientapp.typing import Mod
from numpy.typing import NDArray

from parity_flwr.app.tabular.attack_asked import LABEL_FLIP
from parity_flwr.app.tabular.plan import TabularPlan
from parity_flwr.clients.attacks import ATTACKS, Attack, AttackMod, OnOff
from parity_flwr.clients.attacks.forests import CopiedTrees, ForestAttackMod
from parity_flwr.clients.tables import Table
from parity_flwr.core.privacy.presets import Level
from parity_flwr.errors import ConfigError

if TYPE_CHECKING:
    from parity_flwr.app.tabular.slices import MakeClient

FREE_RIDER = "free_rider"


def check_attack(plan: TabularPlan) -> None:
    """Refuse an attack that the plan's protocol has no room for.

    Raises
    ------
    ConfigError
        With the kinds that there are.
    """
    if plan.attack is None:
        return
    plan.attack.places(plan.clients, seed=plan.seed)
    kinds, what = _kinds(plan)
    if plan.attack.kind not in kinds:
        raise ConfigError(
            f"--attack takes {' or '.join(kinds)} where {what}",
            came=plan.attack.kind,
            action="change --attack, --model or --privacy",
        )


def _kinds(plan: TabularPlan) -> tuple[tuple[str, ...], str]:
    if plan.privacy.level is Level.HIGH:
        return (LABEL_FLIP,), "updates are masked and only their sum is seen"
    model = plan.model.value
    if model in ("neural_network", "logistic"):
        return tuple(ATTACKS), "clients send models"
    if plan.privacy.level is not Level.OFF:
        return (LABEL_FLIP,), "clients send noisy sums"
    if model == "random_forest":
        return (LABEL_FLIP, FREE_RIDER), "clients send trees"
    return (LABEL_FLIP,), "clients send statistics"


@dataclass(frozen=True, kw_only=True, eq=False)
class Attackers:
    """The clients that lie, and how.

    Parameters
    ----------
    plan : TabularPlan
        With the number of clients that there are.
    classes : int
        0 for regression.
    """

    plan: TabularPlan
    classes: int

    @cached_property
    def places(self) -> tuple[int, ...]:
        """Return their partitions; none without an attack."""
        asked = self.plan.attack
        return () if asked is None else asked.places(self.plan.clients, seed=self.plan.seed)

    @property
    def identities(self) -> tuple[str, ...]:
        """Return how the journal calls them."""
        return tuple(f"client-{place}" for place in self.places)

    def rows(self, place: int, table: Table) -> Table:
        """Return a client's rows: flipped if it lies about its labels, else as they are.

        Classes are named in reverse order, numbers mirrored between the client's extremes.
        """
        asked = self.plan.attack
        if asked is None or asked.kind != LABEL_FLIP or place not in self.places:
            return table
        return Table(table.x, self._flipped(table.y))

    def clients(self, place: int, make: MakeClient) -> MakeClient:
        """Return what makes the client of a partition, from rows as it sees them."""
        return lambda table, context: make(self.rows(place, table), context)

    def _flipped(self, y: NDArray[Any]) -> NDArray[Any]:
        if self.classes:
            return np.asarray(self.classes - 1 - y, y.dtype)
        return y.min() + y.max() - y if len(y) else y

    def mods(self) -> list[Mod]:
        """Return what changes the attackers' updates; empty where their rows lie."""
        asked = self.plan.attack
        if asked is None or asked.kind == LABEL_FLIP:
            return []
        if self.plan.model.value == "random_forest":
            copies = {place: CopiedTrees() for place in self.places}
            return [ForestAttackMod(copies, seed=self.plan.seed)]
        attack = self._attack(asked.kind)
        return [
            AttackMod(
                dict.fromkeys(self.places, attack),
                seed=self.plan.seed,
                num_partitions=self.plan.clients,
            )
        ]

    def _attack(self, kind: str) -> Attack:
        if kind == "on_off":
            return OnOff(start=self.plan.rounds // 3 + 1)  # first, earn trust
        return ATTACKS[kind]()
