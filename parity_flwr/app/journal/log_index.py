"""The events of some contracts in the journal's database, in step with the chain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, insert, select

from parity_flwr.app.journal.database import Database
from parity_flwr.app.journal.schema import chain_blocks, chain_logs
from parity_flwr.core.anchoring import REORG_WINDOW, BlockId, ChainLog
from parity_flwr.errors import JournalError


class SqlLogIndex:
    """The events that one run follows.

    Implements :class:`parity_flwr.core.protocols.LogIndex`. One block more than the window
    of a reorganisation is kept, so that the deepest one still has a common ancestor here.

    Parameters
    ----------
    database : Database
        The journal's.
    run_id : str
        Which of its runs; it must have begun.
    """

    def __init__(self, database: Database, run_id: str) -> None:
        self._database = database
        self._run_id = run_id

    def cursor(self) -> tuple[BlockId, ...]:
        """Return the newest blocks that were read, oldest first."""
        chosen = select(chain_blocks).where(chain_blocks.c.run_id == self._run_id)
        with self._database.reading() as connection:
            rows = connection.execute(chosen.order_by(chain_blocks.c.number)).all()
        return tuple(_block(row) for row in rows)

    def extend(self, blocks: Sequence[BlockId], logs: Sequence[ChainLog]) -> None:
        """Add blocks and their logs at once; keep only the newest blocks."""
        if not blocks:
            return
        oldest = max(block.number for block in blocks) - REORG_WINDOW
        with self._database.writing() as connection:
            connection.execute(insert(chain_blocks), [self._block_row(b) for b in blocks])
            if logs:
                connection.execute(insert(chain_logs), [self._log_row(log) for log in logs])
            connection.execute(
                delete(chain_blocks).where(
                    chain_blocks.c.run_id == self._run_id, chain_blocks.c.number < oldest
                )
            )

    def rewind(self, number: int) -> None:
        """Forget all blocks and logs above this height, at once."""
        with self._database.writing() as connection:
            for table, column in (
                (chain_blocks, chain_blocks.c.number),
                (chain_logs, chain_logs.c.block_number),
            ):
                mine = table.c.run_id == self._run_id
                connection.execute(delete(table).where(mine, column > number))

    def logs(self) -> tuple[ChainLog, ...]:
        """Return all logs in the order of the chain."""
        chosen = select(chain_logs).where(chain_logs.c.run_id == self._run_id)
        order = (chain_logs.c.block_number, chain_logs.c.log_index)
        with self._database.reading() as connection:
            rows = connection.execute(chosen.order_by(*order)).all()
        return tuple(_log(row) for row in rows)

    def _block_row(self, block: BlockId) -> dict[str, Any]:
        return {"run_id": self._run_id, "number": block.number, "hash": block.hash.hex()}

    def _log_row(self, log: ChainLog) -> dict[str, Any]:
        return {
            "run_id": self._run_id,
            "tx_hash": log.tx_hash.hex(),
            "log_index": log.index,
            "block_number": log.block_number,
            "block_hash": log.block_hash.hex(),
            "address": log.address,
            "topics": ",".join(topic.hex() for topic in log.topics),
            "data": log.data.hex(),
        }


def _block(row: Any) -> BlockId:
    try:
        return BlockId(number=int(row.number), hash=bytes.fromhex(row.hash))
    except (ValueError, TypeError) as error:
        raise _unreadable() from error


def _log(row: Any) -> ChainLog:
    try:
        return ChainLog(
            address=row.address,
            topics=tuple(bytes.fromhex(topic) for topic in row.topics.split(",") if topic),
            data=bytes.fromhex(row.data),
            block_number=int(row.block_number),
            block_hash=bytes.fromhex(row.block_hash),
            tx_hash=bytes.fromhex(row.tx_hash),
            index=int(row.log_index),
        )
    except (ValueError, TypeError, AttributeError) as error:
        raise _unreadable() from error


def _unreadable() -> JournalError:
    return JournalError(
        "a row of the chain's index needs to be readable",
        came="a column of another form",
        action="delete the index's rows: they are read from the chain again",
    )
