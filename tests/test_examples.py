"""Every example has a page that is true: its commands, links and picture exist."""

from __future__ import annotations

import shlex
import tomllib
from pathlib import Path

import pytest

from parity_flwr.app.engines.flower_app import read_app
from test_docs import LINK, commands, unknown_part

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = sorted(path.parent for path in (ROOT / "examples").glob("*/README.md"))
MAX_PICTURE_BYTES = 150_000

pytestmark = pytest.mark.repository
each = pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)


@each
def test_the_commands_and_links_of_its_page_exist(folder: Path) -> None:
    page = folder / "README.md"
    wrong = [(shlex.join(w), part) for w in commands(page) if (part := unknown_part(w))]
    assert wrong == []
    targets = LINK.findall(page.read_text(encoding="utf-8"))
    assert [target for target in targets if not (page.parent / target).exists()] == []


@each
def test_its_pictures_are_shown_and_small(folder: Path) -> None:
    text = (folder / "README.md").read_text(encoding="utf-8")
    for picture in folder.rglob("*.png"):
        assert f"]({picture.relative_to(folder).as_posix()})" in text
        assert picture.stat().st_size < MAX_PICTURE_BYTES


@each
def test_it_is_listed_with_a_command(folder: Path) -> None:
    (line,) = [
        line
        for line in (ROOT / "examples" / "README.md").read_text(encoding="utf-8").splitlines()
        if line.startswith(f"| [{folder.name}]({folder.name}/README.md)")
    ]
    assert f"examples/{folder.name}" in line.rpartition("`")[0].rpartition("`")[2]


@each
def test_an_app_is_what_flower_wants(folder: Path) -> None:
    path = folder / "pyproject.toml"
    if not path.is_file():
        pytest.skip("a script, no app")
    assert read_app(folder).name == folder.name
    # Flower would install them anew at every run, which fails offline.
    assert tomllib.loads(path.read_text(encoding="utf-8"))["project"]["dependencies"] == []
