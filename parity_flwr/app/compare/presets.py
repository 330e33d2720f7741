"""The named grids: a smoke test, the paper's table 2, and the design note's grid."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Final

from parity_flwr.app.compare.attack_names import ATTACKS, NONE
from parity_flwr.app.compare.contenders import CONTENDERS, DEFAULT, OPT_IN, ORACLE
from parity_flwr.app.compare.plan import Plan
from parity_flwr.app.compare.task import Federation
from parity_flwr.errors import ConfigError

MANY: Final = tuple(range(5))
FEW: Final = tuple(range(2))
LEADING: Final = (DEFAULT, ORACLE, "fedavg", "nnm_trimmed_mean", "fltrust")
"""Who gets five seeds in the grid; the others get two."""
SHORT: Final = (DEFAULT, ORACLE, "fedavg", "nnm_trimmed_mean", "paper")
PRINTED: Final = (DEFAULT, ORACLE, "fedavg", "krum", "median", "paper")
"""Table 2's columns, and ours."""


def smoke(data: Path | None) -> Plan:
    """Return a grid on scikit-learn's digits that is done in seconds; ``data`` is not read."""
    return Plan(
        name="smoke",
        federation=Federation(
            dataset="digits",
            clients=10,
            rounds=15,
            steps=10,
            min_size=50,
            root_examples=100,
            curve_examples=450,
        ),
        strategies=dict.fromkeys(SHORT, (0,)),
        attacks=(NONE, "sign_flip", "label_flip", "alie"),
        fractions=(0.0, 0.2, 0.3),
        partitions=("iid", "dirichlet"),
    )


def paper_table_2(data: Path | None) -> Plan:
    """Return the paper's table 2: MNIST, 0 to 30 % attackers, its columns and ours.

    The paper names neither the attack nor the division nor the rounds: here they are sign
    flip, Dirichlet 0.5 and 100, the same for everybody. (After 60 rounds FedAvg has 93.2 %
    without attackers, after 100 it has 94.3 %; the paper's has 92.3 %.)
    """
    return Plan(
        name="paper-table-2",
        federation=Federation(dataset="mnist", rounds=100),
        strategies=dict.fromkeys(PRINTED, MANY),
        attacks=(NONE, "sign_flip"),
        fractions=(0.0, 0.1, 0.2, 0.3),
        partitions=("dirichlet",),
        data=_required(data, "paper-table-2", "mnist"),
    )


def grid(data: Path | None) -> Plan:
    """Return the design note's grid on Fashion-MNIST: every strategy, every attack."""
    return Plan(
        name="grid",
        federation=Federation(dataset="fashion_mnist"),
        strategies={
            name: MANY if name in LEADING else FEW for name in CONTENDERS if name not in OPT_IN
        },
        attacks=tuple(ATTACKS),
        fractions=(0.0, 0.1, 0.2, 0.3),
        partitions=("dirichlet", "iid", "minor", "patho"),
        data=_required(data, "grid", "fashion_mnist"),
    )


PRESETS: Final[Mapping[str, Callable[[Path | None], Plan]]] = MappingProxyType(
    {"smoke": smoke, "paper-table-2": paper_table_2, "grid": grid}
)


def narrowed(
    plan: Plan,
    *,
    strategies: Sequence[str] = (),
    attacks: Sequence[str] = (),
    fractions: Sequence[float] = (),
    partitions: Sequence[str] = (),
    seeds: Sequence[int] = (),
) -> Plan:
    """Return the plan with what was chosen instead of the preset's; empty keeps it."""
    chosen = {
        name: tuple(seeds) or tuple(plan.strategies.get(name, FEW))
        for name in strategies or plan.strategies
    }
    return replace(
        plan,
        strategies=chosen,
        attacks=tuple(attacks) or plan.attacks,
        fractions=tuple(fractions) or plan.fractions,
        partitions=tuple(partitions) or plan.partitions,
    )


def _required(data: Path | None, preset: str, dataset: str) -> Path:
    if data is None:
        raise ConfigError(
            f"the preset {preset} needs a folder with {dataset}.npz",
            came="none",
            action="give --data DIR",
        )
    return data
