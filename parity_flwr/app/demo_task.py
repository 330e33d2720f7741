"""The demo's federation: ten writers of digits, three of whom lie in different ways."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from flwr.app import Array, ArrayRecord, Context, MetricRecord
from flwr.client import Client
from flwr.clientapp import ClientApp
from numpy.typing import NDArray

from parity_flwr.app.datasets import Federation, federation
from parity_flwr.clients import (
    Examples,
    LocalTraining,
    TorchClient,
    derived_signer,
    derived_signers,
    evaluate_arrays,
    initial_arrays,
    mlp,
    parity_mods,
)
from parity_flwr.clients.attacks import ALIE, Attack, AttackMod, LabelFlip, SignFlip

if TYPE_CHECKING:
    from parity_flwr.clients.torch_model import ModelFactory
    from parity_flwr.core.signatures import Signer

CLIENTS = 10
ROUNDS = 15
_CLASSES = 10
_MEAN, _SPREAD = 0.305, 0.376  # of scikit-learn's digits, scaled to [0, 1]


def demo_attacks() -> tuple[Attack, ...]:
    """Return the three attacks: one that is loud, one on the data, one that hides."""
    return SignFlip(scale=2.0), LabelFlip(classes=_CLASSES), ALIE(z=1.5)


@dataclass(frozen=True)
class DemoTask:
    """Data, model and clients of the demo, a function of the seed.

    Parameters
    ----------
    seed : int
        Seed of the division (Dirichlet 0.5), of the model, of training and of who attacks.
    """

    seed: int
    training: LocalTraining = field(init=False)
    model: ModelFactory = field(init=False)

    def __post_init__(self) -> None:
        training = LocalTraining(seed=self.seed, steps=10, batch_size=32, learning_rate=0.1)
        object.__setattr__(self, "training", training)
        object.__setattr__(self, "model", mlp(64, hidden=(32,), classes=_CLASSES))

    @cached_property
    def data(self) -> Federation:
        """The digits, divided among the clients."""
        return federation(
            "digits", clients=CLIENTS, seed=self.seed, alpha=0.5, min_size=50, test_share=0.25
        )

    @cached_property
    def attackers(self) -> Mapping[int, Attack]:
        """Which partitions attack, drawn by the seed."""
        chosen = np.random.default_rng([self.seed, 3]).permutation(CLIENTS)[:3]
        return {int(k): attack for k, attack in zip(chosen, demo_attacks(), strict=True)}

    @property
    def honest(self) -> Sequence[int]:
        """Return the partitions that do not attack."""
        return [k for k in range(CLIENTS) if k not in self.attackers]

    def initial_arrays(self) -> ArrayRecord:
        """Return the model to start from."""
        arrays = initial_arrays(self.model, seed=self.seed)
        return ArrayRecord({name: Array(array) for name, array in arrays.items()})

    def evaluate(self, server_round: int, arrays: ArrayRecord) -> MetricRecord:
        """Evaluate on the central test set, which no client has seen."""
        test = Examples(_standardise(self.data.x_test), self.data.y_test)
        model = {name: array.numpy() for name, array in arrays.items()}
        loss, accuracy = evaluate_arrays(self.model, model, test)
        return MetricRecord({"loss": loss, "accuracy": accuracy})

    def client_app(self, members: Sequence[int]) -> ClientApp:
        """Return the clients of these partitions; the attackers among them lie."""
        attackers = {
            place: self.attackers[k] for place, k in enumerate(members) if k in self.attackers
        }
        mod = AttackMod(attackers, seed=self.seed, num_partitions=len(members))
        signer = derived_signers(self._secret)
        return ClientApp(self._client_fn(members), mods=parity_mods(signer, inner=[mod]))

    def signer_of(self, identity: str) -> Signer | None:
        """Return the key with which an identity signs, None if it is no client."""
        place = identity.removeprefix("client-")
        if not place.isdecimal() or int(place) >= CLIENTS:
            return None
        return derived_signer(self._secret, int(place))

    @property
    def _secret(self) -> bytes:
        return f"parity demo {self.seed}".encode()

    def _client_fn(self, members: Sequence[int]) -> Callable[[Context], Client]:
        def client_fn(context: Context) -> Client:
            partition = members[int(context.node_config["partition-id"])]
            x, y = self.data.client(partition)
            examples = Examples(_standardise(x), y)
            node_config = {**context.node_config, "partition-id": partition}
            return TorchClient(
                self.model,
                train=examples,
                test=examples,
                context=Context(
                    context.run_id, context.node_id, node_config, context.state, {}
                ),
                training=self.training,
            ).to_client()

        return client_fn


def _standardise(x: NDArray[np.float32]) -> NDArray[np.float32]:
    return ((x - _MEAN) / _SPREAD).astype(np.float32)
