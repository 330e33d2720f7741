"""What a user asks of `parity run data.csv`, checked before any work."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from parity_flwr.app.tabular.attack_asked import AttackAsked
from parity_flwr.app.tabular.division import Division
from parity_flwr.app.tabular.target import Task
from parity_flwr.core.privacy.presets import Level, preset
from parity_flwr.errors import ConfigError


class Model(StrEnum):
    """What is trained."""

    NEURAL_NETWORK = "neural_network"
    LINEAR = "linear"
    LOGISTIC = "logistic"
    RANDOM_FOREST = "random_forest"


@dataclass(frozen=True, kw_only=True)
class PrivacyAsked:
    """A level, and numbers of the user's own where given.

    Raises
    ------
    ConfigError
        If a number promises nothing whatever the data, or stands beside ``off``.
    """

    level: Level = Level.OFF
    epsilon: float | None = None
    delta: float | None = None
    clip: float | None = None

    def __post_init__(self) -> None:
        preset(self.level, examples=1, epsilon=self.epsilon, delta=self.delta, clip=self.clip)


@dataclass(frozen=True, kw_only=True)
class TabularPlan:
    """One federation over the rows of one CSV file.

    Parameters
    ----------
    data : Path
        The file.
    target : str
        The column to predict.
    model : Model
        ``linear`` is for numbers, ``logistic`` for classes, the others for both.
    clients, rounds : int
        At least 1. A linear model is exact after one round and takes no more. With "by:COLUMN"
        ``clients`` may be 0 until the file is read: as many as the column has values.
    task : Task, optional
        What the target holds; inferred by default.
    partition : str
        How rows are divided: "iid", "stratified", "sequential", or with a number
        "dirichlet:ALPHA", "label-skew:CLASSES", "quantity:ALPHA", or "by:COLUMN", where each
        value of the column is a client.
    seed : int
        Decides the split, the division, initial model and training.
    test_share : float
        Share of the rows that no client sees, for the metrics.
    trees : int
        Budget of a forest.
    privacy : PrivacyAsked
        What is promised to each row.
    attack : AttackAsked, optional
        Which share of the clients lies, and how.

    Raises
    ------
    ConfigError
        If a number is out of range or the partition unknown.
    """

    data: Path
    target: str
    model: Model
    clients: int = 10
    rounds: int = 5
    task: Task | None = None
    partition: str = "iid"
    seed: int = 0
    test_share: float = 0.2
    trees: int = 100
    privacy: PrivacyAsked = field(default_factory=PrivacyAsked)
    attack: AttackAsked | None = None

    def __post_init__(self) -> None:
        fewest = 0 if self.division.kind == "by" else 1
        for name, least in {"clients": fewest, "rounds": 1, "seed": 0, "trees": 1}.items():
            if getattr(self, name) < least:
                raise ConfigError(
                    f"{name} needs a number from {least}",
                    came=str(getattr(self, name)),
                    action=f"change {name}",
                )
        if not 0 < self.test_share < 1:
            raise ConfigError(
                "test_share needs a number between 0 and 1",
                came=str(self.test_share),
                action="change it",
            )

    @property
    def division(self) -> Division:
        """Return how rows are divided."""
        return Division.parse(self.partition)
