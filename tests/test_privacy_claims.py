"""Every claim of the privacy pages names adversary, unit, epsilon, delta and its test."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TREE = Path(__file__).resolve().parent.parent
PAGES = ("privacy.md", "privacy-secagg.md", "privacy-he.md")
HEADER = ["claim", "adversary", "unit", "epsilon", "delta", "shown by"]
_TEST = re.compile(r"`(?:tests/)?(test_\w+)(\.py)?`")

pytestmark = [
    pytest.mark.repository,
    pytest.mark.skipif(not (TREE / "docs").is_dir(), reason="needs the source tree"),
]


def cells(line: str) -> list[str]:
    return [each.strip() for each in line.strip().strip("|").split("|")]


def claims(text: str) -> list[list[str]]:
    """Return the rows of every table that has the header of claims."""
    found: list[list[str]] = []
    inside = False
    for line in text.splitlines():
        if not line.startswith("|"):
            inside = False
        elif cells(line) == HEADER:
            inside = True
        elif inside and not line.startswith("|---"):
            found.append(cells(line))
    return found


def known_tests() -> set[str]:
    names: set[str] = set()
    for path in (TREE / "tests").glob("test_*.py"):
        names.add(path.stem)
        names |= set(re.findall(r"^def (test_\w+)", path.read_text(encoding="utf-8"), re.M))
    return names


@pytest.mark.parametrize("page", PAGES)
def test_every_claim_has_its_five_cells_and_a_test_that_is_there(page: str) -> None:
    rows = claims((TREE / "docs" / page).read_text(encoding="utf-8"))
    known = known_tests()
    assert len(rows) >= 4
    for row in rows:
        assert len(row) == len(HEADER), row
        assert all(cell.strip("- ") for cell in row), row
        named = [match[1] for match in _TEST.finditer(row[-1])]
        assert named, f"{row[0]}: no test is named"
        assert set(named) <= known, row


@pytest.mark.parametrize("page", PAGES)
def test_every_test_that_a_page_names_is_there(page: str) -> None:
    text = (TREE / "docs" / page).read_text(encoding="utf-8")
    named = {match[1] for match in _TEST.finditer(text)}
    assert named <= known_tests()
    assert named


def test_a_claim_without_a_cell_would_be_found() -> None:
    table = "| claim | adversary | unit | epsilon | delta | shown by |\n|---|---|\n| a | b |\n"
    assert claims(table) == [["a", "b"]]
    assert claims("| another | table |\n| 1 | 2 |\n") == []
