"""A real `parity` command in a process of its own, and the most memory that it held."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_SCRIPT = """
import sys
from pathlib import Path
from parity_flwr.app.checking.memory import peak_bytes
from parity_flwr.cli.main import execute
code = execute(sys.argv[2:])
Path(sys.argv[1]).write_text(str(peak_bytes()))
sys.exit(code)
"""


@dataclass(frozen=True)
class Done:
    """What a command came to."""

    code: int
    result: Any  # what it wrote to stdout, as JSON
    peak_bytes: int


def parity(*arguments: str, variables: Mapping[str, str] | None = None) -> Done:
    """Run a command with --json and wait for it; `variables` are added to its environment."""
    with tempfile.TemporaryDirectory() as folder:
        peak = Path(folder) / "peak"
        done = subprocess.run(
            [sys.executable, "-c", _SCRIPT, str(peak), *arguments, "--json"],
            env={**os.environ, **(variables or {})},
            capture_output=True,
            check=False,
        )
        return Done(done.returncode, json.loads(done.stdout), int(peak.read_text()))
