"""A real `parity` command in a process of its own, and the most memory that it held."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Done:
    """What a command came to."""

    code: int
    result: Any  # what it wrote to stdout, as JSON
    peak_bytes: int


def parity(*arguments: str, folder: Path) -> Done:
    """Run a command with --json in ``folder`` and wait for it."""
    command = [sys.executable, "-m", "parity_flwr.cli.main", *arguments, "--json"]
    with (
        (folder / "stdout.json").open("w+b") as output,
        subprocess.Popen(
            command,
            stdout=output,
            stderr=subprocess.DEVNULL,
            cwd=folder,
            env={**os.environ, "PYTHONPATH": os.environ.get("PYTHONPATH", "")},
        ) as process,
    ):
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read()
    (folder / "stdout.json").unlink()
    unit = 1 if sys.platform == "darwin" else 1024
    return Done(process.returncode, json.loads(text), usage.ru_maxrss * unit)
