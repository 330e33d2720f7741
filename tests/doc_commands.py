"""The shell blocks of the documentation, run as a reader would run them."""

from __future__ import annotations

import gzip
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parent.parent
BLOCK = re.compile(r"^```(?:sh|bash|shell|console)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MADE_ELSEWHERE = {
    "make ": "a target of the Makefile; CI runs them",
    "pip install ": "an installation; CI installs the wheel away from the tree",
    ". .venv/": "an environment of the reader's own",
    "git clone ": "a copy of this tree",
    "python examples/deployment/run.py": "minutes; tests/test_example_deployment.py runs it",
    "parity run . --engine deployment": "a SuperLink with nodes; the same test has one",
    "flwr run . my-superlink": "likewise",
    'parity run examples/images --engine inprocess --run-config "dataset=': "a network",
}
"""Beginnings of lines that are looked at but not run here, and why."""

FOREVER = {
    "parity chain up": "timeout --signal=INT 20 {} || test $? -eq 124",
    "--follow": "timeout --signal=INT 20 {} || test $? -eq 124 -o $? -eq 130",
}
"""Commands that go on until Ctrl-C, which they get after 20 s."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """A reader's directory, and what stands for names that exist nowhere.

    Parameters
    ----------
    path : Path
        Where the commands run.
    names : mapping
        Text in the documentation to what replaces it, as a URL of a node by the one of a real
        node here.
    variables : mapping
        Environment of the commands, beside the test's own.
    typed : str
        What the reader types.
    """

    path: Path
    names: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    typed: str = ""

    def run(self, block: str) -> None:
        """Run one block; fail with what it printed if a line of it fails."""
        script = "\n".join(runnable(line) for line in joined(block))
        for name, here in self.names.items():
            script = script.replace(name, here)
        programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=self.path,
            env={**os.environ, "PATH": programs, **self.variables},
            input=self.typed,
            capture_output=True,
            text=True,
            timeout=540,
            check=False,
        )
        assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"


def shell_blocks(page: Path) -> list[str]:
    """Return the bodies of the page's shell blocks."""
    return BLOCK.findall(page.read_text(encoding="utf-8"))


def joined(block: str) -> list[str]:
    """Return the commands of a block, without prompts and with continued lines in one."""
    whole = block.replace("\\\n", " ")
    return [re.sub(r"^\$ ", "", line) for line in whole.splitlines() if line.strip()]


def is_run(line: str) -> bool:
    """Say whether a line is run here."""
    return not line.startswith(tuple(MADE_ELSEWHERE))


def runnable(line: str) -> str:
    """Return the line as it is run: not at all, for a while, or as it stands."""
    if not is_run(line):
        return ":"
    command = re.sub(r"\s+#\s.*$", "", line)
    for name, wrapped in FOREVER.items():
        if name in command:
            return wrapped.format(command)
    return command


def furnish(place: Path) -> None:
    """Put the files that pages speak of into a reader's directory."""
    place.mkdir(parents=True, exist_ok=True)
    shutil.copytree(ROOT / "examples", place / "examples", dirs_exist_ok=True)
    rows = "\n".join(_rows(2_000, seed=0)) + "\n"  # so many that a promise hides no column
    (place / "data.csv").write_text(rows, encoding="utf-8")
    (place / "visits.csv.gz").write_bytes(gzip.compress(rows.encode()))
    (place / "new.csv").write_text("\n".join(_rows(40, seed=1)) + "\n", encoding="utf-8")
    for name, shape in {"fashion_mnist": (28, 28), "cifar10": (32, 32, 3)}.items():
        arrays: dict[str, Any] = _images(shape)
        np.savez(place / f"{name}.npz", **arrays)


def _images(shape: tuple[int, ...]) -> dict[str, NDArray[Any]]:
    """Return noisy images of ten classes that a network can tell apart, as the real files."""
    rng = np.random.default_rng(0)
    means = rng.integers(0, 256, (10, *shape))
    found: dict[str, NDArray[Any]] = {}
    for part, count in {"train": 800, "test": 200}.items():
        y = rng.integers(0, 10, count)
        x = np.clip(means[y] + rng.normal(0, 40, (count, *shape)), 0, 255)
        found |= {f"x_{part}": x.astype(np.uint8), f"y_{part}": y.astype(np.uint8)}
    return found


def _rows(count: int, *, seed: int) -> list[str]:
    """Return a table of people: numbers, texts, a class and a price that depend on them."""
    rng = np.random.default_rng(seed)
    age = rng.integers(20, 90, count)
    weight = rng.normal(70, 12, count)
    city = rng.choice(["north", "south", "west"], count)
    hospital = rng.choice(["A", "B", "C", "D"], count)
    sick = (age / 30 + (city == "west") + rng.normal(0, 0.4, count) > 2.2).astype(int)
    price = 3 * age + weight + rng.normal(0, 5, count)
    columns = (age, weight.round(1), city, hospital, sick, price.round(2))
    body = [",".join(map(str, row)) for row in zip(*columns, strict=True)]
    return ["age,weight,city,hospital,sick,price", *body]
