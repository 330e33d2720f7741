"""What is compared: the cells of a grid, in the order in which they run."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from parity_flwr.app.compare.attack_names import ATTACKS, NONE
from parity_flwr.app.compare.contenders import CONTENDERS, ORACLE
from parity_flwr.app.compare.task import PARTITIONS, Federation
from parity_flwr.errors import ConfigError

MAX_SEED = 2**32 - 1


@dataclass(frozen=True, kw_only=True, order=True)
class Cell:
    """One run of a comparison, by name. The order is that of tables."""

    strategy: str
    attack: str
    fraction: float
    partition: str
    seed: int

    @property
    def work(self) -> Cell:
        """The run that gives this cell's result.

        What attackers send is nothing to the oracle, so all its attacks are one run.
        """
        return replace(self, attack=NONE) if self.strategy == ORACLE else self


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A grid and the federation that it is run on.

    Parameters
    ----------
    name : str
        Of the preset.
    federation : Federation
        Constants of all cells.
    strategies : mapping of str to sequence of int
        The seeds that each strategy gets.
    attacks, fractions, partitions : sequences
        "none" is the attack at fraction 0, and at no other.
    data : Path or None
        The folder with the ``.npz`` file; None for bundled data.

    Raises
    ------
    ConfigError
        If a name is unknown, a number out of range, or there are no cells.
    """

    name: str
    federation: Federation
    strategies: Mapping[str, Sequence[int]]
    attacks: Sequence[str]
    fractions: Sequence[float]
    partitions: Sequence[str]
    data: Path | None = None

    def __post_init__(self) -> None:
        _require_known("strategy", self.strategies, CONTENDERS)
        _require_known("attack", self.attacks, ATTACKS)
        _require_known("partition", self.partitions, PARTITIONS)
        if not all(0 <= fraction < 0.5 for fraction in self.fractions):
            raise ConfigError(
                "fractions need numbers from 0 to under 0.5",
                came=f"{list(self.fractions)}",
                action="change --fractions",
            )
        seeds = [seed for each in self.strategies.values() for seed in each]
        if not seeds or not all(0 <= seed <= MAX_SEED for seed in seeds):
            raise ConfigError(
                f"seeds need numbers from 0 to {MAX_SEED}",
                came=f"{seeds[:10]}",
                action="change --seeds",
            )
        if not self.cells():
            raise ConfigError(
                "a comparison needs cells: fraction 0, or an attack at a higher fraction",
                came=f"attacks {list(self.attacks)}, fractions {list(self.fractions)}",
                action="change --attacks or --fractions",
            )

    def cells(self) -> list[Cell]:
        """Return all cells: seed by seed, so that the first seed's table is soon complete."""
        threats = [(NONE, 0.0)] if 0.0 in self.fractions else []
        threats += [
            (attack, fraction)
            for fraction in self.fractions
            for attack in self.attacks
            if fraction > 0 and attack != NONE
        ]
        seeds = sorted({seed for each in self.strategies.values() for seed in each})
        return [
            Cell(
                strategy=strategy,
                attack=attack,
                fraction=fraction,
                partition=partition,
                seed=seed,
            )
            for seed in seeds
            for partition in self.partitions
            for strategy, own in self.strategies.items()
            if seed in own
            for attack, fraction in threats
        ]


def cell_of(record: Mapping[str, Any]) -> Cell:
    """Read the cell of a result line; a KeyError, TypeError or ValueError if it has none."""
    return Cell(
        strategy=str(record["strategy"]),
        attack=str(record["attack"]),
        fraction=float(record["fraction"]),
        partition=str(record["partition"]),
        seed=int(record["seed"]),
    )


def _require_known(kind: str, names: Collection[str], known: Collection[str]) -> None:
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        raise ConfigError(
            f"a {kind} needs one of the names {', '.join(known)}",
            came=f"{', '.join(map(repr, unknown)) or 'none'}"[:200],
            action="choose among them",
        )
