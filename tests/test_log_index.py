"""The index of events: in step with the chain, never wrong, loud where it cannot be right."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text

from anvil_node import Anvil
from chain_cases import NOW, WALLET, begun, contract_on, sending, sql_index, word
from chain_drills import reorgs
from parity_flwr.chain_bridge.embedded import EmbeddedChain
from parity_flwr.chain_bridge.indexing import IndexFollower
from parity_flwr.chain_bridge.memory_outbox import MemoryOutbox
from parity_flwr.chain_bridge.sender import Sender
from parity_flwr.core.anchoring import REORG_WINDOW, BlockId, ChainLog, Intent
from parity_flwr.errors import ChainError, JournalError


def log_some(sender: Sender, where: str, numbers: range) -> None:
    for number in numbers:
        sender.submit(Intent(key=f"log/{number}", to=where, data=word(number), gas=60_000))
    sender.settle(timeout_s=60)


def test_the_index_follows(tmp_path: Path) -> None:
    with EmbeddedChain() as chain, sending(chain, MemoryOutbox(), tmp_path) as sender:
        chain.fund(WALLET.address, 10**18)
        where = contract_on(sender)
        index = sql_index(tmp_path / "run")
        follower = IndexFollower(chain, index=index, addresses=[where], first_block=0)
        log_some(sender, where, range(1, 5))
        assert follower.follow() == 0
        log_some(sender, where, range(5, 8))
        assert follower.follow() == 0
        assert follower.follow() == 0
        assert [log.data for log in index.logs()] == [word(n) for n in range(1, 8)]
        head = chain.block("latest")
        assert head is not None
        assert index.logs() == chain.logs([where], first=0, last=head.number)


def test_a_long_history_is_read_in_pieces(tmp_path: Path) -> None:
    with EmbeddedChain() as chain, sending(chain, MemoryOutbox(), tmp_path) as sender:
        chain.fund(WALLET.address, 10**18)
        where = contract_on(sender)
        log_some(sender, where, range(1, REORG_WINDOW + 20))
        index = sql_index(tmp_path / "run")
        IndexFollower(chain, index=index, addresses=[where], first_block=0).follow()
        assert [log.data for log in index.logs()] == [
            word(n) for n in range(1, REORG_WINDOW + 20)
        ]
        assert len(index.cursor()) == REORG_WINDOW + 1


@pytest.mark.slow
def test_a_reorganisation_of_the_whole_window_is_followed(anvil: Anvil, tmp_path: Path) -> None:
    assert reorgs(anvil, tmp_path, depths=[REORG_WINDOW], seed=2) == 1


def test_one_block_deeper_is_refused(anvil: Anvil, tmp_path: Path) -> None:
    anvil.fund(WALLET.address, 10**18)
    anvil.mine(2 * REORG_WINDOW)
    chain, index = anvil.chain(), sql_index(tmp_path / "run")
    with sending(chain, MemoryOutbox(), tmp_path, settings=NOW) as sender:
        where = contract_on(sender)
    follower = IndexFollower(chain, index=index, addresses=[where], first_block=1)
    follower.follow()
    before = index.logs(), index.cursor()
    anvil.reorg(REORG_WINDOW + 1)
    with pytest.raises(ChainError, match="a common block within the last 64"):
        follower.follow()
    assert (index.logs(), index.cursor()) == before


def test_rewinding_forgets_both(tmp_path: Path) -> None:
    index = sql_index(tmp_path / "run")
    for number in range(1, 4):
        index.extend([BlockId(number=number, hash=bytes([number]) * 32)], [_log(number)])
    index.rewind(2)
    assert [block.number for block in index.cursor()] == [1, 2]
    assert [log.block_number for log in index.logs()] == [1, 2]
    index.rewind(0)
    assert (index.cursor(), index.logs()) == ((), ())


def test_a_log_is_kept_once(tmp_path: Path) -> None:
    index = sql_index(tmp_path / "run")
    index.extend([BlockId(number=1, hash=b"1" * 32)], [_log(1)])
    with pytest.raises(JournalError):
        index.extend([BlockId(number=2, hash=b"2" * 32)], [_log(1)])
    assert [block.number for block in index.cursor()] == [1]


def test_a_changed_row_is_said(tmp_path: Path) -> None:
    index = sql_index(tmp_path / "run")
    index.extend([BlockId(number=1, hash=b"1" * 32)], [_log(1)])
    with begun(tmp_path / "run").database.writing() as connection:
        connection.execute(text("UPDATE chain_logs SET topics = 'zz'"))
    with pytest.raises(JournalError, match="readable"):
        index.logs()


def _log(number: int) -> ChainLog:
    return ChainLog(
        address=WALLET.address,
        topics=(b"t" * 32,),
        data=word(number),
        block_number=number,
        block_hash=bytes([number]) * 32,
        tx_hash=bytes([number]) * 32,
        index=0,
    )
