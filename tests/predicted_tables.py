"""A table of people with every kind of column, and runs on it for tests of their models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from parity_flwr.cli.main import execute

COLUMNS = "age,dose,colour,smokes,seen"


def mixed(path: Path, target: str = "sick", *, rows: int = 400, seed: int = 0) -> Path:
    """Write people of whom sick (two classes), cost or grade (three) follow age and dose."""
    rng = np.random.default_rng(seed)
    lines = [f"{COLUMNS},{target}"]
    for _ in range(rows):
        age, dose = int(rng.integers(20, 90)), float(rng.normal())
        risk = (age - 55) / 15 + dose + 0.3 * rng.normal()
        shown = "" if rng.random() < 0.1 else f"{dose:.3f}"
        colour = ["red", "green", "blue", ""][rng.integers(4)]
        smokes, day = ["true", "false"][rng.integers(2)], 1 + int(rng.integers(28))
        known = f"{age},{shown},{colour},{smokes},2024-02-{day:02d}"
        answers = {
            "sick": "yes" if risk > 0 else "no",
            "cost": f"{3 * age + 20 * dose:.2f}",
            "grade": str(1 + int(risk > -0.7) + int(risk > 0.7)),
        }
        lines.append(f"{known},{answers[target]}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def trained(table: Path, target: str, model: str, *options: str, capsys: Any) -> dict[str, Any]:
    """Run on four clients and return the result."""
    arguments = ["run", str(table), "--target", target, "--model", model, "--clients", "4"]
    status = execute([*arguments, "--rounds", "3", *options, "--json"])
    printed = capsys.readouterr()
    assert status == 0, printed.err
    found: dict[str, Any] = json.loads(printed.out)
    return found


def predicted(run: str, rows: Path, output: Path, *, capsys: Any) -> dict[str, Any]:
    """Predict and return the summary."""
    status = execute(["predict", run, str(rows), "--output", str(output), "--json"])
    printed = capsys.readouterr()
    assert status == 0, printed.err
    found: dict[str, Any] = json.loads(printed.out)
    return found


def some_lines(table: Path, chosen: Any, path: Path) -> Path:
    """Write the header and some of the rows."""
    lines = table.read_text(encoding="utf-8").splitlines()
    kept = [lines[0], *(lines[1 + int(k)] for k in chosen)]
    path.write_text("\n".join(kept) + "\n", encoding="utf-8")
    return path
