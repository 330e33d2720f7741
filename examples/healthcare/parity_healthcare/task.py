"""The learning task: settings, model, and how a hospital trains."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from flwr.app import Context
from flwr.client import NumPyClient
from numpy.typing import NDArray

from parity_flwr.clients import (
    DPTorchClient,
    ExamplePrivacy,
    Examples,
    LocalTraining,
    TorchClient,
    initial_arrays,
)
from parity_flwr.clients.attacks import parse_attackers
from parity_flwr.core.privacy.ledger import Budget
from parity_flwr.errors import ConfigError
from parity_healthcare.hospitals import Hospital, divide
from parity_healthcare.patients import Patients, load_patients

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The run's configuration, as ``[tool.flwr.app.config]`` explains it."""

    data: str
    hospitals: int
    rounds: int
    epsilon: float
    clip: float
    learning_rate: float
    attackers: str
    seed: int
    strategy_seed: int

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Settings:
        """Read a run's configuration."""
        return cls(
            data=str(config["data"]),
            hospitals=int(config["hospitals"]),
            rounds=int(config["num-server-rounds"])
            or load_patients(str(config["data"])).rounds,
            epsilon=float(config["epsilon"]),
            clip=float(config["clip"]),
            learning_rate=float(config["learning-rate"]),
            attackers=str(config["attackers"]),
            seed=int(config["seed"]),
            strategy_seed=int(config["strategy-seed"]),
        )

    def as_config(self) -> dict[str, str | int | float]:
        """Return the run's configuration that says this."""
        return {
            "data": self.data,
            "hospitals": self.hospitals,
            "num-server-rounds": self.rounds,
            "epsilon": self.epsilon,
            "clip": self.clip,
            "learning-rate": self.learning_rate,
            "attackers": self.attackers,
            "seed": self.seed,
            "strategy-seed": self.strategy_seed,
        }

    @property
    def liars(self) -> frozenset[int]:
        """Which hospitals lie."""
        return frozenset(parse_attackers(self.attackers) if self.attackers.strip() else ())

    @property
    def patients(self) -> Patients:
        """Everybody's patients: this is a simulation, so one process can see them all."""
        return load_patients(self.data)

    @property
    def divided(self) -> tuple[Hospital, ...]:
        """The hospitals."""
        return divide(self.patients, hospitals=self.hospitals, seed=self.seed)

    @property
    def budget(self) -> Budget | None:
        """What each hospital promises each of its patients; None without privacy."""
        if self.epsilon == 0:
            return None
        return self.privacy.budget

    @property
    def privacy(self) -> ExamplePrivacy:
        """The promise, with the noise for all rounds."""
        return ExamplePrivacy(
            epsilon=self.epsilon, delta=self.patients.delta, rounds=self.rounds, clip=self.clip
        )


def model_of(settings: Settings) -> Callable[[], nn.Module]:
    """Return the model's factory: logistic regression, as one layer with two outputs.

    Without a bias: every patient belongs to one group, and a group's weight is its bias. A
    bias that all hospitals share would be pulled apart by those whose patients mostly die and
    those whose patients mostly live, and the few would look as if they lied.
    """
    features = len(settings.patients.features)

    def build() -> nn.Module:
        from torch import nn

        return nn.Linear(features, 2, bias=False)

    return build


def first_model(settings: Settings) -> dict[str, NDArray[np.float32]]:
    """Return the first model: nobody is ill or well."""
    arrays = initial_arrays(model_of(settings), seed=settings.seed)
    return {name: np.zeros_like(array) for name, array in arrays.items()}


def client_of(settings: Settings, context: Context) -> NumPyClient:
    """Return the client of one hospital: a step of gradient descent a round.

    One step on all patients: per unit of privacy that beats many steps on few, and what a
    hospital sends is a noisy gradient, which can be compared with the others'.

    Raises
    ------
    ConfigError
        The federation has another number of nodes than the run has hospitals.
    """
    nodes = int(context.node_config["num-partitions"])
    if nodes != settings.hospitals:
        raise ConfigError(
            f"the run has {settings.hospitals} hospitals",
            came=f"{nodes} nodes",
            action=f"set hospitals={nodes} in the run config",
        )
    hospital = settings.divided[int(context.node_config["partition-id"])]
    x, y = settings.patients.x, settings.patients.y
    train = Examples(x[hospital.train], y[hospital.train])
    nothing = Examples(x[:0], y[:0])  # nobody is asked to evaluate: no noise would cover it
    training = LocalTraining(
        seed=settings.seed,
        steps=1,
        batch_size=len(train),
        learning_rate=settings.learning_rate,
    )
    factory = model_of(settings)
    if settings.budget is None:
        return TorchClient(
            factory, train=train, test=nothing, context=context, training=training
        )
    return DPTorchClient(
        factory,
        train=train,
        test=nothing,
        context=context,
        privacy=settings.privacy,
        training=training,
    )
