"""Starts the measurement in a process of its own, with every library on one thread."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from parity_flwr.app.environment import inherited
from parity_flwr.errors import RunError

# BLAS and OpenMP read these once, when they are loaded; two threads on a busy machine have
# taken twenty times longer than one.
_ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1"
)

Report = Callable[[str], None]


def _ignore(line: str) -> None:
    """Take no note of a line."""


def run_bench(
    sizes: Sequence[tuple[int, int]],
    *,
    repeat: int,
    only: Sequence[str] = (),
    report: Report = _ignore,
) -> dict[str, Any]:
    """Return what :func:`parity_flwr.app.bench.aggregate.bench` measured.

    Raises
    ------
    RunError
        If the process failed; its last words are in it, all of them went to ``report``.
    """
    request = {
        "what": "aggregate",
        "sizes": list(sizes),
        "repeat": repeat,
        "only": list(only),
    }
    return _measured(
        request,
        report=report,
        action="a smaller --clients needs less memory",
    )


def run_privacy_bench(
    *,
    quick: bool,
    parts: Sequence[str],
    data: Path | None = None,
    report: Report = _ignore,
) -> dict[str, Any]:
    """Return what :func:`parity_flwr.app.bench.privacy.bench_privacy` measured.

    Raises
    ------
    RunError
        If the process failed; its last words are in it, all of them went to ``report``.
    """
    request = {
        "what": "privacy",
        "quick": quick,
        "parts": list(parts),
        "data": str(data) if data else "",
    }
    return _measured(request, report=report, action="it needs the extra 'privacy'")


def run_forest_bench(
    data: Path | None, *, seeds: int | None = None, report: Report = _ignore
) -> dict[str, Any]:
    """Return what :func:`parity_flwr.app.bench.forest.bench_forest` measured.

    Raises
    ------
    RunError
        If the process failed; its last words are in it, all of them went to ``report``.
    """
    request = {"what": "forest", "data": str(data) if data else "", "seeds": seeds}
    return _measured(request, report=report, action="it needs the extra 'trees'")


def _measured(request: dict[str, Any], *, report: Report, action: str) -> dict[str, Any]:
    with subprocess.Popen(
        [sys.executable, "-m", "parity_flwr.app.bench"],
        env=inherited() | _ONE_THREAD | {"FLWR_TELEMETRY_ENABLED": "0"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    ) as process:
        words = deque[str](maxlen=1)
        listener = threading.Thread(target=_listen, args=(process.stderr, words, report))
        listener.start()
        assert process.stdin is not None and process.stdout is not None  # noqa: S101, PT018
        with suppress(BrokenPipeError):  # it ended early, and its exit code says so
            process.stdin.write(json.dumps(request))
            process.stdin.close()
        answer = process.stdout.read()
        listener.join()
    if process.returncode != 0:
        raise RunError(
            "the benchmark's process needs to end well",
            came=f"exit code {process.returncode}: {''.join(words)[:300] or 'no message'}",
            action=action,
        )
    result: dict[str, Any] = json.loads(answer)
    return result


def _listen(stream: IO[str] | None, words: deque[str], report: Report) -> None:
    for line in stream or ():
        if line.strip():
            words.append(line.strip())
            report(line.rstrip())
