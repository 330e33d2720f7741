"""Gradient descent on the partition's own equations, and a loss to vote by."""

import numpy as np
from flwr.app import Context
from flwr.client import Client, NumPyClient
from flwr.clientapp import ClientApp
from flwr.common import Scalar
from numpy.typing import NDArray

from parity_flwr.clients import derived_signers, parity_mods
from parity_flwr.clients.attacks import ConfiguredAttackMod

TRUTH = np.array([1.0, -2.0, 3.0, 0.5])

Weights = list[NDArray[np.float32]]


class LeastSquares(NumPyClient):
    """Fit ``inputs @ w = outputs``; a false witness says the opposite of its loss."""

    def __init__(self, partition: int, *, lies: bool) -> None:
        rng = np.random.default_rng(partition)
        # The number of examples tells the partition in every engine's journal.
        self.inputs = rng.normal(size=(40 + partition, 4))
        self.outputs = self.inputs @ TRUTH + rng.normal(size=len(self.inputs), scale=0.1)
        self.lies = lies

    def fit(
        self, parameters: Weights, config: dict[str, Scalar]
    ) -> tuple[Weights, int, dict[str, Scalar]]:
        """Return the fitted weights."""
        weights = parameters[0].astype(np.float64)
        for _ in range(3):
            residual = self.inputs @ weights - self.outputs
            weights -= 0.1 * self.inputs.T @ residual / len(residual)
        return [weights.astype(np.float32)], len(self.inputs), {}

    def evaluate(
        self, parameters: Weights, config: dict[str, Scalar]
    ) -> tuple[float, int, dict[str, Scalar]]:
        """Return the mean squared error."""
        loss = float(np.square(self.inputs @ parameters[0] - self.outputs).mean())
        return (-loss if self.lies else loss), len(self.inputs), {}


def client_fn(context: Context) -> Client:
    """Make the client of one partition."""
    partition = int(context.node_config["partition-id"])
    lies = partition == int(context.run_config["false-witness"])
    return LeastSquares(partition, lies=lies).to_client()


app = ClientApp(
    client_fn,
    mods=parity_mods(derived_signers(b"validated"), inner=[ConfiguredAttackMod()]),
)
