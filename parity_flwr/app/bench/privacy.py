"""`parity bench privacy`: encryption and secure aggregation beside what others do."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Callable
from typing import Any

from parity_flwr.app.bench.privacy_he import measure_he
from parity_flwr.app.bench.privacy_secagg import measure_secagg

_VERSIONS = ("flwr", "tenseal", "numpy", "cryptography")


def bench_privacy(*, quick: bool, report: Callable[[str], None]) -> dict[str, Any]:
    """Return all figures by name, and the ``machine``.

    Parameters
    ----------
    quick : bool
        Small sizes: for tests of the figures' names, not their values.
    report : callable
        Gets a line when a part is done.
    """
    figures: dict[str, float] = {}
    for name, measure in (("he", measure_he), ("secagg", _measure_secagg)):
        figures |= measure(quick=quick)
        report(f"{name}: done")
    rounded = {name: float(f"{value:.6g}") for name, value in figures.items()}
    return {**rounded, "machine": _machine(quick)}


def _measure_secagg(*, quick: bool) -> dict[str, float]:
    return measure_secagg(quick=quick).to_json()


def _machine(quick: bool) -> dict[str, Any]:
    found = {name: importlib.metadata.version(name) for name in _VERSIONS}
    return {
        "cores": os.cpu_count(),
        "threads": 1,
        "quick": quick,
        "python": platform.python_version(),
        **found,
    }
