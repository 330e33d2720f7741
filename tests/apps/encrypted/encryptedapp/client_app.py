"""Gradient descent on the partition's own equations, behind encryption."""

import hashlib

import numpy as np
from flwr.app import Context
from flwr.client import Client, NumPyClient
from flwr.clientapp import ClientApp
from flwr.common import Scalar
from numpy.typing import NDArray

from parity_flwr.clients import AgreedSecret, EncryptionMod, derived_signers, parity_mods
from parity_flwr.core.signatures import Ed25519Signer

TRUTH = np.array([1.0, -2.0, 3.0, 0.5])
SECRET = b"an app for tests: every node can derive every key"


def public_key(partition: int) -> bytes:
    """Return what :func:`derived_signers` gives that partition."""
    label = b"parity-flwr derived signer\x00" + partition.to_bytes(8, "big")
    return Ed25519Signer.from_seed(hashlib.sha256(label + SECRET).digest()).public_key


class LeastSquares(NumPyClient):
    """Fit ``inputs @ w = outputs`` by ten steps of gradient descent."""

    def __init__(self, partition: int) -> None:
        rng = np.random.default_rng(partition)
        self.inputs = rng.normal(size=(40, 4))
        self.outputs = self.inputs @ TRUTH + rng.normal(size=40, scale=0.1)

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


signers = derived_signers(SECRET)
keys = AgreedSecret(signers, [public_key(partition) for partition in range(4)])
app = ClientApp(client_fn, mods=parity_mods(signers, inner=[EncryptionMod(keys)]))
