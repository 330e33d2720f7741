"""The server's own update, from root data that it trusts, among the clients' memories.

*Decided*, an option: nearly half of the clients may agree on a lie, and nothing that clients
send tells then who is right. A few examples that the server holds do (Cao et al. 2021,
FLTrust), and over rounds their mean update is less noisy than one round's.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from parity_flwr.core.config import RobustnessConfig
from parity_flwr.core.response_figures import cosines, mean_rate
from parity_flwr.core.response_memory import Memory, Past, keep_root, recall_root
from parity_flwr.core.rows import Rows
from parity_flwr.core.sketch import UpdateSketch

Values = NDArray[np.float64]

ROOT_IDENTITY: Final = ""  # no client's is empty
"""Under this name the root model lies among the kept updates of a round."""


def remember_root(
    memory: Memory, update: Rows | None, *, secret: bytes, config: RobustnessConfig
) -> Memory:
    """Return the memory after this round's root update, to be measured with.

    Parameters
    ----------
    memory : mapping
        What the rule remembered after the round before.
    update : Rows
        One update, trained on root data from the model that the clients were sent; None
        if the server has no root data: a root memory from before is dropped, for what is
        not renewed says less in every round.
    secret : bytes
        Seed of the run's sketches.
    config : RobustnessConfig
        Constants; ``sketch_decay`` is the root memory's too.

    Examples
    --------
    >>> memory: Memory = {}
    >>> remember_root(memory, None, secret=bytes(32), config=RobustnessConfig()) is memory
    True
    """
    size = config.sketch_size
    rooted, mean = recall_root(memory, size=size)
    if update is None:
        return keep_root(memory, 0, mean, size=size) if rooted else memory
    sketch = UpdateSketch(secret, size).apply(update)[0]
    if not rooted:
        return keep_root(memory, 1, sketch, size=size)
    rate = mean_rate(config.sketch_decay, np.array([rooted + 1.0]))
    return keep_root(memory, rooted + 1, mean + rate * (sketch - mean), size=size)


def root_cosines(past: Past, config: RobustnessConfig) -> tuple[Values, NDArray[np.bool_]]:
    """Return the cosine of each client's mean with the root's, and which are known."""
    unknown = np.zeros(len(past.counts))
    if past.rooted < config.sketch_rounds:
        return unknown, np.zeros(len(unknown), np.bool_)
    root = np.broadcast_to(past.root, past.means.shape)
    return cosines(past.means, root), past.counts >= config.sketch_rounds
