"""verify says ok to what a run wrote, and names what anybody changed in its tables."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from journal_records import (
    finished,
    header,
    journal_in,
)
from journal_tampering import execute, failures, query, rehash
from parity_flwr.app.journal import open_journal
from parity_flwr.app.journal.schema import metadata
from parity_flwr.app.runs.folder import RunFolder
from parity_flwr.app.verification.verify import verify
from parity_flwr.core.privacy.ledger import Charge
from parity_flwr.errors import JournalError

NAMES = {
    "hash chain",
    "projections",
    "decisions",
    "model chain",
    "actions",
    "model files",
    "signatures",
    "sketch seed",
    "privacy ledger",
}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """Return a completed run of three rounds with a ban, not to be changed."""
    return finished(tmp_path_factory.mktemp("template") / "run")


@pytest.fixture
def run(template: RunFolder, tmp_path: Path) -> RunFolder:
    """Return a copy of the template, to be changed."""
    shutil.copytree(template.path, tmp_path / "run")
    return RunFolder(tmp_path / "run")


def test_a_finished_run_is_ok(run: RunFolder) -> None:
    verification = verify(run)
    assert verification.ok
    assert {line.name for line in verification.lines} == NAMES
    skipped = {line.name for line in verification.lines if line.ok is None}
    assert skipped == {"signatures", "privacy ledger"}


def test_a_run_without_rounds_is_ok_and_says_so(tmp_path: Path) -> None:
    journal_in(tmp_path / "run").begin(header())
    verification = verify(RunFolder(tmp_path / "run"))
    assert verification.ok
    details = {line.name: line.detail for line in verification.lines if line.ok is None}
    assert details["decisions"] == "no round yet"
    assert details["sketch seed"] == "not revealed yet"


def test_without_a_journal_there_is_nothing_to_verify(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    with pytest.raises(JournalError, match=r"needs to be in .* no such file"):
        verify(RunFolder(tmp_path / "run"))


NO_PROJECTIONS = {"entries", "outbox", "outbox_attempts", "chain_blocks", "chain_logs"}


def columns() -> list[tuple[str, str]]:
    """Return every column of every projection, with the table."""
    return [
        (table.name, column.name)
        for table in metadata.sorted_tables
        for column in table.columns
        if table.name not in NO_PROJECTIONS and column.name != "run_id"
    ]


def charge(run: RunFolder) -> None:
    """Add a charge, so that every table has a row."""
    open_journal(run).charge(Charge(run=run.id, round=3, noise_multiplier=2.0))


def test_every_changed_field_of_every_projection_is_named(run: RunFolder) -> None:
    charge(run)
    for table, column in columns():
        kept = query(run, f"SELECT rowid, {column} FROM {table} LIMIT 1")[0]
        changed = 98765 if isinstance(kept[1], (int, float)) else "changed"
        execute(run, f"UPDATE {table} SET {column} = ? WHERE rowid = ?", changed, kept[0])
        failed = failures(verify(run))
        assert list(failed) == ["projections"], (table, column)
        assert table in failed["projections"], (table, column)
        execute(run, f"UPDATE {table} SET {column} = ? WHERE rowid = ?", kept[1], kept[0])
    assert verify(run).ok


@pytest.mark.parametrize("table", ["rounds", "replies", "metrics", "actions", "charges"])
def test_a_lost_or_invented_row_is_named(run: RunFolder, table: str) -> None:
    charge(run)
    execute(run, f"CREATE TABLE kept AS SELECT * FROM {table} LIMIT 1")
    key = "sequence" if table in {"metrics", "actions", "charges"} else "round"
    where = f"{key} = (SELECT {key} FROM kept)"
    execute(run, f"DELETE FROM {table} WHERE {where}")
    assert table in failures(verify(run))["projections"]
    for name in {key, "position"} & {"sequence", "round"}:
        execute(run, f"UPDATE kept SET {name} = 999")
    execute(run, f"INSERT INTO {table} SELECT * FROM kept")
    assert table in failures(verify(run))["projections"]


@pytest.mark.parametrize("sequence", range(1, 10))
@pytest.mark.parametrize("place", [0.0, 0.31, 0.77, 1.0])
def test_any_changed_byte_of_a_body_breaks_the_chain_there(
    run: RunFolder, sequence: int, place: float
) -> None:
    found = query(run, f"SELECT body FROM entries WHERE sequence = {sequence}")
    body = bytearray(str(found[0][0]).encode())
    body[int(place * (len(body) - 1))] ^= 1
    text = body.decode("latin1")
    execute(run, "UPDATE entries SET body = ? WHERE sequence = ?", text, sequence)
    assert f"entry {sequence} " in failures(verify(run))["hash chain"]


@pytest.mark.parametrize("column", ["hash", "previous_hash", "kind"])
def test_any_changed_link_is_named(run: RunFolder, column: str) -> None:
    execute(run, f"UPDATE entries SET {column} = ? WHERE sequence = 4", "f" * 64)
    assert "entry 4 " in failures(verify(run))["hash chain"]


@pytest.mark.parametrize("sequence", [1, 4])
def test_a_deleted_entry_is_named(run: RunFolder, sequence: int) -> None:
    execute(run, "DELETE FROM entries WHERE sequence = ?", sequence)
    assert f"entry {sequence} is missing" in failures(verify(run))["hash chain"]


def test_deleted_last_entries_are_noticed(run: RunFolder) -> None:
    last = query(run, "SELECT max(sequence) FROM entries")[0][0]
    execute(run, "DELETE FROM entries WHERE sequence = ?", last)
    assert "table runs" in failures(verify(run))["projections"]


def test_reordered_entries_are_named(run: RunFolder) -> None:
    for old, new in ((3, 999), (4, 3), (999, 4)):
        execute(run, "UPDATE entries SET sequence = ? WHERE sequence = ?", new, old)
    assert "entry 3 does not follow" in failures(verify(run))["hash chain"]


def test_an_entry_of_another_run_does_not_fit(run: RunFolder, tmp_path: Path) -> None:
    other = finished(tmp_path / "other")
    body, previous, hash_ = query(other, "SELECT body, previous_hash, hash FROM entries")[0]
    execute(
        run,
        "UPDATE entries SET body = ?, previous_hash = ?, hash = ? WHERE sequence = 1",
        body,
        previous,
        hash_,
    )
    assert "entry 1 does not follow" in failures(verify(run))["hash chain"]


@pytest.mark.parametrize(
    "body",
    [
        "[" * 100_000,
        '{"round":NaN}',
        "{}",
        "null",
        '{"round":' + "9" * 10_000 + "}",
        '{"round":1e999}',
        "",
        "\0",
        "\N{SNOWMAN}",
    ],
)
def test_a_hostile_body_is_one_failed_line(run: RunFolder, body: str) -> None:
    execute(run, "UPDATE entries SET body = ? WHERE kind = 'round'", body)
    rehash(run)
    failed = failures(verify(run))
    assert "entries" in failed
    assert "\n" not in failed["entries"]


@pytest.mark.parametrize("column", ["body", "kind", "hash", "previous_hash"])
@pytest.mark.parametrize("value", [b"\xff\x00", 7, 1.5])
def test_columns_of_another_type_are_one_failed_line(
    run: RunFolder, column: str, value: object
) -> None:
    execute(run, f"UPDATE entries SET {column} = ? WHERE sequence = 3", value)
    assert not verify(run).ok


def test_a_sequence_that_is_no_number_is_one_failed_line(run: RunFolder) -> None:
    execute(run, "UPDATE entries SET sequence = 'x' WHERE sequence = 3")
    assert not verify(run).ok
