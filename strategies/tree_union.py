"""Plain bagging: the forest of everybody's trees, with no question asked."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from flwr.app import ArrayRecord, Message, MetricRecord
from flwr.serverapp.strategy import FedAvg
from numpy.typing import NDArray

from parity_flwr.core.forest import Forest, ForestLimits, bagged, decode_forest, encode_forest
from parity_flwr.strategies.arrays import read_arrays, write_arrays


class TreeUnion(FedAvg):
    """A forest of all clients' trees, the newest first, up to a budget.

    What :class:`ForestBagging` is compared with: it believes everybody. Replies that are
    not sound forests end the round, as with any of Flower's own strategies.

    Parameters
    ----------
    budget : int
        Most trees; each reply gives the same number of them.
    fraction_evaluate : float
        As in ``FedAvg``.

    Examples
    --------
    >>> TreeUnion(budget=50).budget
    50
    """

    def __init__(self, *, budget: int = 100, fraction_evaluate: float = 1.0) -> None:
        super().__init__(fraction_evaluate=fraction_evaluate)
        self.budget = budget
        self.owned: dict[str, NDArray[np.int64]] | None = None
        """Which trees of the forest each identity grew; kept by :class:`ForestBagging`."""
        self.losses: NDArray[np.float64] | None = None
        """What validators last said of each of those trees; NaN for one nobody judged."""
        self.shares: dict[str, NDArray[np.float64]] | None = None
        """Each owner's weight when its trees were last chosen."""

    def aggregate_train(
        self, server_round: int, replies: Iterable[Message]
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        """Return the forest of the same number of trees from every reply."""
        forests = [_forest(each) for each in replies if not each.has_error()]
        if not forests:
            return None, None
        each = max(1, self.budget // len(forests))
        union = bagged([forest.chosen(range(min(each, len(forest)))) for forest in forests])
        metrics = MetricRecord({"trees": len(union)})
        return write_arrays(encode_forest(union)), metrics


def _forest(reply: Message) -> Forest:
    record = next(iter(reply.content.array_records.values()))
    return decode_forest(read_arrays(record), limits=ForestLimits(agreeing=False))
