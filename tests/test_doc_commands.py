"""Every command in the documentation works as it is written."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from anvil_node import FUNDED
from doc_commands import (
    MADE_ELSEWHERE,
    ROOT,
    Place,
    furnish,
    is_run,
    joined,
    shell_blocks,
)
from flower_runs import own_superlink
from process_tree import marked, wait_until

PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "examples").rglob("README.md")),
]
WITH_COMMANDS = [page for page in PAGES if page.is_file() and shell_blocks(page)]
NODE = "https://node.example"
A_RUN = (
    "parity run examples/quickstart --engine inprocess --chain embedded --quiet "
    "--run-config num-server-rounds=3"
)
ROOT_OF_RUN = (
    "$(parity bundle latest --output again.parity --json | "
    "python -c 'import json, sys; print(json.load(sys.stdin)[\"root\"])')"
)
BEFORE = {"docs/journal.md": A_RUN, "docs/content.md": A_RUN}
"""Commands that a page assumes, as it speaks of a run that is there."""

NAMES = {
    "docs/content.md": {"3f0c8a...": ROOT_OF_RUN},
    # Hours as it stands: the same comparison on fewer images.
    "docs/privacy-secagg.md": {"--preset grid --data DIR": "--preset smoke", "0,1,2,3": "1"},
}
"""What stands for text that means something else to every reader."""

pytestmark = pytest.mark.repository


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@contextmanager
def reader_of(page: Path, path: Path, request: pytest.FixtureRequest) -> Iterator[Place]:
    """Give a reader of the page a directory, and a node or a SuperLink if it speaks of one."""
    text = page.read_text(encoding="utf-8")
    furnish(path / "reader")
    names = dict(NAMES.get(name(page), {}))
    variables = {"PARITY_WALLET_PASSWORD": "a password for tests"}
    with ExitStack() as stack:
        if NODE in text:
            names[NODE] = request.getfixturevalue("anvil").url
        if "\nflwr run" in text:
            found = stack.enter_context(own_superlink(path / "flower", mark=path))
            variables |= {key: found[key] for key in ("FLWR_HOME", "PARITY_TEST_MARK")}
        yield Place(path=path / "reader", names=names, variables=variables, typed=FUNDED + "\n")


def left_running(path: Path) -> list[str]:
    """Return the commands that still run in a reader's directory, but for the test's node."""
    return [each for each in marked(str(path)).values() if "/anvil" not in each]


@pytest.mark.slow
@pytest.mark.parametrize("page", WITH_COMMANDS, ids=name)
def test_the_commands_of_the_page_work(
    page: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    blocks = [each for each in shell_blocks(page) if any(map(is_run, joined(each)))]
    if not blocks:
        pytest.skip("its commands are CI's own")
    with reader_of(page, tmp_path, request) as place:
        for block in [BEFORE.get(name(page), ":"), *blocks]:
            place.run(block)
    wait_until(lambda: not left_running(tmp_path), timeout_s=60)


@pytest.mark.parametrize("page", WITH_COMMANDS, ids=name)
def test_make_targets_and_extras_exist(page: Path) -> None:
    lines = [line for block in shell_blocks(page) for line in joined(block)]
    targets = {match[1] for line in lines if (match := re.match(r"make ([\w-]+)", line))}
    known = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert targets <= known
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = {extra for line in lines for extra in _extras(line)}
    assert wanted <= set(project["optional-dependencies"])


def _extras(line: str) -> list[str]:
    found = re.search(r"parity-flwr\[([\w,-]+)\]", line)
    return found[1].split(",") if found and line.startswith(tuple(MADE_ELSEWHERE)) else []
