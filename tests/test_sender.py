"""Exactly once: in order, through refusals, lost nonces, full pools and other processes."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from chain_cases import (
    ETHER,
    NOW,
    PAYEE,
    WALLET,
    Node,
    contract_on,
    found,
    funded_node,
    payment,
    sending,
    sql_outbox,
    word,
)
from parity_flwr.chain_bridge.embedded import EmbeddedChain
from parity_flwr.chain_bridge.memory_outbox import MemoryOutbox
from parity_flwr.chain_bridge.sender import Sender
from parity_flwr.chain_bridge.sender_settings import SenderSettings
from parity_flwr.core.anchoring import Intent, OutboxState
from parity_flwr.errors import ChainError, ConfigError


@pytest.fixture(params=["embedded", "anvil"])
def node(request: pytest.FixtureRequest) -> Iterator[Node]:
    """Give each of the two chains, with a funded wallet."""
    yield from funded_node(request)


def test_twenty_threads_have_twenty_mined(node: Node, tmp_path: Path) -> None:
    with sending(node.chain, sql_outbox(tmp_path / "run"), tmp_path) as sender:

        def send(number: int) -> None:
            sender.submit(payment(number))
            sender.settle(timeout_s=60)

        threads = [threading.Thread(target=send, args=(n,)) for n in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        rows = [found(sender, f"payment/{n}") for n in range(20)]
        assert {row.state for row in rows} == {OutboxState.FINAL}
        assert sorted(row.nonce for row in rows if row.nonce is not None) == list(range(20))
    assert node.chain.balance(PAYEE) == 20
    assert node.chain.nonce(WALLET.address) == 20


def test_a_wish_is_granted_once_and_in_order(node: Node, tmp_path: Path) -> None:
    outbox = sql_outbox(tmp_path / "run")
    with sending(node.chain, outbox, tmp_path) as sender:
        for number in (3, 1, 2, 3, 1):
            sender.submit(payment(number))
        sender.settle(timeout_s=30)
        sender.submit(payment(2))
        assert sender.step().settled
    with sending(node.chain, sql_outbox(tmp_path / "run"), tmp_path) as sender:
        sender.submit(payment(1))
        assert sender.step().settled
    nonces = {row.intent.key: row.nonce for row in outbox.rows()}
    assert nonces == {"payment/3": 0, "payment/1": 1, "payment/2": 2}
    assert node.chain.balance(PAYEE) == 3


def test_a_revert_is_a_named_failure_and_stops_the_queue(node: Node, tmp_path: Path) -> None:
    with sending(node.chain, sql_outbox(tmp_path / "run"), tmp_path) as sender:
        where = contract_on(sender)
        sender.submit(Intent(key="bad", to=where, gas=60_000))
        sender.submit(payment(1))
        with pytest.raises(ChainError, match="bad: reverted: revert data 0x0000"):
            sender.settle(timeout_s=30)
        for _ in range(3):
            assert not sender.step().moved or sender.halted()
        assert found(sender, "bad").state is OutboxState.FAILED
        mined = node.chain.nonce(WALLET.address)
        sender.step()
        assert node.chain.nonce(WALLET.address) == mined
        sender.outbox.requeue(found(sender, "bad").position, reason="a person said so")
        assert not sender.halted()


def test_what_would_revert_is_not_sent(node: Node, tmp_path: Path) -> None:
    with sending(node.chain, MemoryOutbox(), tmp_path) as sender:
        where = contract_on(sender)
        sender.submit(Intent(key="bad", to=where))
        with pytest.raises(ChainError, match="bad: reverted"):
            sender.settle(timeout_s=30)
        assert found(sender, "bad").nonce is None
    assert node.chain.nonce(WALLET.address) == 1


def test_without_halt_the_others_go_on(node: Node, tmp_path: Path) -> None:
    settings = replace(NOW, halt=False)
    with sending(node.chain, MemoryOutbox(), tmp_path, settings=settings) as sender:
        where = contract_on(sender)
        sender.submit(Intent(key="bad", to=where, gas=60_000))
        sender.submit(Intent(key="good", to=where, data=word(1)))
        sender.settle(timeout_s=30)
        assert found(sender, "bad").state is OutboxState.FAILED
        assert found(sender, "good").state is OutboxState.FINAL


def test_a_nonce_that_went_elsewhere_is_replaced(node: Node, tmp_path: Path) -> None:
    outbox = sql_outbox(tmp_path / "run")
    outbox.add(payment(1))
    stolen = WALLET.sign(
        payment(9, wei=50),
        chain_id=node.chain.chain_id,
        nonce=0,
        gas=21_000,
        fees=node.chain.fees(),
        height=0,
    )
    ours = WALLET.sign(
        payment(1),
        chain_id=node.chain.chain_id,
        nonce=0,
        gas=21_000,
        fees=node.chain.fees(),
        height=0,
    )
    outbox.sign(1, chain_id=node.chain.chain_id, sender=WALLET.address, nonce=0, attempt=ours)
    node.chain.send_raw(stolen.raw)
    with sending(node.chain, outbox, tmp_path) as sender:
        sender.settle(timeout_s=30)
        assert found(sender, "payment/1").nonce == 1
    assert node.chain.balance(PAYEE) == 51


def test_no_coins_is_said_and_healed(node: Node, tmp_path: Path) -> None:
    with sending(node.chain, MemoryOutbox(), tmp_path) as sender:
        sender.submit(payment(1, wei=1000 * ETHER))
        for _ in range(4):
            sender.step()
        row = found(sender, "payment/1")
        assert row.state is OutboxState.SIGNED
        assert row.reason
        node.fund(WALLET.address, 2000 * ETHER)
        sender.settle(timeout_s=30)
    assert node.chain.balance(PAYEE) == 1000 * ETHER


def _second(folder: str, answers: multiprocessing.Queue[str]) -> None:
    try:
        with EmbeddedChain() as chain, sending(chain, MemoryOutbox(), Path(folder)):
            answers.put("sends too")
    except ChainError as error:
        answers.put(str(error))


def test_a_second_process_with_the_key_exits(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    answers: multiprocessing.Queue[str] = context.Queue()
    with EmbeddedChain() as chain, sending(chain, MemoryOutbox(), tmp_path):
        other = context.Process(target=_second, args=(str(tmp_path), answers))
        other.start()
        assert "another process that sends with it" in answers.get(timeout=60)
        other.join()
        with pytest.raises(ChainError, match="needs one sender"):
            sending(chain, MemoryOutbox(), tmp_path).__enter__()
    with EmbeddedChain() as chain, sending(chain, MemoryOutbox(), tmp_path):
        pass


def test_another_chain_is_refused_before_anything_is_signed(tmp_path: Path) -> None:
    with EmbeddedChain() as chain:
        sender = Sender(chain, wallet=WALLET, outbox=MemoryOutbox(), locks=tmp_path, chain_id=1)
        sender.submit(payment(1))
        with pytest.raises(ChainError, match="needs the chain 1; got the chain"):
            sender.step()
        assert found(sender, "payment/1").state is OutboxState.QUEUED
        sender.close()


@pytest.mark.parametrize(
    "change", [{"confirmations": -1}, {"stuck_blocks": 0}, {"window": 0}, {"fee_cap": 0}]
)
def test_settings_out_of_range_are_refused(change: dict[str, int]) -> None:
    with pytest.raises(ConfigError):
        SenderSettings(**change)  # type: ignore[arg-type]
