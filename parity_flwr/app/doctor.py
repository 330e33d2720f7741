"""Is this machine fit for a run? Every check is one line that says what to do."""

from __future__ import annotations

import os
import platform
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from parity_flwr.app.installation import (
    capped_packages,
    extras,
    own_requirements,
)

FLOWER_PORT = 39091
MIN_PYTHON = (3, 11)
LOW_DISK = 200 << 20
SHORT_DISK = 2 << 30
LOW_SHARED_MEMORY = 512 << 20
_EARLIEST, _LATEST = 1_767_225_600, 4_102_444_800  # 2026-01-01 and 2100-01-01, UTC
_MAX_SKEW_S = 0.05


class Health(StrEnum):
    """How a check came out."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, kw_only=True)
class Check:
    """One check: what was looked at, what was found, and what to do about it."""

    name: str
    health: Health
    detail: str
    action: str = ""


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """All checks, in the order they were made."""

    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing failed; warnings do not count."""
        return all(check.health is not Health.FAIL for check in self.checks)


def check_python(version: tuple[int, ...] = tuple(sys.version_info[:3])) -> Check:
    """Check that this Python is one that parity-flwr runs on."""
    fits = version[:2] >= MIN_PYTHON
    return Check(
        name="python",
        health=Health.OK if fits else Health.FAIL,
        detail=f"{'.'.join(map(str, version))} on {platform.system()} {platform.machine()}",
        action="" if fits else "install Python 3.11 or newer",
    )


def check_packages() -> list[Check]:
    """Check that what parity-flwr needs, and what flwr caps, is installed and fits."""
    found = {each.name: each for each in [*capped_packages(), *own_requirements()]}
    return [
        Check(
            name=each.name,
            health=Health.OK if each.fits else Health.FAIL,
            detail=f"{each.installed or 'not installed'} (needs {each.needed or 'any'})",
            action="" if each.fits else f"pip install '{each.name}{each.needed}'",
        )
        for each in found.values()
    ]


def check_extras() -> list[Check]:
    """Check that extras are installed whole, or not at all."""
    checks = []
    for name, members in sorted(extras().items()):
        bad = [each for each in members if not each.fits]
        present = any(each.installed for each in members)
        wrong = [
            f"{e.name} {e.installed or 'missing'} (needs {e.needed or 'any'})" for e in bad
        ]
        detail = "installed" if not bad else "not installed (optional)"
        checks.append(
            Check(
                name=f"extra {name}",
                health=Health.WARN if bad and present else Health.OK,
                detail="incomplete: " + ", ".join(wrong[:5]) if bad and present else detail,
                action=f"pip install 'parity-flwr[{name}]'" if bad else "",
            )
        )
    return checks


def check_home(home: Path) -> Check:
    """Check that runs can be written to PARITY_HOME."""
    try:
        home.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=home):
            pass
    except OSError as error:
        return Check(
            name="PARITY_HOME",
            health=Health.FAIL,
            detail=f"{home}: {error.strerror or error}",
            action="set PARITY_HOME to a folder you can write to",
        )
    return Check(name="PARITY_HOME", health=Health.OK, detail=f"{home} can be written to")


def _gibibytes(size: int) -> str:
    return f"{size / (1 << 30):.1f} GiB"


def check_disk(home: Path, *, free: int | None = None) -> Check:
    """Check that there is room for checkpoints; `free` is measured if None."""
    at = next((path for path in (home, *home.parents) if path.exists()), Path("/"))
    free = shutil.disk_usage(at).free if free is None else free
    health = Health.FAIL if free < LOW_DISK else Health.WARN if free < SHORT_DISK else Health.OK
    return Check(
        name="disk",
        health=health,
        detail=f"{_gibibytes(free)} free at {at}",
        action="" if health is Health.OK else "free some space, or move PARITY_HOME",
    )


def check_loopback() -> Check:
    """Check that a port of 127.0.0.1 can be bound; engines need some."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
            listener.bind(("127.0.0.1", 0))
            port = listener.getsockname()[1]
    except OSError as error:
        return Check(
            name="loopback",
            health=Health.FAIL,
            detail=f"no port of 127.0.0.1 can be bound: {error.strerror or error}",
            action="allow this process to listen on 127.0.0.1",
        )
    return Check(name="loopback", health=Health.OK, detail=f"127.0.0.1:{port} could be bound")


def check_flower_port(port: int = FLOWER_PORT) -> Check:
    """Check whether Flower's own local SuperLink runs; ours never uses its port."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        taken = probe.connect_ex(("127.0.0.1", port)) == 0
    detail = f"127.0.0.1:{port} is {'in use' if taken else 'free'}"
    return Check(
        name="flower's port",
        health=Health.WARN if taken else Health.OK,
        detail=f"{detail}: a local SuperLink runs there" if taken else detail,
        action="'flwr run' would use that SuperLink and its Python; 'parity run' starts its own"
        if taken
        else "",
    )


def check_ray() -> Check:
    """Check that Ray can be imported, for the simulation engine."""
    try:
        import ray
    except ImportError as error:
        return Check(
            name="ray",
            health=Health.WARN,
            detail=f"not importable: {error}",
            action="pip install 'parity-flwr[sim]', or use --engine inprocess",
        )
    shared = Path("/dev/shm")  # noqa: S108 (read for its size only)
    free = shutil.disk_usage(shared).free if shared.is_dir() else None
    short = free is not None and free < LOW_SHARED_MEMORY
    room = f", {_gibibytes(free)} of shared memory" if free is not None else ""
    return Check(
        name="ray",
        health=Health.WARN if short else Health.OK,
        detail=f"{ray.__version__}, {os.cpu_count() or 1} CPUs{room}",
        action="give /dev/shm more room (docker run --shm-size=2g)" if short else "",
    )


def check_clock(
    *,
    wall: Callable[[], float] = time.time,
    monotonic: Callable[[], float] = time.monotonic,
    wait: Callable[[float], None] = time.sleep,
) -> Check:
    """Check that the clock is plausible and runs as fast as the monotonic one."""
    before = wall() - monotonic()
    wait(0.1)
    skew, now = abs(wall() - monotonic() - before), wall()
    if not _EARLIEST <= now <= _LATEST:
        detail, action = f"{now:.0f} s since 1970", "set the clock; certificates depend on it"
        return Check(name="clock", health=Health.FAIL, detail=detail, action=action)
    health = Health.OK if skew <= _MAX_SKEW_S else Health.WARN
    return Check(
        name="clock",
        health=health,
        detail=f"wall and monotonic clock drift {1000 * skew:.1f} ms in 0.1 s",
        action="" if health is Health.OK else "let NTP slew the clock instead of setting it",
    )


def examine(home: Path) -> Diagnosis:
    """Make every check."""
    return Diagnosis(
        checks=(
            check_python(),
            *check_packages(),
            *check_extras(),
            check_home(home),
            check_disk(home),
            check_loopback(),
            check_flower_port(),
            check_ray(),
            check_clock(),
        )
    )
