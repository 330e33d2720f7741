"""The long privacy drills: ``make drill``, or ``python tests/drill_privacy.py``.

50 kills during release, epsilon against dp-accounting over 200 random schedules, and secure
sums of 100 clients of whom 30 drop out at each stage.
"""

from __future__ import annotations

import itertools
import logging
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from parity_flwr.core.secagg.graph import needed_degree
from parity_flwr.strategies import SecureAggregation, SecureSetup
from privacy_crash import POINTS, ROUNDS, survive
from secagg_runs import drops, plain_round, run
from test_privacy_accounting import by_events, by_ledger, random_schedule
from test_secagg_strategy import INTO_THE_SUM, STAGES
from trust_runs import MODEL, numbers

KILLS, SCHEDULES, CLIENTS = 50, 200, 100


def kills() -> None:
    """Kill releases at every point of every round in turn."""
    places = itertools.cycle(itertools.product(POINTS, range(1, ROUNDS + 1)))
    for number, (point, at) in zip(range(KILLS), places, strict=False):
        with tempfile.TemporaryDirectory() as folder:
            survive(Path(folder) / "run", point, at)
        print(f"kill {number + 1} of {KILLS}: {point}, round {at}: exact", flush=True)


def schedules() -> None:
    """Compare the ledger with dp-accounting's composition of events."""
    rng, worst = np.random.default_rng(0), 0.0
    for _ in range(SCHEDULES):
        schedule = random_schedule(rng)
        theirs = by_events(schedule)
        worst = max(worst, abs(by_ledger(schedule) / theirs - 1))
        assert worst <= 1e-3, schedule
    print(f"{SCHEDULES} schedules: largest relative difference {worst:.2g}")


def drop_outs() -> None:
    """Let 30 clients of 100 vanish at each stage, on a complete and on a sparse graph."""
    for stage, degree in itertools.product(STAGES, (0, needed_degree(CLIENTS))):
        rng = np.random.default_rng([STAGES.index(stage), degree])
        gone = {int(k): drops(stage) for k in rng.permutation(CLIENTS)[: CLIENTS * 3 // 10]}
        strategy = SecureAggregation(seed=1, journal=None, setup=SecureSetup(degree=degree))
        result, _ = run(strategy, clients=CLIENTS, bends=gone)
        here = range(CLIENTS) if stage in INTO_THE_SUM else set(range(CLIENTS)) - set(gone)
        expected, found = plain_round(MODEL, here, addends=CLIENTS), numbers(result.arrays)
        assert all(np.array_equal(found[name], expected[name]) for name in MODEL), stage
        print(f"{len(gone)} of {CLIENTS} gone at {stage}, degree {degree}: exact", flush=True)


def main() -> int:
    """Run all; an assertion that fails ends the drill."""
    logging.disable(logging.WARNING)
    started = time.monotonic()
    kills()
    schedules()
    drop_outs()
    print(f"privacy drills passed in {time.monotonic() - started:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
