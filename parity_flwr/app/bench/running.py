"""Starts the measurement in a process of its own, with every library on one thread."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from parity_flwr.app.environment import inherited
from parity_flwr.errors import RunError

# BLAS and OpenMP read these once, when they are loaded; two threads on a busy machine have
# taken twenty times longer than one.
_ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1"
)


def run_bench(
    sizes: Sequence[tuple[int, int]],
    *,
    repeat: int,
    only: Sequence[str] = (),
    quiet: bool = False,
) -> dict[str, Any]:
    """Return what :func:`parity_flwr.app.bench.aggregate.bench` measured.

    Raises
    ------
    RunError
        If the process failed; its own words are on stderr unless ``quiet``.
    """
    request = {
        "what": "aggregate",
        "sizes": list(sizes),
        "repeat": repeat,
        "only": list(only),
    }
    return _measured(
        request,
        quiet=quiet,
        action="read its messages above; a smaller --clients needs less memory",
    )


def run_privacy_bench(
    *,
    quick: bool,
    parts: Sequence[str],
    data: Path | None = None,
    quiet: bool = False,
) -> dict[str, Any]:
    """Return what :func:`parity_flwr.app.bench.privacy.bench_privacy` measured.

    Raises
    ------
    RunError
        If the process failed; its own words are on stderr unless ``quiet``.
    """
    request = {
        "what": "privacy",
        "quick": quick,
        "parts": list(parts),
        "data": str(data) if data else "",
    }
    return _measured(
        request, quiet=quiet, action="read its messages above; it needs the extra 'privacy'"
    )


def run_forest_bench(
    data: Path | None, *, seeds: int | None = None, quiet: bool = False
) -> dict[str, Any]:
    """Return what :func:`parity_flwr.app.bench.forest.bench_forest` measured.

    Raises
    ------
    RunError
        If the process failed; its own words are on stderr unless ``quiet``.
    """
    request = {"what": "forest", "data": str(data) if data else "", "seeds": seeds}
    return _measured(
        request, quiet=quiet, action="read its messages above; it needs the extra 'trees'"
    )


def _measured(request: dict[str, Any], *, quiet: bool, action: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "parity_flwr.app.bench"],
        input=json.dumps(request),
        env=inherited() | _ONE_THREAD | {"FLWR_TELEMETRY_ENABLED": "0"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL if quiet else None,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RunError(
            "the benchmark's process needs to end well",
            came=f"exit code {done.returncode}",
            action=action,
        )
    result: dict[str, Any] = json.loads(done.stdout)
    return result
