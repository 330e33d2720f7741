"""What an installer and an importer of the package rely on."""

from __future__ import annotations

import ast
import importlib
import importlib.metadata
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import parity_flwr
from source_tree import package_files, pyproject

REQUIRED = {  # every library the project is built on: in the core or in an extra
    "flwr", "torch", "scikit-learn", "opacus", "tenseal", "py-ecc", "grpcio", "ipfshttpclient",
    "web3", "click",
}  # fmt: skip
IMPORT_NAMES = {
    "scikit-learn": "sklearn",
    "pycryptodome": "Crypto",
    "grpcio": "grpc",
    "protobuf": "google",
    "py-evm": "eth",
}
HEAVY = ("torch", "sklearn", "mlxtend", "matplotlib", "opacus", "tenseal", "web3", "ray")
LIGHT_MODULES = (
    "parity_flwr", "parity_flwr.core", "parity_flwr.strategies", "parity_flwr.clients",
    "parity_flwr.chain_bridge", "parity_flwr.cli.main",
)  # fmt: skip


def distribution(requirement: str) -> str:
    """Return the distribution that a requirement names."""
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert found is not None
    return found[0].lower()


def declared(root: Path) -> dict[str, set[str]]:
    """Return the distributions of the core ("") and of each extra."""
    project = pyproject(root)["project"]
    groups = {"": project["dependencies"], **project["optional-dependencies"]}
    return {name: {distribution(item) for item in items} for name, items in groups.items()}


def imported(tree: ast.AST) -> Iterator[str]:
    """Yield the top-level module of every absolute import in a file."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


@pytest.mark.repository
def test_the_version_is_one(repository: Path) -> None:
    version = pyproject(repository)["project"]["version"]
    assert version == parity_flwr.__version__
    assert f"## {version}" in (repository / "CHANGELOG.md").read_text(encoding="utf-8")


@pytest.mark.repository
def test_every_library_of_the_project_is_in_the_core_or_an_extra(repository: Path) -> None:
    groups = declared(repository)
    user_groups = [names for group, names in groups.items() if group not in ("all", "dev")]
    assert set().union(*user_groups) >= REQUIRED


@pytest.mark.repository
def test_the_extra_all_holds_every_extra_of_a_user(repository: Path) -> None:
    extras = pyproject(repository)["project"]["optional-dependencies"]
    (everything,) = extras["all"]
    named = set(re.findall(r"[a-z]+", everything.partition("[")[2]))
    assert named == set(extras) - {"all", "dev"}


@pytest.mark.repository
def test_every_import_is_declared(repository: Path) -> None:
    names = set().union(*declared(repository).values())
    allowed = {IMPORT_NAMES.get(name, name.replace("-", "_")) for name in names}
    allowed |= set(sys.stdlib_module_names) | {"parity_flwr"}
    undeclared = {
        (inner, module)
        for inner, path in package_files(repository).items()
        if path.suffix == ".py"
        for module in imported(ast.parse(path.read_text(encoding="utf-8")))
        if module not in allowed
    }
    assert undeclared == set()


@pytest.mark.repository
def test_every_extra_that_an_error_names_exists(repository: Path) -> None:
    extras = set(pyproject(repository)["project"]["optional-dependencies"])
    for inner, path in package_files(repository).items():
        if path.suffix == ".py":
            text = path.read_text(encoding="utf-8")
            named = re.findall(r"\bextra=\"(\w+)\"", text)
            named += re.findall(r"parity-flwr\[(\w+)\]", text)
            assert set(named) <= extras, f"{inner} names an extra that does not exist"


@pytest.mark.repository
def test_the_declared_entry_points_exist(repository: Path) -> None:
    project = pyproject(repository)["project"]
    targets = [*project["scripts"].values()]
    targets += [t for group in project["entry-points"].values() for t in group.values()]
    for target in targets:
        module, _, name = target.partition(":")
        assert callable(getattr(importlib.import_module(module), name))


def test_the_installed_package_is_typed() -> None:
    files = importlib.metadata.files("parity-flwr") or []
    editable = any("__editable__" in str(file) for file in files)
    typed = Path(parity_flwr.__file__).with_name("py.typed")
    assert typed.is_file()
    assert editable or any(str(file) == "parity_flwr/py.typed" for file in files)


@pytest.mark.parametrize("module", LIGHT_MODULES)
def test_importing_loads_no_optional_library_and_prints_nothing(module: str) -> None:
    code = f"import sys, {module}; print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stdout == "[]\n"
    assert done.stderr == ""
