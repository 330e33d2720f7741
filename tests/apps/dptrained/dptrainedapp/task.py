"""What clients and server agree on: the model, the promise, and rows drawn by partition."""

import numpy as np

from parity_flwr.clients import ExamplePrivacy, Examples, LocalTraining, mlp

FACTORY = mlp(4, hidden=(3,), classes=2)
TRAINING = LocalTraining(steps=3, batch_size=50)
PRIVACY = ExamplePrivacy(epsilon=3.0, delta=1e-4, rounds=2)  # the server asks for one more


def examples(partition: int) -> Examples:
    """Return a client's examples: two clouds; later partitions have more."""
    rng = np.random.default_rng(partition)
    y = np.arange(200 + 50 * partition) % 2
    x = rng.normal(size=(len(y), 4)) + 2.0 * y[:, None]
    return Examples(x.astype(np.float32), y.astype(np.int64))
