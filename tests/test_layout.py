"""The top level's import mapping: package list, links, wheel (decision 0001)."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from source_tree import MAPPED, package_files, packages, pyproject

pytestmark = pytest.mark.repository

MAX_LINES = 300
SOURCES = ("pyproject.toml", "README.md", "LICENSE", "parity_flwr", *MAPPED)


def copy_without_links(root: Path, target: Path) -> Path:
    """Copy what a build needs as a zip checkout has it: no .git, links as small text files."""
    target.mkdir()
    ignore = shutil.ignore_patterns("__pycache__", *MAPPED)
    for name in SOURCES:
        if (root / name).is_dir():
            shutil.copytree(root / name, target / name, ignore=ignore)
        else:
            shutil.copy2(root / name, target / name)
    for name in MAPPED:
        (target / "parity_flwr" / name).write_text(f"../{name}", encoding="utf-8")
    return target


def build_wheel(source: Path, target: Path) -> set[str]:
    """Build a wheel with the installed setuptools and return the names in it."""
    command = [
        sys.executable,
        "-m",
        "build",
        "--wheel",
        "--no-isolation",
        "--outdir",
        str(target),
    ]
    done = subprocess.run(
        [*command, str(source)], capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    (wheel,) = target.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_the_package_list_names_every_package_of_the_tree(repository: Path) -> None:
    assert sorted(pyproject(repository)["tool"]["setuptools"]["packages"]) == packages(
        repository
    )


def test_each_mapped_package_is_a_real_directory_with_a_link_to_it(repository: Path) -> None:
    mapping = pyproject(repository)["tool"]["setuptools"]["package-dir"]
    for name in MAPPED:
        link = repository / "parity_flwr" / name
        assert mapping[f"parity_flwr.{name}"] == name
        assert not (repository / name).is_symlink()
        assert link.is_symlink()
        assert link.readlink() == Path("..") / name


def test_no_folder_of_the_tests_shadows_a_package(repository: Path) -> None:
    assert not [path.name for path in (repository / "tests").iterdir() if path.name in MAPPED]
    assert not (repository / "tests" / "__init__.py").exists()


def test_a_wheel_from_a_checkout_without_links_holds_every_file(
    repository: Path, tmp_path: Path
) -> None:
    pytest.importorskip("build")
    source = copy_without_links(repository, tmp_path / "source")
    names = build_wheel(source, tmp_path / "dist")
    code = {name for name in names if ".dist-info/" not in name}
    assert code == set(package_files(source))
    assert {f"parity_flwr/{name}/__init__.py" for name in MAPPED} <= code
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)


def test_no_source_file_is_longer_than_300_lines(repository: Path) -> None:
    files = [*package_files(repository).values(), *(repository / "tests").glob("*.py")]
    lengths = {
        str(path.relative_to(repository)): len(path.read_text(encoding="utf-8").splitlines())
        for path in files
        if path.suffix == ".py"
    }
    assert {name: lines for name, lines in lengths.items() if lines > MAX_LINES} == {}
