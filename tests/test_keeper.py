"""Child processes end with their purpose: normally, on an interrupt, and after kill -9."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from parity_flwr.app.engines import keeper
from parity_flwr.app.engines.processes import flower_variables, free_port, kept, program
from parity_flwr.app.engines.superlink import is_up, private_superlink
from parity_flwr.errors import EngineError
from process_tree import marked, needs_proc, wait_until

pytestmark = needs_proc

# Starts a process of a new session that ignores SIGTERM and loses its parent, then waits.
FAMILY = """
import os, signal, subprocess, sys, time
if os.fork() == 0:
    os.setsid()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if os.fork() != 0:
        os._exit(0)
    print("orphan", flush=True)
    time.sleep(1000)
print("parent", flush=True)
time.sleep(1000)
"""


def family(folder: Path) -> list[str]:
    """Return a command that makes a parent and an orphan that will not listen."""
    return [sys.executable, "-c", FAMILY]


def both_up(log: Path) -> bool:
    return log.exists() and set(log.read_text().split()) == {"orphan", "parent"}


def variables(mark: str) -> dict[str, str]:
    return flower_variables(PARITY_TEST_MARK=mark)


def test_everything_ends_with_the_block(tmp_path: Path) -> None:
    mark, log = f"PARITY_TEST_MARK={tmp_path}", tmp_path / "log"
    with kept(
        family(tmp_path), log=log, variables=variables(str(tmp_path)), cwd=tmp_path
    ) as process:
        wait_until(lambda: both_up(log))
        assert len(marked(mark)) == 3  # the keeper, the parent, the orphan
    assert marked(mark) == {}
    assert process.returncode is not None


def test_everything_ends_when_the_block_is_interrupted(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with (  # noqa: PT012
        pytest.raises(KeyboardInterrupt),
        kept(family(tmp_path), log=log, variables=variables(str(tmp_path)), cwd=tmp_path),
    ):
        wait_until(lambda: both_up(log))
        raise KeyboardInterrupt
    assert marked(f"PARITY_TEST_MARK={tmp_path}") == {}


OWNER = """
import sys, time
from pathlib import Path
from parity_flwr.app.engines.processes import flower_variables, kept
folder = Path(sys.argv[1])
found = flower_variables(PARITY_TEST_MARK=str(folder))
command = [sys.executable, "-c", sys.argv[2]]
scratch = folder / "scratch"
scratch.mkdir()
with kept(command, log=folder / "log", variables=found, cwd=folder, scratch=scratch):
    time.sleep(1000)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_everything_ends_when_its_owner_is_killed(
    tmp_path: Path, number: signal.Signals
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", OWNER, str(tmp_path), FAMILY], stderr=subprocess.DEVNULL
    ) as owner:
        wait_until(lambda: both_up(tmp_path / "log"))
        owner.send_signal(number)
    wait_until(lambda: marked(f"PARITY_TEST_MARK={tmp_path}") == {}, timeout_s=30)
    assert not (tmp_path / "scratch").exists()


def test_the_keeper_ends_with_its_command(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "print('done'); raise SystemExit(3)"]
    found = variables(str(tmp_path))
    with kept(command, log=tmp_path / "log", variables=found, cwd=tmp_path) as process:
        assert process.wait(timeout=60) == 3
    assert (tmp_path / "log").read_text() == "done\n"


def test_descendants_are_the_whole_tree(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with kept(
        family(tmp_path), log=log, variables=variables(str(tmp_path)), cwd=tmp_path
    ) as process:
        wait_until(lambda: both_up(log))
        below = set(keeper.descendants(process.pid))
        assert below == set(marked(f"PARITY_TEST_MARK={tmp_path}")) - {process.pid}
        assert below < set(keeper.descendants(os.getpid()))
    assert keeper.descendants(process.pid) == []


@pytest.mark.skipif(not Path("/bin/ps").exists(), reason="needs ps")
def test_ps_agrees_with_proc() -> None:
    listing = dict(keeper._processes_by_ps())
    assert listing[os.getpid()] == os.getppid() == dict(keeper._processes())[os.getpid()]


def test_a_missing_program_is_named() -> None:
    with pytest.raises(EngineError, match="needs the program flower-absent; got none"):
        program("flower-absent", flower_variables())


def test_a_free_port_is_free() -> None:
    assert not is_up(free_port())


def test_a_superlink_that_does_not_start_says_why(tmp_path: Path) -> None:
    broken = {**flower_variables(tmp_path / "home"), "PYTHONHOME": str(tmp_path)}
    broken["PATH"] = broken["PATH"].split(":", maxsplit=1)[0]
    with (
        pytest.raises(EngineError, match=r"SuperLink that starts; got .+; see .*superlink.log"),
        private_superlink(tmp_path, variables=broken, simulation=True),
    ):
        pass


@pytest.mark.slow
def test_a_superlink_listens_and_is_gone_afterwards(tmp_path: Path) -> None:
    found = flower_variables(tmp_path / "home", PARITY_TEST_MARK=str(tmp_path))
    with private_superlink(tmp_path, variables=found, simulation=False) as link:
        assert is_up(link.port)
        assert link.address == f"127.0.0.1:{link.port}"
    assert not is_up(link.port)
    assert marked(f"PARITY_TEST_MARK={tmp_path}") == {}
