"""`parity bench privacy`: encryption, secure aggregation and DP beside what others do."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from parity_flwr.app.bench.privacy_dp import measure_dp
from parity_flwr.app.bench.privacy_he import measure_he
from parity_flwr.app.bench.privacy_secagg import measure_secagg
from parity_flwr.errors import MissingExtraError

PARTS: Final = ("he", "secagg", "dp")
_VERSIONS = ("flwr", "tenseal", "numpy", "cryptography")

Report = Callable[[str], None]


def bench_privacy(
    *,
    quick: bool,
    report: Report,
    parts: Sequence[str] = PARTS,
    data: Path | None = None,
) -> dict[str, Any]:
    """Return all figures by name, what was ``skipped`` and why, and the ``machine``.

    Parameters
    ----------
    quick : bool
        Small sizes: for tests of the figures' names, not their values.
    report : callable
        Gets a line when a part of it is done.
    parts : sequence of str
        Of :data:`PARTS`.
    data : Path, optional
        The folder with ``mnist.npz``; without it "dp" is skipped.
    """
    figures: dict[str, Any] = {}
    skipped: dict[str, str] = {}
    for name in [each for each in PARTS if each in parts]:
        if name == "dp" and data is None:
            skipped[name] = "needs a folder with mnist.npz: give --data DIR"
            continue
        try:
            figures |= _measure(name, quick=quick, report=report, data=data)
        except MissingExtraError as error:
            skipped[name] = str(error)
        else:
            report(f"{name}: done")
    rounded = {name: _rounded(value) for name, value in figures.items()}
    return {**rounded, "skipped": skipped, "machine": _machine(quick)}


def _measure(name: str, *, quick: bool, report: Report, data: Path | None) -> dict[str, Any]:
    if name == "he":
        return measure_he(quick=quick)
    if name == "secagg":
        return measure_secagg(quick=quick, report=report).to_json()
    return measure_dp(data or Path(), quick=quick, report=report)


def _rounded(value: Any) -> Any:
    return float(f"{value:.6g}") if isinstance(value, float) else value


def _machine(quick: bool) -> dict[str, Any]:
    found = {name: _version(name) for name in _VERSIONS}
    return {
        "cores": os.cpu_count(),
        "threads": 1,
        "quick": quick,
        "python": platform.python_version(),
        **found,
    }


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"
