"""Every example in a docstring runs."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

from source_tree import package_files

ROOT = Path(__file__).resolve().parent.parent

pytestmark = pytest.mark.repository


def module_names() -> list[str]:
    """Return every module of the package by its dotted name."""
    names = [Path(name).with_suffix("") for name in package_files(ROOT) if name.endswith(".py")]
    return [".".join(name.parts).removesuffix(".__init__") for name in names]


@pytest.mark.parametrize("name", module_names())
def test_the_examples_of_a_module_run(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(name)
    assert doctest.testmod(module, optionflags=doctest.ELLIPSIS).failed == 0
