"""What a simulated network pays, takes and asks for: the constants of a simulation."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from parity_flwr.app.compare.attack_names import ATTACKS, NONE
from parity_flwr.app.compare.task import PARTITIONS, Federation
from parity_flwr.core.economy.amounts import MILLION, UNIT, require_amount, require_integer
from parity_flwr.core.economy.claims import Participation, RewardConfig
from parity_flwr.core.economy.offences import SlashConfig
from parity_flwr.core.economy.settlement import EconomyConfig
from parity_flwr.errors import ConfigError

IDLE: Final = frozenset(
    {
        "noise",
        "alie",
        "alie_noise",
        "ipm",
        "loud_pairs",
        "quiet_pairs",
        "disguise",
        "min_max",
        "min_sum",
        "mimic",
        "free_rider",
    }
)
"""Attacks made of others' updates or of nothing: whoever cheats so saves the work."""

DEFAULT_ATTACKS: Final = (
    "sign_flip",
    "label_flip",
    "alie",
    "on_off",
    "free_rider",
    "mimic",
)
MAX_ROUNDS: Final = 10_000
MAX_CLIENTS: Final = 200


@dataclass(frozen=True, kw_only=True)
class Market:
    """One simulated network. Amounts are in base units, 10^18 to the token.

    Parameters
    ----------
    attacks : tuple of str
        One federation is played for each, and one in which everybody is honest.
    rounds, clients : int
        Size of the federation.
    fraction : float
        Share of the clients that cheat; at least one.
    seeds : tuple of int
        Each is a federation of its own.
    partition, dataset, data
        As in ``parity compare``; the bundled digits by default.
    pool : int
        What each round pays.
    stake : int
        What everybody has at stake when the run begins.
    cost : int
        What the work of one round costs whoever does it.
    bribe : int
        What somebody outside pays a cheat for each round in which it is not yet caught.
    base_penalty : int
        Of P-32.
    quality : int
        Severity of a fall of reputation (P-31), millionths.
    participation : Participation
        What F of P-28 is.
    """

    attacks: tuple[str, ...] = DEFAULT_ATTACKS
    rounds: int = 200
    clients: int = 10
    fraction: float = 0.2
    seeds: tuple[int, ...] = (0,)
    partition: str = "dirichlet"
    dataset: str = "digits"
    data: Path | None = None
    pool: int = 100 * UNIT
    stake: int = 1_000 * UNIT
    cost: int = 4 * UNIT
    bribe: int = 10 * UNIT
    base_penalty: int = 500 * UNIT
    quality: int = SlashConfig.quality
    participation: Participation = Participation.ATTENDANCE

    def __post_init__(self) -> None:
        _require_known("attacks", self.attacks, [name for name in ATTACKS if name != NONE])
        _require_known("partition", (self.partition,), list(PARTITIONS))
        require_integer("rounds", self.rounds, 1, MAX_ROUNDS)
        require_integer("clients", self.clients, 4, MAX_CLIENTS)
        if not 0 < self.fraction < 0.5 or self.cheaters < 1:
            raise ConfigError(
                "a simulation needs a share of cheats above 0 and under 0.5, one at least",
                came=f"{self.fraction} of {self.clients} clients",
                action="change --fraction or --clients",
            )
        for name in ("pool", "stake", "cost", "bribe", "base_penalty"):
            require_amount(name, getattr(self, name))
        require_integer("quality", self.quality, 0, MILLION)
        if not self.seeds or not all(0 <= seed < 2**32 for seed in self.seeds):
            raise ConfigError(
                "seeds need numbers from 0 to 2^32 - 1",
                came=f"{self.seeds[:10]}",
                action="change --seeds",
            )

    @property
    def cheaters(self) -> int:
        """How many cheat, as :meth:`Task.attackers` counts them."""
        return round(self.fraction * self.clients)

    @property
    def economy(self) -> EconomyConfig:
        """The constants of the core."""
        return EconomyConfig(
            rewards=RewardConfig(pool=self.pool, participation=self.participation),
            slashing=SlashConfig(base_penalty=self.base_penalty, quality=self.quality),
        )

    @property
    def federation(self) -> Federation:
        """The constants of the training."""
        small = self.dataset == "digits"
        return Federation(
            dataset=self.dataset,
            clients=self.clients,
            rounds=self.rounds,
            min_size=min(64, 500 // self.clients) if small else 64,
            root_examples=100,
            curve_examples=450 if small else 1000,
        )


def _require_known(name: str, values: tuple[str, ...], known: list[str]) -> None:
    unknown = [value for value in values if value not in known]
    if unknown or not values or len(set(values)) != len(values):
        raise ConfigError(
            f"{name} need different names among {', '.join(known)}",
            came=f"{', '.join(map(repr, unknown or values)) or 'none'}"[:200],
            action=f"change --{name}",
        )
