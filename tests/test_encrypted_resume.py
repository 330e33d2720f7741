"""kill -9 anywhere in an encrypted run: resumed, it ends with the same model."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from encrypted_crash import POINTS, ROUNDS, play
from encrypted_runs import encrypted_run, values
from parity_flwr.app.journal import SqlJournal
from parity_flwr.app.runs.folder import RunFolder
from parity_flwr.app.verification.verify import verify
from parity_flwr.core.encryption.group_secret import GroupSecret
from parity_flwr.core.encryption.sealed_model import open_model
from parity_flwr.core.encryption.terms import SEALED, Reveal
from parity_flwr.errors import DataError
from trust_runs import bits

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return the uninterrupted run."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    return (*play(folder, Reveal.AGGREGATE)[:2], folder)


def weights(journal: SqlJournal) -> list[list[tuple[str, float]]]:
    return [
        [(each.identity, each.weight) for each in one.decision.replies]
        for one in journal.rounds()
    ]


def kill(folder: Path, reveal: Reveal, point: str, at: int) -> None:
    command = [
        sys.executable,
        str(HERE / "encrypted_crash.py"),
        str(folder),
        reveal,
        point,
        str(at),
    ]
    environment = {**os.environ, "PYTHONPATH": f"{HERE.parent}{os.pathsep}{HERE}"}
    ended = subprocess.run(command, env=environment, cwd=HERE, capture_output=True, check=False)
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()[-2000:]


def test_encrypted_run_verifies(whole: Any) -> None:
    _, journal, folder = whole
    report = verify(RunFolder(folder))
    assert report.ok, report
    assert len(list(journal.rounds())) == ROUNDS


def test_kept_ciphertexts_verify_by_their_hashes(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run").make()
    journal = SqlJournal(folder.journal_url, "run", folder, keep_updates=True)
    encrypted_run(journal=journal)
    lines = {line.name: line for line in verify(folder, updates=folder.updates).lines}
    assert all(line.ok is not False for line in lines.values())
    assert lines["updates"].ok
    kept = sorted(path for path in folder.updates.rglob("*") if path.is_file())
    data = bytearray(kept[-1].read_bytes())
    data[len(data) // 2] ^= 1
    kept[-1].write_bytes(bytes(data))
    assert not verify(folder, updates=folder.updates).ok


@pytest.mark.slow
@pytest.mark.parametrize("point", POINTS)
def test_killed_encrypted_run_ends_as_if_nothing_had_happened(
    tmp_path: Path, point: str, whole: Any
) -> None:
    kill(tmp_path / "run", Reveal.AGGREGATE, point, 2)
    folder = RunFolder(tmp_path / "run")
    assert SqlJournal(folder.journal_url, "run", folder).status().round == 1
    result, journal, _ = play(tmp_path / "run", Reveal.AGGREGATE)
    assert bits(result.arrays) == bits(whole[0].arrays)
    assert weights(journal) == weights(whole[1])
    assert verify(folder).ok


@pytest.mark.slow
def test_killed_run_with_sealed_models_goes_on(tmp_path: Path, whole: Any) -> None:
    """The checkpoint is sealed; the clients' state holds the secret."""
    kill(tmp_path / "run", Reveal.NOTHING, "while the sum is opened", 2)
    result, journal, strategy = play(tmp_path / "run", Reveal.NOTHING)
    assert list(result.arrays) == [SEALED]
    assert len(list(journal.rounds())) == ROUNDS
    assert strategy.offset == 1
    with pytest.raises(DataError, match="sealed model"):
        open_model(values(result), GroupSecret(bytes(32)), run_id=strategy.book.run_id)
