"""What secure aggregation costs, beside Flower's SecAgg+ in the same process."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from parity_flwr.app.bench.metered import RoundMeter

FULL: Final = ((10, 1_000_000), (100, 100_000))
QUICK: Final = ((10, 100_000),)
FEW: Final = 20
"""Neighbours of a client in Flower's second setting, about 3 log2(100); it has no default."""


@dataclass(frozen=True, kw_only=True)
class Costs:
    """One round: CPU seconds of a client and of the server, one client's bytes a parameter.

    Bytes are what it sends, and what it is sent besides the model.
    """

    client_s: float
    server_s: float
    up: float
    down: float

    def over(self, other: Costs) -> float:
        """Return our CPU time over theirs, the worse of client and server."""
        return max(self.client_s / other.client_s, self.server_s / other.server_s)


@dataclass(frozen=True, kw_only=True)
class SecaggCase:
    """One size: n clients, d parameters, and Flower with two numbers of neighbours."""

    clients: int
    parameters: int
    ours: Costs  # everybody masks with everybody
    flower: Costs  # with everybody too
    flower_few: Costs  # with FEW at most
    max_error: float  # of our mean, against float64


@dataclass(frozen=True)
class SecaggFigures:
    """All sizes that were measured."""

    cases: tuple[SecaggCase, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the report: seconds of the first size, the worst of all sizes else."""
        first = self.cases[0].ours
        return {
            "secagg.client_s": first.client_s,
            "secagg.server_s": first.server_s,
            "secagg.bytes_per_param": max(each.ours.up for each in self.cases),
            "secagg.down_bytes_per_param": max(each.ours.down for each in self.cases),
            "secagg.vs_flwr": max(each.ours.over(each.flower) for each in self.cases),
            "secagg.vs_flwr_few": max(each.ours.over(each.flower_few) for each in self.cases),
            "secagg.flwr_bytes_per_param": max(each.flower.up for each in self.cases),
            "secagg.cases": [asdict(each) for each in self.cases],
        }


def measure_secagg(
    *, quick: bool, repeat: int = 3, report: Callable[[str], None] = lambda line: None
) -> SecaggFigures:
    """Measure one round of ours (median of ``repeat``) and of Flower's at each size.

    ``quick`` takes n = 10, d = 1e5 only; in full n = 10 with d = 1e6 and n = 100 with
    d = 1e5. Our clients have all others for neighbours; Flower's once all too and once
    :data:`FEW`. With all of 100 its secret sharing takes four CPU minutes.
    """
    sizes = QUICK if quick else FULL
    return SecaggFigures(tuple(_case(n, d, repeat=repeat, report=report) for n, d in sizes))


def _case(
    clients: int, parameters: int, *, repeat: int, report: Callable[[str], None]
) -> SecaggCase:
    rng = np.random.default_rng([clients, parameters])
    updates = [rng.normal(0, 0.05, parameters).astype(np.float32) for _ in range(clients)]
    measured, errors = zip(*(_own(updates) for _ in range(repeat)), strict=True)
    report(f"secagg, n = {clients}, d = {parameters}: ours done")
    flower = few = _flower(updates, shares=clients)
    if clients > FEW + 1:
        few = _flower(updates, shares=FEW + 1)
    report(f"secagg, n = {clients}, d = {parameters}: Flower's done")
    return SecaggCase(
        clients=clients,
        parameters=parameters,
        ours=_median(measured),
        flower=flower,
        flower_few=few,
        max_error=max(errors),
    )


def _own(updates: Sequence[NDArray[np.float32]]) -> tuple[Costs, float]:
    from parity_flwr.app.bench.own_secagg import OwnSecagg

    own = OwnSecagg(updates)
    mean = own.run()
    expected = np.mean([each.astype(np.float64) for each in updates], axis=0)
    return _costs(own.meter, updates), float(np.abs(mean - expected).max())


def _flower(updates: Sequence[NDArray[np.float32]], *, shares: int) -> Costs:
    from parity_flwr.app.bench.rival_secagg import FlowerSecagg

    rival = FlowerSecagg(updates, shares=shares)
    rival.run()
    return _costs(rival.meter, updates)


def _costs(done: RoundMeter, updates: Sequence[NDArray[np.float32]]) -> Costs:
    parameters = updates[0].size
    return Costs(
        client_s=done.client_s / len(updates),
        server_s=done.server_s,
        up=done.up_bytes / parameters,
        down=done.down_bytes / parameters,
    )


def _median(runs: Sequence[Costs]) -> Costs:
    return Costs(
        client_s=statistics.median(each.client_s for each in runs),
        server_s=statistics.median(each.server_s for each in runs),
        up=runs[0].up,
        down=runs[0].down,
    )
