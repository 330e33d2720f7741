"""The long privacy drills: ``make drill``, or ``python tests/drill_privacy.py``.

50 kills during release, and epsilon against dp-accounting over 200 random schedules.
"""

from __future__ import annotations

import itertools
import logging
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from privacy_crash import POINTS, ROUNDS, survive
from test_privacy_accounting import by_events, by_ledger, random_schedule

KILLS, SCHEDULES = 50, 200


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


def main() -> int:
    """Run both; an assertion that fails ends the drill."""
    logging.disable(logging.WARNING)
    started = time.monotonic()
    kills()
    schedules()
    print(f"privacy drills passed in {time.monotonic() - started:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
