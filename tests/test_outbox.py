"""One set of rules for every outbox: in memory, in SQLite and in PostgreSQL."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from chain_cases import PAYEE, begun, payment, sql_outbox
from journal_records import header, journal_in
from parity_flwr.app.journal.opening import start_journal
from parity_flwr.app.journal.outbox import SqlOutbox
from parity_flwr.app.runs.folder import RunFolder
from parity_flwr.app.verification.verify import verify
from parity_flwr.chain_bridge.memory_outbox import MemoryOutbox
from parity_flwr.core.anchoring import Attempt, Inclusion, Intent, OutboxState
from parity_flwr.core.protocols import Outbox
from parity_flwr.errors import JournalError

Opener = Callable[[str], Outbox]
ONE = Attempt(raw=b"\2raw", tx_hash=b"h" * 32, max_fee=9, priority_fee=1, first_seen=3)
TWO = Attempt(raw=b"\2two", tx_hash=b"i" * 32, max_fee=11, priority_fee=2, first_seen=6)
SENDER = "0x6370eF2f4Db3611D657b90667De398a2Cc2a370C"
WHERE = Inclusion(
    tx_hash=b"i" * 32, block_number=7, block_hash=b"b" * 32, gas_used=21_000, succeeded=True
)


@pytest.fixture(
    params=["memory", "sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]
)
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Opener:
    """Return what opens the outbox of a run; twice the same one for the same run."""
    if request.param == "memory":
        kept: dict[str, Outbox] = {}
        return lambda run: kept.setdefault(run, MemoryOutbox())
    if request.param == "sqlite":
        return lambda run: sql_outbox(tmp_path / run)
    url = request.getfixturevalue("postgres_url")

    def open_postgres(run: str) -> Outbox:
        journal = start_journal(RunFolder(tmp_path / run).make(), url=url)
        journal.begin(header(9))
        return SqlOutbox(journal.database, journal.run_id)

    return open_postgres


def signed(outbox: Outbox, position: int, nonce: int, attempt: Attempt = ONE) -> None:
    outbox.sign(position, chain_id=31337, sender=SENDER, nonce=nonce, attempt=attempt)


def test_a_key_is_queued_once(opened: Opener) -> None:
    outbox = opened("run")
    first = outbox.add(payment(1))
    assert outbox.add(payment(2)).position == 2
    assert opened("run").add(Intent(key="payment/1", to=None)) == first
    assert [row.position for row in outbox.unsettled(limit=9)] == [1, 2]
    assert [row.position for row in outbox.unsettled(limit=1)] == [1]
    assert outbox.find("payment/3") is None


def test_everything_comes_back(opened: Opener) -> None:
    intent = Intent(key="k", to=PAYEE, data=b"\0\xff", value=2**200, gas=5, round=3)
    outbox = opened("run")
    outbox.add(intent)
    outbox.add(Intent(key="create", to=None))
    signed(outbox, 1, 4)
    signed(outbox, 1, 4, TWO)
    outbox.advance(1, OutboxState.MINED, inclusion=WHERE, reason="why")
    row = opened("run").find("k")
    assert row is not None
    assert (row.intent, row.attempts, row.nonce) == (intent, (ONE, TWO), 4)
    assert (row.chain_id, row.sender, row.state) == (31337, SENDER, OutboxState.MINED)
    assert (row.tx_hash, row.block_number, row.block_hash) == (b"i" * 32, 7, b"b" * 32)
    assert (row.gas_used, row.succeeded, row.reason) == (21_000, True, "why")
    created = opened("run").find("create")
    assert created is not None
    assert created.intent.to is None


def test_a_dropped_block_is_forgotten_and_the_attempts_are_not(opened: Opener) -> None:
    outbox = opened("run")
    outbox.add(payment(1))
    signed(outbox, 1, 0)
    outbox.advance(1, OutboxState.MINED, inclusion=WHERE)
    outbox.advance(1, OutboxState.SIGNED)
    row = outbox.find("payment/1")
    assert row is not None
    assert (row.tx_hash, row.block_number, row.succeeded) == (None, None, None)
    assert row.attempts == (ONE,)


def test_the_next_nonce_is_after_what_is_promised(opened: Opener) -> None:
    outbox = opened("run")
    assert outbox.next_nonce(chain_id=31337, sender=SENDER) == 0
    for number in range(1, 4):
        outbox.add(payment(number))
        signed(outbox, number, 10 + number)
    assert opened("run").next_nonce(chain_id=31337, sender=SENDER) == 14
    assert outbox.next_nonce(chain_id=1, sender=SENDER) == 0
    assert outbox.next_nonce(chain_id=31337, sender=PAYEE) == 0
    outbox.advance(3, OutboxState.FINAL, inclusion=WHERE)
    assert outbox.next_nonce(chain_id=31337, sender=SENDER) == 13


def test_settled_rows_leave_the_queue(opened: Opener) -> None:
    outbox = opened("run")
    for number in range(1, 4):
        outbox.add(payment(number))
    outbox.advance(1, OutboxState.FINAL, inclusion=WHERE)
    outbox.advance(2, OutboxState.FAILED, reason="reverted")
    assert [row.position for row in outbox.unsettled(limit=9)] == [3]
    assert [row.reason for row in outbox.failed()] == ["reverted"]
    outbox.requeue(2, reason="a person said so")
    assert outbox.failed() == ()
    assert [row.position for row in outbox.unsettled(limit=9)] == [2, 3]


def test_requeueing_forgets_nonce_and_attempts(opened: Opener) -> None:
    outbox = opened("run")
    outbox.add(payment(1))
    signed(outbox, 1, 5)
    outbox.requeue(1, reason="lost")
    row = outbox.find("payment/1")
    assert row is not None
    assert (row.state, row.nonce, row.attempts) == (OutboxState.QUEUED, None, ())
    signed(outbox, 1, 6, TWO)
    row = outbox.find("payment/1")
    assert row is not None
    assert (row.nonce, row.attempts) == (6, (TWO,))


def test_two_writers_get_two_positions(opened: Opener) -> None:
    outbox = opened("run")

    def add(start: int) -> None:
        for number in range(start, start + 10):
            outbox.add(payment(number))

    threads = [threading.Thread(target=add, args=(n,)) for n in (0, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rows = outbox.unsettled(limit=99)
    assert [row.position for row in rows] == list(range(1, 16))
    assert len({row.intent.key for row in rows}) == 15


def test_a_run_must_have_begun(tmp_path: Path) -> None:
    journal = begun(tmp_path / "run")
    with pytest.raises(JournalError, match="to have begun"):
        SqlOutbox(journal.database, "another").add(payment(1))


@pytest.mark.parametrize(
    "change", ["state = 'gone'", "data = 'zz'", "value = 'x'", "block_hash = 'q'"]
)
def test_a_changed_row_is_named(tmp_path: Path, change: str) -> None:
    outbox = sql_outbox(tmp_path / "run")
    outbox.add(payment(1))
    with begun(tmp_path / "run").database.writing() as connection:
        connection.execute(text(f"UPDATE outbox SET {change}"))
    with pytest.raises(JournalError, match="row 1 of the outbox"):
        outbox.rows()


def test_any_reason_can_be_stored(opened: Opener) -> None:
    outbox = opened("run")
    outbox.add(payment(1))
    outbox.advance(1, OutboxState.FAILED, reason="NUL \0, \ud800, " + "x" * 5000)
    (row,) = outbox.failed()
    assert row.reason.startswith("NUL")


def test_verify_does_not_mind_the_outbox(tmp_path: Path) -> None:
    from journal_records import play

    journal = journal_in(tmp_path / "run")
    play(journal, 2)
    SqlOutbox(journal.database, journal.run_id).add(payment(1))
    journal.finish("completed", sketch_seed=bytes(range(32)))
    assert verify(journal.folder).ok


def test_counts_by_state(tmp_path: Path) -> None:
    outbox = sql_outbox(tmp_path / "run")
    for number in range(3):
        outbox.add(payment(number))
    outbox.advance(2, OutboxState.FINAL, inclusion=WHERE)
    assert outbox.counts() == {"queued": 2, "final": 1}
