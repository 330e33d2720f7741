"""Checks of what the workers of Ray need, for Flower's simulation engine."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from parity_flwr.app.checking.memory import available_bytes
from parity_flwr.app.doctor.findings import Check, Health
from parity_flwr.app.environment import inherited
from parity_flwr.app.installation import installed_version
from parity_flwr.app.runs.size import shown_size

LOW_SHARED_MEMORY = 512 << 20
LOW_MEMORY = 1 << 30
WORKER_MEMORY = 100 << 20
_QUOTA = Path("/sys/fs/cgroup/cpu.max")
_SHARED = Path("/dev/shm")  # noqa: S108 (read for its size only)


def usable_cpus() -> float:
    """Return how many CPUs this process may use: by affinity, and by its container's quota."""
    allowed = float(len(os.sched_getaffinity(0)))
    try:
        quota, period = _QUOTA.read_text(encoding="ascii").split()
        return min(allowed, int(quota) / int(period))
    except (OSError, ValueError):  # no cgroup of version 2, or no quota ("max")
        return allowed


def check_ray(
    client_cpus: float | None = None, *, variables: Mapping[str, str] | None = None
) -> list[Check]:
    """Check that Ray is there, and has CPUs and memory for simulated clients.

    Parameters
    ----------
    client_cpus : float, optional
        CPUs of one client, as the federation's ``client-resources-num-cpus`` says. By
        default 1, which `parity run` takes; `flwr run` takes 2 where nothing is said.
    variables : mapping, keyword-only
        The environment; by default that of this process.
    """
    if importlib.util.find_spec("ray") is None:
        return [
            Check(
                name="ray",
                health=Health.WARN,
                detail="not installed",
                action="pip install 'parity-flwr[sim]', or use --engine inprocess",
            )
        ]
    version = installed_version("ray")
    checks = [Check(name="ray", health=Health.OK, detail=f"{version}")]
    address = (inherited() if variables is None else variables).get("RAY_ADDRESS")
    if address:
        checks.append(
            Check(
                name="ray's address",
                health=Health.FAIL,
                detail=f"RAY_ADDRESS is {ascii(address)[:60]}: Ray would join that cluster, "
                "which takes no number of CPUs from Flower",
                action="unset RAY_ADDRESS",
            )
        )
    return [*checks, _cpus(client_cpus), _memory(), *_shared_memory()]


def _cpus(client_cpus: float | None) -> Check:
    there, asked = usable_cpus(), 1.0 if client_cpus is None else client_cpus
    action, health = "", Health.OK
    if there < asked:
        health = Health.FAIL if client_cpus is not None else Health.WARN
        action = (
            "lower options.backend.client-resources.num-cpus of the federation, give this "
            "machine more CPUs, or use --engine inprocess"
        )
    elif client_cpus is None and there < 2:
        health = Health.WARN
        action = (
            "'flwr run' asks for 2 CPUs a client unless the federation says "
            "options.backend.client-resources.num-cpus = 1; 'parity run' asks for 1"
        )
    detail = f"{there:g} can be used, a client takes {asked:g}"
    return Check(name="ray's CPUs", health=health, detail=detail, action=action)


def _memory() -> Check:
    free = available_bytes()
    workers = max(int(usable_cpus()), 1)
    short = free is not None and free < max(LOW_MEMORY, workers * WORKER_MEMORY)
    return Check(
        name="ray's memory",
        health=Health.WARN if short else Health.OK,
        detail="unknown" if free is None else f"{shown_size(free)} available",
        action="close other programs, or use --engine inprocess" if short else "",
    )


def _shared_memory() -> list[Check]:
    if not _SHARED.is_dir():
        return []
    free = shutil.disk_usage(_SHARED).free
    short = free < LOW_SHARED_MEMORY
    return [
        Check(
            name="ray's shared memory",
            health=Health.WARN if short else Health.OK,
            detail=f"{shown_size(free)} free at {_SHARED}",
            action="give it more room (docker run --shm-size=2g)" if short else "",
        )
    ]
