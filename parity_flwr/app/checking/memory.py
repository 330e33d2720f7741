"""How much memory a run takes: measured where it can be, reckoned where it cannot."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path


def peak_bytes() -> int:
    """Return the most memory that this process has held so far (resident), in bytes.

    Linux hands what ``getrusage`` says on to children, so that a small process with a large
    parent would count as large; the kernel's own mark begins anew with each program.
    """
    with suppress(OSError, ValueError, IndexError):
        return _field(Path("/proc/self/status"), "VmHWM:")
    return _peak_by_usage()


def _peak_by_usage() -> int:
    if sys.platform == "win32":
        return 0
    import resource

    found = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return found if sys.platform == "darwin" else 1024 * found


def available_bytes() -> int | None:
    """Return how much memory this machine could give now; None where it does not say."""
    with suppress(OSError, ValueError, IndexError):
        return _field(Path("/proc/meminfo"), "MemAvailable:")
    return None


def _field(path: Path, name: str) -> int:
    """Return a field of one of the kernel's files, which is in KiB, in bytes."""
    lines = path.read_text(encoding="ascii").splitlines()
    (line,) = (line for line in lines if line.startswith(name))
    return 1024 * int(line.split()[1])
