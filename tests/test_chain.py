"""One interface, two chains: what the embedded one does, a real node does too."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from anvil_node import Anvil
from chain_cases import (
    ETHER,
    INITCODE,
    PAYEE,
    RUNTIME,
    WALLET,
    Node,
    contract_on,
    found,
    payment,
    sending,
    served,
    word,
)
from parity_flwr.chain_bridge.chain import Call, Receipt
from parity_flwr.chain_bridge.embedded import EmbeddedChain
from parity_flwr.chain_bridge.json_rpc import JsonRpcChain
from parity_flwr.chain_bridge.memory_outbox import MemoryOutbox
from parity_flwr.core.anchoring import Attempt, Intent
from parity_flwr.errors import NodeError, RefusedError, RevertError

CREATION_GAS = 21_000 + 32_000 + sum(4 if b == 0 else 16 for b in INITCODE)


@pytest.fixture(params=["embedded", "anvil", "served"])
def node(request: pytest.FixtureRequest) -> Iterator[Node]:
    """Give each of the chains: in this process, a real node, and the first behind JSON-RPC."""
    if request.param == "anvil":
        server: Anvil = request.getfixturevalue("anvil")
        yield Node(server.chain(), server)
    elif request.param == "served":
        with EmbeddedChain() as chain, served(chain) as url:
            yield Node(JsonRpcChain(url), behind=chain)
    else:
        with EmbeddedChain() as chain:
            yield Node(chain)


def signed(node: Node, intent: Intent, *, nonce: int, gas: int = 200_000) -> Attempt:
    return WALLET.sign(
        intent,
        chain_id=node.chain.chain_id,
        nonce=nonce,
        gas=intent.gas or gas,
        fees=node.chain.fees(),
        height=0,
    )


def mined(node: Node, intent: Intent, *, nonce: int) -> Receipt:
    return receipt_of(node, node.chain.send_raw(signed(node, intent, nonce=nonce).raw))


def receipt_of(node: Node, tx_hash: bytes) -> Receipt:
    """Ask until there is a receipt: a real node mines a moment after it answers."""
    for _ in range(5000):
        receipt = node.chain.receipt(tx_hash)
        if receipt is not None:
            return receipt
    raise AssertionError("not mined")


def test_a_payment_arrives(node: Node) -> None:
    node.fund(WALLET.address)
    before = node.chain.block("latest")
    receipt = mined(node, payment(1, wei=5), nonce=0)
    after = node.chain.block("latest")
    assert (receipt.succeeded, receipt.gas_used, receipt.created) == (True, 21_000, None)
    assert node.chain.balance(PAYEE) == 5
    assert node.chain.nonce(WALLET.address) == 1
    assert before is not None
    assert after is not None
    assert (after.number, after.parent_hash) == (before.number + 1, before.hash)
    assert (receipt.block_number, receipt.block_hash) == (after.number, after.hash)
    assert after.transactions == (receipt.tx_hash,)
    assert node.chain.block(after.number) == after
    assert node.chain.block(after.number + 1) is None
    assert node.chain.nonce(WALLET.address, at=before.number) == 0
    assert node.chain.receipt(b"\1" * 32) is None


def test_a_contract_logs_answers_and_refuses(node: Node) -> None:
    node.fund(WALLET.address)
    receipt = mined(node, Intent(key="", to=None, data=INITCODE), nonce=0)
    where = receipt.created
    assert where is not None
    # 200 gas a byte of code, 2 a word of initcode; running initcode costs 22.
    assert receipt.gas_used == CREATION_GAS + 200 * len(RUNTIME) + 2 * 2 + 22
    logged = mined(node, Intent(key="", to=where, data=word(9)), nonce=1)
    (log,) = logged.logs
    assert (log.address, log.data, log.index) == (where, word(9), 0)
    assert log.topics == (bytes(12) + bytes.fromhex(WALLET.address[2:]),)
    assert log.tx_hash == logged.tx_hash
    head = logged.block_number
    assert node.chain.logs([where], first=0, last=head) == (log,)
    assert node.chain.logs([where], block_hash=logged.block_hash) == (log,)
    assert node.chain.logs([where], first=0, last=head - 1) == ()
    assert node.chain.logs([PAYEE], first=0, last=head) == ()
    assert node.chain.call(Call(to=where, data=word(1))) == b""
    estimate = node.chain.estimate(Call(to=where, data=word(9), sender=WALLET.address))
    assert logged.gas_used <= estimate <= 1.02 * logged.gas_used
    for ask in (node.chain.call, node.chain.estimate):
        with pytest.raises(RevertError, match="a call that it accepts") as caught:
            ask(Call(to=where, sender=WALLET.address))
        assert caught.value.data == word(7)
    failed = mined(node, Intent(key="", to=where), nonce=2)
    assert not failed.succeeded
    assert failed.logs == ()


def test_gas_is_equal_on_both_chains(anvil: Anvil) -> None:
    used: list[list[int]] = []
    with EmbeddedChain() as embedded:
        for node in (Node(embedded), Node(anvil.chain(), anvil)):
            node.fund(WALLET.address)
            create = mined(node, Intent(key="", to=None, data=INITCODE), nonce=0)
            calls = [
                mined(node, Intent(key="", to=create.created, data=word(n)), nonce=n + 1)
                for n in range(3)
            ]
            used.append([each.gas_used for each in (create, *calls)])
    assert used[0] == used[1]


@pytest.mark.parametrize(
    ("nonce", "wei", "refusal"),
    [(0, 2, "nonce too low"), (1, 1000 * ETHER, "funds")],
)
def test_a_refusal_says_why(node: Node, nonce: int, wei: int, refusal: str) -> None:
    node.fund(WALLET.address)
    mined(node, payment(1), nonce=0)
    attempt = signed(node, payment(2, wei=wei), nonce=nonce)
    with pytest.raises(RefusedError) as caught:
        node.chain.send_raw(attempt.raw)
    assert caught.value.refusal == refusal
    assert node.chain.receipt(attempt.tx_hash) is None


def test_the_same_bytes_twice_pay_once(node: Node) -> None:
    node.fund(WALLET.address)
    attempt = signed(node, payment(1), nonce=0)
    receipt_of(node, node.chain.send_raw(attempt.raw))
    with pytest.raises(RefusedError) as caught:
        node.chain.send_raw(attempt.raw)
    assert caught.value.refusal in {"known", "nonce too low"}
    assert node.chain.balance(PAYEE) == 1


@pytest.mark.parametrize("raw", [b"", b"\x02", b"\x02\xc0", b"\xff" * 40, b"\x7f" * 3])
def test_what_is_no_transaction_is_refused(node: Node, raw: bytes) -> None:
    with pytest.raises((RefusedError, NodeError)):
        node.chain.send_raw(raw)
    assert node.chain.block("latest") is not None


def test_a_transaction_of_another_chain_is_refused(node: Node) -> None:
    node.fund(WALLET.address)
    attempt = WALLET.sign(
        payment(1), chain_id=5, nonce=0, gas=21_000, fees=node.chain.fees(), height=0
    )
    with pytest.raises(RefusedError):
        node.chain.send_raw(attempt.raw)


def test_a_sender_deploys_and_time_passes(node: Node, tmp_path: Path) -> None:
    node.fund(WALLET.address)
    with sending(node.chain, MemoryOutbox(), tmp_path) as sender:
        where = contract_on(sender)
        assert found(sender, "contract").gas_used
    assert node.chain.call(Call(to=where, data=word(1))) == b""
    before = node.chain.block("latest")
    node.pass_time(1000)
    after = node.chain.block("latest")
    assert before is not None
    assert after is not None
    assert 1000 <= after.timestamp - before.timestamp <= 1010
