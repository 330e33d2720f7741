"""`parity bench aggregate`: run the cases, relate ours to theirs."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from parity_flwr.app.bench.cases import (
    around_cases,
    byzfl_cases,
    floor_cases,
    flower_cases,
    our_cases,
)
from parity_flwr.app.bench.timing import Case, cpu_seconds, extra_mib
from parity_flwr.app.bench.workload import Workload

OURS, FLOWER, BYZFL, FLOOR, AROUND = "parity", "flwr", "byzfl", "floor", "messages"
_PEERS = {
    "flwr_fedavg": (FLOWER, "mean"),
    "flwr_fedmedian": (FLOWER, "median"),
    "flwr_multikrum": (FLOWER, "multi_krum"),
    "floor": (FLOOR, "one_pass"),
}
_SHORT = {"trimmed_mean": "trimmed", "multi_krum": "multikrum"}


@dataclass(frozen=True)
class Timed:
    """One case: the median CPU seconds and the extra memory of one call."""

    name: str
    impl: str
    n: int
    d: int
    cpu_s: float
    extra_mib: float


def bench(
    sizes: Sequence[tuple[int, int]],
    *,
    repeat: int,
    report: Callable[[str], None],
    only: Sequence[str] = (),
) -> dict[str, Any]:
    """Return ``cases``, ``ratios`` of the largest n, ``skipped`` and the ``machine``.

    Parameters
    ----------
    sizes : sequence of (n, d)
        Each is a workload of its own; ratios are taken in the last one.
    repeat : int
        Calls that count, of each case.
    report : callable
        Gets a line for every case when it is done.
    only : sequence of str
        Names of the cases to run; all by default.
    """
    timed: list[Timed] = []
    skipped: dict[str, str] = {}
    for n, d in sizes:
        for impl, cases in _groups(Workload(n, d), skipped):
            for name, case in cases.items():
                if only and name not in only:
                    continue
                timed.append(_time(name, impl, n, d, case, repeat))
                report(f"{impl}:{name} n={n} d={d} {timed[-1].cpu_s:.4f} s")
    by_size = [
        {"n": n, "d": d, **ratios([each for each in timed if (each.n, each.d) == (n, d)])}
        for n, d in sizes
    ]
    return {
        "cases": [asdict(each) for each in timed],
        "ratios": {k: v for k, v in by_size[-1].items() if k not in ("n", "d")},
        "ratios_by_size": by_size,
        "skipped": skipped,
        "machine": _machine(repeat),
    }


def _groups(work: Workload, skipped: dict[str, str]) -> list[tuple[str, dict[str, Case]]]:
    rivals = byzfl_cases(work)
    if isinstance(rivals, str):
        skipped[BYZFL] = rivals
        rivals = {}
    return [
        (FLOOR, floor_cases(work)),
        (AROUND, around_cases(work)),
        (OURS, our_cases(work)),
        (FLOWER, flower_cases(work)),
        (BYZFL, rivals),
    ]


def _time(name: str, impl: str, n: int, d: int, case: Case, repeat: int) -> Timed:
    seconds = cpu_seconds(case, repeat=repeat)
    return Timed(name, impl, n, d, round(seconds, 6), extra_mib(case))


def ratios(timed: Sequence[Timed]) -> dict[str, float]:
    """Return our time over theirs for every pair of one size, under 1 where we are faster.

    Examples
    --------
    >>> ours, theirs = (Timed("median", impl, 9, 9, s, 0) for impl, s in
    ...                 ((OURS, 0.5), (FLOWER, 2.0)))
    >>> ratios([ours, theirs])
    {'median_vs_flwr': 0.25}
    """
    seconds = {(each.impl, each.name): each.cpu_s for each in timed}
    found = {
        f"{_SHORT.get(name, name)}_vs_{rival}": (OURS, name, rival, name)
        for rival in (FLOWER, BYZFL)
        for impl, name in seconds
        if impl == OURS
    }
    found |= {
        f"{rule}_vs_{other}": (OURS, rule, impl, name)
        for impl, rule in seconds
        if impl == OURS and rule.startswith("reputation")
        for other, (impl, name) in _PEERS.items()
    }
    found |= {
        "hash_vs_flwr_fedavg": (AROUND, "hash", FLOWER, "mean"),
        "parse_and_check_vs_flwr_fedavg": (AROUND, "parse_and_check", FLOWER, "mean"),
    }
    return {
        key: round(seconds[ours, name] / seconds[theirs, other], 4)
        for key, (ours, name, theirs, other) in found.items()
        if (ours, name) in seconds and seconds.get((theirs, other), 0) > 0
    }


def _machine(repeat: int) -> dict[str, Any]:
    return {
        "cores": os.cpu_count(),
        "threads": 1,
        "repeat": repeat,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "flwr": importlib.metadata.version("flwr"),
    }
