"""What the source tree holds, seen as the import system sees it."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

MAPPED = ("strategies", "clients", "chain_bridge")
IGNORED = ("__pycache__", ".ipynb_checkpoints")
TOOLCHAIN = {
    "node_modules", "out", "cache", "tools", "test", "foundry.toml", "package.json",
    "package-lock.json",
}  # fmt: skip
"""What compiles and tests the contracts, below chain_bridge/contracts; no wheel has it."""


def pyproject(root: Path) -> dict[str, Any]:
    """Return pyproject.toml as a dictionary."""
    return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))


def package_files(root: Path) -> dict[str, Path]:
    """Map each file's path below ``parity_flwr/`` in the wheel to its path in the tree.

    The three mapped folders count once, under ``parity_flwr/``; links are not followed.
    What only compiles and tests the contracts does not count.
    """
    found: dict[str, Path] = {}
    for top in ("parity_flwr", *MAPPED):
        prefix = "" if top == "parity_flwr" else "parity_flwr/"
        for path in sorted((root / top).rglob("*")):
            inner = path.relative_to(root)
            tool = top == "chain_bridge" and inner.parts[2:3] and inner.parts[2] in TOOLCHAIN
            linked = top == "parity_flwr" and inner.parts[1] in MAPPED
            if (
                path.is_file()
                and not linked
                and not tool
                and not set(IGNORED) & set(inner.parts)
            ):
                found[f"{prefix}{inner.as_posix()}"] = path
    return found


def packages(root: Path) -> list[str]:
    """Return the dotted names of all packages, sorted."""
    files = package_files(root)
    return sorted(
        name.removesuffix("/__init__.py").replace("/", ".")
        for name in files
        if name.endswith("/__init__.py")
    )
