"""A table for private runs, and a run on it that kills itself.

``private_tables.py TABLE MODEL LEVEL DIES``: SIGKILL after that many charges of client ledgers,
each of them before what it pays for is released.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import numpy as np

from parity_flwr.cli.main import execute
from parity_flwr.clients.client_ledger import ClientLedger
from parity_flwr.core.privacy.ledger import Charge

RARE = "canary"


def people(path: Path, *, rows: int = 2400, rare: int = 0) -> Path:
    """Write people: sick by age and dose, cost a number; so many of a colour of their own."""
    rng = np.random.default_rng(0)
    lines = ["age,dose,colour,sick,cost"]
    for k in range(rows):
        age, dose = rng.integers(20, 90), rng.normal()
        sick = "yes" if (age - 55) / 15 + dose + 0.3 * rng.normal() > 0 else "no"
        shown = "" if rng.random() < 0.15 else f"{dose:.3f}"
        colour = RARE if k < rare else ["red", "green", "blue"][rng.integers(3)]
        lines.append(f"{age},{shown},{colour},{sick},{3 * age + 20 * dose:.2f}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def command(path: Path, target: str, model: str, *options: str) -> list[str]:
    """Return the arguments of a run with four clients and two rounds."""
    given = ["--target", target, "--model", model, "--clients", "4", "--rounds", "2"]
    return ["run", str(path), *given, *options]


def main(path: str, model: str, level: str, dies: str) -> int:
    """Run until so many charges are stored."""
    left = [int(dies)]
    store = ClientLedger.charge

    def charge(self: ClientLedger, charge: Charge) -> None:
        store(self, charge)
        left[0] -= 1
        if not left[0]:
            os.kill(os.getpid(), signal.SIGKILL)

    ClientLedger.charge = charge  # type: ignore[method-assign]
    return execute(command(Path(path), "sick", model, "--privacy", level, "--quiet"))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
