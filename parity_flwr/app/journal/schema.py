"""The tables of the journal, in their newest version (``migrations`` builds them).

``entries`` is the truth: an append-only chain of hashes. All other tables repeat what its
bodies say, for people who ask in SQL; ``parity verify`` compares the two.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Double, ForeignKey, Index, MetaData, Table, Text

metadata = MetaData()


def _run_id() -> Column[str]:
    return Column("run_id", Text, ForeignKey("runs.run_id"), primary_key=True)


def _key(name: str) -> Column[int]:
    return Column(name, BigInteger, primary_key=True, autoincrement=False)


def _integer(name: str, *, optional: bool = False) -> Column[int]:
    return Column(name, BigInteger, nullable=optional)


def _number(name: str, *, optional: bool = False) -> Column[float]:
    return Column(name, Double, nullable=optional)


def _text(name: str, *, optional: bool = False) -> Column[str]:
    return Column(name, Text, nullable=optional)


runs = Table(
    "runs",
    metadata,
    Column("run_id", Text, primary_key=True),
    _integer("head_sequence"),  # of the last entry; locking this row locks the run
    _text("head_hash"),
    _text("status"),  # running, completed or failed
    _text("reason"),
)

entries = Table(
    "entries",
    metadata,
    _run_id(),
    _key("sequence"),  # 1, 2, 3, ...
    _text("kind"),  # header, round, evaluation, action, charge, spending or end
    _text("body"),  # canonical JSON, ASCII
    _text("previous_hash"),
    _text("hash"),  # SHA-256 over previous_hash, kind and body, hex
    _text("written_at"),  # wall clock, UTC; outside the hash
)

rounds = Table(
    "rounds",
    metadata,
    _run_id(),
    _key("round"),
    _integer("sequence"),
    _text("status"),
    _text("reason"),
    _text("base_hash"),
    _text("model_hash"),
    _integer("n_selected"),
    _integer("n_accepted"),
)

replies = Table(
    "replies",
    metadata,
    _run_id(),
    _key("round"),
    _key("position"),
    _text("identity"),
    _text("node_id"),  # unsigned 64 bits do not fit a column of integers
    _text("verdict"),
    _text("reason"),
    _text("update_hash"),
    _text("public_key"),
    _text("signature"),
    _integer("num_examples", optional=True),
    _number("norm", optional=True),
    _number("rho", optional=True),  # P-5
    _number("deviation", optional=True),  # P-4
    _number("quality", optional=True),
    _number("time_s"),
    _number("alpha"),  # P-3
    _number("beta"),  # P-4
    _number("penalty"),  # P-6
    _number("soundness"),
    _number("weight"),  # P-2
    _number("performance", optional=True),  # reputation after the round, P-7
    _number("quality_score", optional=True),
    _number("consistency", optional=True),
    _number("social", optional=True),
    _number("composite", optional=True),  # P-12
    _integer("excluded"),  # 0 or 1
)
Index("replies_by_identity", replies.c.run_id, replies.c.identity)

metrics = Table(
    "metrics",
    metadata,
    _run_id(),
    _key("sequence"),
    _key("position"),
    _integer("round"),
    _text("source"),  # train, server or clients
    _text("name"),
    _number("value"),
)

actions = Table(
    "actions",
    metadata,
    _run_id(),
    _key("sequence"),
    _text("kind"),  # ban or unban
    _text("identity"),
    _text("reason"),
    _integer("applied_round", optional=True),  # empty until a round has applied it
)

charges = Table(
    "charges",
    metadata,
    _run_id(),
    _key("sequence"),
    _integer("round"),
    _text("client"),  # an identity, or * for everyone
    _text("mechanism"),
    _integer("release"),
    _number("noise_multiplier"),
    _number("sampling"),
    _integer("count"),
    _text("unit"),
    _text("relation"),
)

# What follows is no part of the chain of hashes: it is where transactions stand, and what a
# blockchain says of itself, which a reorganisation may change.

outbox = Table(
    "outbox",
    metadata,
    _run_id(),
    _key("position"),  # 1, 2, 3, ... in the order of the queue
    _text("key"),  # names the wish, such as round/7
    _integer("round", optional=True),
    _text("to_address", optional=True),  # empty creates a contract
    _text("data"),  # hex
    _text("value"),  # wei, decimal: 256 bits do not fit a column of integers
    _integer("gas", optional=True),
    _text("state"),  # queued, signed, sent, mined, final or failed
    _text("reason"),
    _integer("chain_id", optional=True),
    _text("sender", optional=True),
    _integer("nonce", optional=True),
    _text("tx_hash", optional=True),  # of the attempt that was mined, hex
    _integer("block_number", optional=True),
    _text("block_hash", optional=True),
    _integer("gas_used", optional=True),
    _integer("succeeded", optional=True),  # 0 or 1
    _text("created", optional=True),  # address of the contract that it created
)
Index("outbox_by_key", outbox.c.run_id, outbox.c.key, unique=True)
Index("outbox_by_state", outbox.c.run_id, outbox.c.state, outbox.c.position)

outbox_attempts = Table(
    "outbox_attempts",
    metadata,
    _run_id(),
    _key("position"),
    _key("attempt"),  # 1 is the first, others replace it under the same nonce
    _text("raw"),  # the signed transaction, hex
    _text("tx_hash"),
    _integer("max_fee"),  # wei per gas
    _integer("priority_fee"),
    _integer("first_seen"),  # height of the blockchain when it was signed
)

chain_blocks = Table(
    "chain_blocks",
    metadata,
    _run_id(),
    _key("number"),
    _text("hash"),
)

chain_logs = Table(
    "chain_logs",
    metadata,
    _run_id(),
    Column("tx_hash", Text, primary_key=True),
    _key("log_index"),
    _integer("block_number"),
    _text("block_hash"),
    _text("address"),
    _text("topics"),  # hex, separated by commas
    _text("data"),  # hex
)
Index("chain_logs_by_block", chain_logs.c.run_id, chain_logs.c.block_number)
