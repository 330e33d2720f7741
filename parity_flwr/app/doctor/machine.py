"""Checks of this machine: its room, its rights, its ports and its clock."""

from __future__ import annotations

import socket
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from parity_flwr.app.doctor.findings import Check, Health
from parity_flwr.app.runs.size import free_bytes, shown_size

FLOWER_PORT = 39091
LOW_DISK = 200 << 20
SHORT_DISK = 2 << 30
_EARLIEST, _LATEST = 1_767_225_600, 4_102_444_800  # 2026-01-01 and 2100-01-01, UTC
_MAX_DRIFT_S = 0.05


def check_home(home: Path) -> Check:
    """Check that PARITY_HOME, and the runs in it, can be written to."""
    try:
        home.mkdir(parents=True, exist_ok=True)
        runs = home / "runs"
        for folder in (home, runs) if runs.exists() else (home,):
            with tempfile.NamedTemporaryFile(dir=folder):
                pass
    except OSError as error:
        return Check(
            name="PARITY_HOME",
            health=Health.FAIL,
            detail=f"{home} cannot be written to: {error.strerror or error}",
            action="set PARITY_HOME to a folder you can write to",
        )
    return Check(name="PARITY_HOME", health=Health.OK, detail=f"{home} can be written to")


def check_disk(home: Path, *, free: int | None = None) -> Check:
    """Check that there is room for checkpoints; `free` is measured if None."""
    free = free_bytes(home) if free is None else free
    health = Health.FAIL if free < LOW_DISK else Health.WARN if free < SHORT_DISK else Health.OK
    return Check(
        name="disk",
        health=health,
        detail=f"{shown_size(free)} free for {home}",
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


def check_port(port: int) -> Check:
    """Check that a server of one's own could listen on a port."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(("127.0.0.1", port))
            listener.listen()
    except OSError as error:
        return Check(
            name=f"port {port}",
            health=Health.FAIL,
            detail=f"127.0.0.1:{port} cannot be had: {error.strerror or error}",
            action=f"stop what listens there (ss -ltnp 'sport = :{port}'), or take another",
        )
    return Check(name=f"port {port}", health=Health.OK, detail=f"127.0.0.1:{port} is free")


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


def check_clock(
    *,
    wall: Callable[[], float] = time.time,
    monotonic: Callable[[], float] = time.monotonic,
    wait: Callable[[float], None] = time.sleep,
) -> Check:
    """Check that the clock is plausible and runs as fast as the monotonic one."""
    before = wall() - monotonic()
    wait(0.1)
    drift, now = abs(wall() - monotonic() - before), wall()
    if not _EARLIEST <= now <= _LATEST:
        detail, action = f"{now:.0f} s since 1970", "set the clock; certificates depend on it"
        return Check(name="clock", health=Health.FAIL, detail=detail, action=action)
    health = Health.OK if drift <= _MAX_DRIFT_S else Health.WARN
    return Check(
        name="clock",
        health=health,
        detail=f"wall and monotonic clock drift {1000 * drift:.1f} ms in 0.1 s",
        action="" if health is Health.OK else "let NTP slew the clock instead of setting it",
    )
