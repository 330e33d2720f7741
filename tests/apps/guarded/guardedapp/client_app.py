"""The same step from everybody, with each client's own noise on it."""

import numpy as np
from flwr.app import Context
from flwr.client import Client, NumPyClient
from flwr.clientapp import ClientApp
from flwr.common import Scalar
from numpy.typing import NDArray

from parity_flwr.clients import LocalDPMod, parity_mods
from parity_flwr.core.privacy.local import LocalPrivacy


class Step(NumPyClient):
    """Move every weight by a tenth."""

    def fit(
        self, parameters: list[NDArray[np.float32]], config: dict[str, Scalar]
    ) -> tuple[list[NDArray[np.float32]], int, dict[str, Scalar]]:
        """Return the moved weights."""
        return [parameters[0] + np.float32(0.1)], 10, {"train-loss": 1.0}


def client_fn(context: Context) -> Client:
    """Make the client."""
    return Step().to_client()


MOD = LocalDPMod(LocalPrivacy(epsilon=8.0, delta=1e-5, clip=1.0, rounds=2))
app = ClientApp(client_fn, mods=parity_mods(inner=[MOD]))
