"""The drills of the bridge; the tests run them small, ``drill_chain.py`` in full."""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
from pathlib import Path

import numpy as np

from anvil_node import Anvil
from chain_cases import (
    ETHER,
    NOW,
    PAYEE,
    contract_on,
    found,
    payment,
    sending,
    sql_index,
    sql_outbox,
    word,
)
from chain_crash import PAYMENTS, STATES, survive
from faulty_proxy import FaultyProxy
from parity_flwr.app.journal.log_index import SqlLogIndex
from parity_flwr.chain_bridge.chain import Chain
from parity_flwr.chain_bridge.embedded import EmbeddedChain
from parity_flwr.chain_bridge.indexing import IndexFollower
from parity_flwr.chain_bridge.json_rpc import JsonRpcChain
from parity_flwr.chain_bridge.sender import Sender
from parity_flwr.chain_bridge.sender_settings import SenderSettings
from parity_flwr.chain_bridge.wallet import Wallet
from parity_flwr.core.anchoring import Intent, OutboxState
from parity_flwr.errors import NodeError


def race(chain: Chain, folder: Path, *, wallet: Wallet, threads: int) -> None:
    """Let threads send with one key at once: each transaction is mined, each once."""
    before = chain.balance(PAYEE)
    with sending(chain, sql_outbox(folder / "run"), folder, wallet=wallet) as sender:

        def send(number: int) -> None:
            sender.submit(payment(number))
            sender.settle(timeout_s=120)

        workers = [threading.Thread(target=send, args=(n,)) for n in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        states = {found(sender, f"payment/{n}").state for n in range(threads)}
    assert states == {OutboxState.FINAL}
    assert chain.nonce(wallet.address) == threads
    assert chain.balance(PAYEE) - before == threads


def kills(anvil: Anvil, folder: Path, *, times: int) -> int:
    """Kill senders in each of six states; return how many deaths were survived exactly."""
    chain, deaths = anvil.chain(), 0
    for number, state in itertools.product(range(times), STATES):
        wallet, place = Wallet.generate(), folder / f"{state}-{number}"
        place.mkdir()
        where, calls = _chain_of_death(anvil, place, wallet, number), 1 + number % PAYMENTS
        before = chain.balance(PAYEE)
        deaths += survive(place, where, wallet.key.hex(), state, calls)
        if where == "embedded":
            with EmbeddedChain(place / "chain") as own:
                nonce, paid = own.nonce(wallet.address), own.balance(PAYEE)
        else:
            nonce, paid = chain.nonce(wallet.address), chain.balance(PAYEE) - before
        assert (nonce, paid) == (PAYMENTS, PAYMENTS), f"{state}, kill {number} on {where}"
        rows = sql_outbox(place / "run").rows()
        assert [row.state for row in rows] == [OutboxState.FINAL] * PAYMENTS
        assert [row.nonce for row in rows] == list(range(PAYMENTS))
    return deaths


def _chain_of_death(anvil: Anvil, place: Path, wallet: Wallet, number: int) -> str:
    """Take a real node and the embedded chain, which dies with its process, in turn."""
    if number % 2:
        with EmbeddedChain(place / "chain") as chain:
            chain.fund(wallet.address, ETHER)
        return "embedded"
    anvil.fund(wallet.address, ETHER)
    return anvil.url


def reorgs(anvil: Anvil, folder: Path, *, depths: list[int], seed: int) -> int:
    """Drop and move blocks; index and outbox end as if nothing had ever been dropped."""
    rng, chain, wallet = np.random.default_rng(seed), anvil.chain(), Wallet.generate()
    anvil.fund(wallet.address, 100 * ETHER)
    settings = SenderSettings(confirmations=10_000)
    index = sql_index(folder / "index")
    with sending(
        chain, sql_outbox(folder / "run"), folder, wallet=wallet, settings=NOW
    ) as deployer:
        where = contract_on(deployer)
    head = chain.block("latest")
    assert head is not None
    first, numbers = head.number, itertools.count(1)
    with sending(
        chain, sql_outbox(folder / "run"), folder, wallet=wallet, settings=settings
    ) as sender:
        for depth in depths:
            _log_some(anvil, sender, where, numbers, blocks=depth + int(rng.integers(1, 4)))
            _follow(chain, index, where, first)
            anvil.reorg(depth, _moved(chain, depth, rng))
            _mine_all(sender)
            _follow(chain, index, where, first)
            _compare(chain, index, folder, where, first)
        rows = list(sender.outbox.unsettled(limit=10_000))
        assert {row.state for row in rows} == {OutboxState.MINED}
        total = next(numbers) - 1
        assert len(rows) == total
        # All that was dropped is back, each once: nothing else has used the key.
        assert chain.nonce(wallet.address) == total + 1
        assert sorted(log.data for log in index.logs()) == [word(n + 1) for n in range(total)]
    return len(depths)


def _log_some(
    anvil: Anvil, sender: Sender, where: str, numbers: itertools.count[int], *, blocks: int
) -> None:
    for _ in range(blocks):
        number = next(numbers)
        sender.submit(Intent(key=f"log/{number}", to=where, data=word(number), gas=60_000))
        _mine_all(sender)


def _mine_all(sender: Sender) -> None:
    """Step until every row is in a block."""
    for _ in range(10_000):
        rows = sender.outbox.unsettled(limit=10_000)
        progress = sender.step()
        if not progress.moved and all(row.state is OutboxState.MINED for row in rows):
            return
    raise AssertionError("some are never mined")


def _moved(chain: JsonRpcChain, depth: int, rng: np.random.Generator) -> list[list[object]]:
    """Return what the new blocks hold: some of the dropped ones' transactions, elsewhere."""
    head = chain.block("latest")
    assert head is not None
    kept: list[list[object]] = []
    height = int(rng.integers(0, depth))
    for number in range(head.number - depth + 1, head.number + 1):
        block = chain.block(number)
        assert block is not None
        for tx_hash in block.transactions:
            raw = chain.request("eth_getRawTransactionByHash", "0x" + tx_hash.hex())
            if rng.random() < 0.5 and raw:
                kept.append([raw, height])
            else:
                return kept  # later nonces cannot be mined without this one
    return kept


def _follow(chain: Chain, index: SqlLogIndex, where: str, first: int) -> None:
    follower = IndexFollower(chain, index=index, addresses=[where], first_block=first)
    for _ in range(100):
        with contextlib.suppress(NodeError):
            follower.follow()
            return
    raise AssertionError("the chain never stands still")


def _compare(chain: Chain, index: SqlLogIndex, folder: Path, where: str, first: int) -> None:
    number = sum(1 for _ in folder.glob("fresh-*"))
    fresh = sql_index(folder / f"fresh-{number}")
    _follow(chain, fresh, where, first)
    assert index.logs() == fresh.logs()
    assert index.cursor()[-65:] == fresh.cursor()[-65:]


def faults(anvil: Anvil, folder: Path, *, operations: int, share: float, seed: int) -> float:
    """Send through a proxy that fails; every operation happens once. Return the share."""
    wallet = Wallet.generate()
    anvil.fund(wallet.address, 100 * ETHER)
    truth = anvil.chain()
    before = truth.balance(PAYEE)
    with FaultyProxy(anvil.url, share=0.0, seed=seed) as proxy:
        chain = JsonRpcChain(proxy.url, timeout_s=5.0)
        with sending(chain, sql_outbox(folder / "run"), folder, wallet=wallet) as sender:
            proxy.share = share
            for number in range(operations):
                sender.submit(payment(number))
            _step_through(sender)
            rows = sql_outbox(folder / "run").rows()
        failed = sum(count for name, count in proxy.counts.items() if name != "none")
        asked = sum(proxy.counts.values())
    assert [row.state for row in rows] == [OutboxState.FINAL] * operations
    assert len({row.nonce for row in rows}) == operations
    assert truth.nonce(wallet.address) == operations
    assert truth.balance(PAYEE) - before == operations
    return failed / asked


def _step_through(sender: Sender) -> None:
    """Step at once after each failure, as no drain would: the proxy needs no rest."""
    deadline = time.monotonic() + 1800
    while time.monotonic() < deadline:
        with contextlib.suppress(NodeError):
            if sender.step().settled:
                return
    raise AssertionError("not settled in half an hour")
