"""What clients and server agree on: the release, and rows drawn by partition."""

import numpy as np

from parity_flwr.clients import ForestRelease, LinearRelease, Table
from parity_flwr.core.privacy.leaf_counts import SharedTrees
from parity_flwr.core.privacy.ledger import Budget, Unit

EPSILON, DELTA, ROWS = 4.0, 1e-5, 3000
TREES = SharedTrees(seed=5, trees=8, depth=4, low=np.full(3, -0.5), high=np.full(3, 0.5))
FOREST = ForestRelease(
    trees=TREES, classes=("no", "yes"), noise_multiplier=1 / EPSILON, most=ROWS
)
LINEAR = LinearRelease.promising(3, epsilon=EPSILON, delta=DELTA, most=ROWS)
BUDGET = Budget(epsilon=EPSILON, delta=DELTA, unit=Unit.EXAMPLE)


def rows(partition: int, *, model: str) -> Table:
    """Return a client's rows: a number, or whether it is above 0."""
    rng = np.random.default_rng(partition)
    x = rng.uniform(-0.5, 0.5, size=(ROWS, 3))
    y = x @ np.array([0.8, -0.6, 0.3]) + 0.1
    return Table(x, y if model == "linear" else (y > 0.1).astype(np.int64))


def noise_seed(partition: int) -> bytes:
    """Return a client's seed, so that engines can be compared; a real client has none."""
    return bytes([partition + 1]) * 32
