"""What secure aggregation costs, beside Flower's SecAgg+ in the same process."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from parity_flwr.app.bench.own_secagg import OwnSecagg

FULL: Final = ((10, 1_000_000), (100, 100_000))
QUICK: Final = ((10, 100_000),)
MOST_SHARES: Final = 21
"""Neighbours that Flower's clients get at most: with all of 100 it takes four CPU minutes."""


@dataclass(frozen=True, kw_only=True)
class SecaggCase:
    """One size: n clients, d parameters; CPU seconds per client and for the server."""

    clients: int
    parameters: int
    client_s: float
    server_s: float
    flower_client_s: float
    flower_server_s: float
    bytes_per_param: float
    max_error: float  # of the mean, against float64

    @property
    def vs_flwr(self) -> float:
        """Our CPU time over theirs, the worse of client and server."""
        return max(self.client_s / self.flower_client_s, self.server_s / self.flower_server_s)


@dataclass(frozen=True)
class SecaggFigures:
    """All sizes that were measured; the first one's figures are the headline."""

    cases: tuple[SecaggCase, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the keys of the report: the worst ratio of all sizes is the last."""
        first = self.cases[0]
        return {
            "secagg.client_s": first.client_s,
            "secagg.server_s": first.server_s,
            "secagg.bytes_per_param": first.bytes_per_param,
            "secagg.vs_flwr": max(case.vs_flwr for case in self.cases),
        }


def measure_secagg(*, quick: bool, repeat: int = 3) -> SecaggFigures:
    """Measure one round of ours (median of ``repeat``) and one of Flower's at each size.

    ``quick`` takes n = 10, d = 1e5 only; in full n = 10 with d = 1e6 and n = 100 with
    d = 1e5. Our clients have all others for neighbours, Flower's 20 at most: its secret
    sharing among 100 would take four CPU minutes.
    """
    sizes = QUICK if quick else FULL
    return SecaggFigures(tuple(_case(n, d, repeat=repeat) for n, d in sizes))


def _case(clients: int, parameters: int, *, repeat: int) -> SecaggCase:
    from parity_flwr.app.bench.rival_secagg import FlowerSecagg

    rng = np.random.default_rng([clients, parameters])
    updates = [rng.normal(0, 0.05, parameters).astype(np.float32) for _ in range(clients)]
    runs = [_own(updates) for _ in range(repeat)]
    rival = FlowerSecagg(updates, shares=min(clients, MOST_SHARES))
    rival.run()
    return SecaggCase(
        clients=clients,
        parameters=parameters,
        client_s=statistics.median(each.client_s for each, _ in runs) / clients,
        server_s=statistics.median(each.server_s for each, _ in runs),
        flower_client_s=rival.client_s / clients,
        flower_server_s=rival.server_s,
        bytes_per_param=runs[0][0].bytes_sent / parameters,
        max_error=max(error for _, error in runs),
    )


def _own(updates: Sequence[NDArray[np.float32]]) -> tuple[OwnSecagg, float]:
    own = OwnSecagg(updates)
    mean = own.run()
    expected = np.mean([each.astype(np.float64) for each in updates], axis=0)
    return own, float(np.abs(mean - expected).max())
