"""Gradient descent on the partition's own equations; the update leaves it masked."""

import numpy as np
from flwr.app import Context
from flwr.client import Client, NumPyClient
from flwr.clientapp import ClientApp
from flwr.common import Scalar
from numpy.typing import NDArray

from parity_flwr.clients import SecAggMod, derived_signers, parity_mods

TRUTH = np.array([1.0, -2.0, 3.0, 0.5])
SIGNERS = derived_signers(b"a test's secret; a real node has a key file")


class LeastSquares(NumPyClient):
    """Fit ``inputs @ w = outputs`` by ten steps of gradient descent."""

    def __init__(self, partition: int) -> None:
        rng = np.random.default_rng(partition)
        self.inputs = rng.normal(size=(40 + partition, 4))
        self.outputs = self.inputs @ TRUTH + rng.normal(size=len(self.inputs), scale=0.1)

    def fit(
        self, parameters: list[NDArray[np.float32]], config: dict[str, Scalar]
    ) -> tuple[list[NDArray[np.float32]], int, dict[str, Scalar]]:
        """Return the fitted weights."""
        weights = parameters[0].astype(np.float64)
        for _ in range(10):
            residual = self.inputs @ weights - self.outputs
            weights -= 0.1 * self.inputs.T @ residual / len(residual)
        return [weights.astype(np.float32)], len(self.inputs), {}


def client_fn(context: Context) -> Client:
    """Make the client of one partition."""
    return LeastSquares(int(context.node_config["partition-id"])).to_client()


app = ClientApp(client_fn, mods=parity_mods(SIGNERS, inner=[SecAggMod(SIGNERS)]))
