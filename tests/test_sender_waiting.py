"""Waiting for blocks: paying more, up to a cap, and believing only what stays."""

from __future__ import annotations

from pathlib import Path

from anvil_node import Anvil
from chain_cases import ETHER, PAYEE, WALLET, found, payment, sending, sql_outbox
from parity_flwr.chain_bridge.memory_outbox import MemoryOutbox
from parity_flwr.chain_bridge.sender_settings import GWEI, SenderSettings
from parity_flwr.core.anchoring import OutboxState


def test_a_stuck_transaction_is_replaced_under_the_cap(anvil: Anvil, tmp_path: Path) -> None:
    anvil.fund(WALLET.address, ETHER)
    chain = anvil.chain()
    chain.request("evm_setAutomine", False)
    settings = SenderSettings(confirmations=0, stuck_blocks=2, fee_cap=100 * GWEI)
    outbox = sql_outbox(tmp_path / "run")
    with sending(chain, outbox, tmp_path, settings=settings) as sender:
        sender.submit(payment(1))
        sender.submit(payment(2))
        for _ in range(3):
            sender.step()
        # Blocks pass without it: the next base fee is more than it offers.
        for _ in range(2):
            chain.request("anvil_setNextBlockBaseFeePerGas", hex(40 * GWEI))
            anvil.mine(1)
        for _ in range(3):
            sender.step()
        first, second = found(sender, "payment/1"), found(sender, "payment/2")
        assert len(first.attempts) == 2
        assert len(second.attempts) == 1
        old, new = first.attempts
        assert 8 * new.max_fee >= 9 * old.max_fee
        assert 8 * new.priority_fee >= 9 * old.priority_fee
        assert new.max_fee <= settings.fee_cap
        chain.request("evm_setAutomine", True)
        anvil.mine(1)
        sender.settle(timeout_s=30)
        assert found(sender, "payment/1").tx_hash == new.tx_hash
    assert chain.balance(PAYEE) == 2


def test_fees_never_pass_the_cap(anvil: Anvil, tmp_path: Path) -> None:
    anvil.fund(WALLET.address, ETHER)
    chain = anvil.chain()
    settings = SenderSettings(confirmations=0, stuck_blocks=1, fee_cap=2 * GWEI)
    chain.request("anvil_setNextBlockBaseFeePerGas", hex(200 * GWEI))
    anvil.mine(1)
    chain.request("evm_setAutomine", False)
    with sending(chain, MemoryOutbox(), tmp_path, settings=settings) as sender:
        sender.submit(payment(1))
        for _ in range(6):
            sender.step()
            chain.request("anvil_setNextBlockBaseFeePerGas", hex(200 * GWEI))
            anvil.mine(1)
        row = found(sender, "payment/1")
        assert row.state in {OutboxState.SIGNED, OutboxState.SENT}
        assert max(attempt.max_fee for attempt in row.attempts) <= 2 * GWEI
    assert chain.balance(PAYEE) == 0


def test_a_pool_that_forgot_is_told_again(anvil: Anvil, tmp_path: Path) -> None:
    anvil.fund(WALLET.address, ETHER)
    chain = anvil.chain()
    chain.request("evm_setAutomine", False)
    with sending(chain, MemoryOutbox(), tmp_path) as sender:
        sender.submit(payment(1))
        sender.step()
        sender.step()
        row = found(sender, "payment/1")
        assert row.state is OutboxState.SENT
        chain.request("anvil_dropTransaction", "0x" + row.attempts[0].tx_hash.hex())
        chain.request("evm_setAutomine", True)
        sender.settle(timeout_s=30)
    assert chain.balance(PAYEE) == 1


def test_confirmations_are_waited_for(anvil: Anvil, tmp_path: Path) -> None:
    anvil.fund(WALLET.address, ETHER)
    chain = anvil.chain()
    settings = SenderSettings(confirmations=3)
    with sending(chain, MemoryOutbox(), tmp_path, settings=settings) as sender:
        sender.submit(payment(1))
        states = []
        for _ in range(4):
            while sender.step().moved or found(sender, "payment/1").state is OutboxState.SENT:
                pass  # anvil mines a moment after it answers
            states.append(found(sender, "payment/1").state)
            anvil.mine(1)
        assert states[:3] == [OutboxState.MINED] * 3
        assert states[3] is OutboxState.FINAL


def test_the_chains_own_tag_can_decide(anvil: Anvil, tmp_path: Path) -> None:
    anvil.fund(WALLET.address, ETHER)
    chain = anvil.chain()
    final = chain.block("finalized")
    assert final is not None
    settings = SenderSettings(confirmations=None)
    with sending(chain, MemoryOutbox(), tmp_path, settings=settings) as sender:
        sender.submit(payment(1))
        while sender.step().moved or found(sender, "payment/1").state is OutboxState.SENT:
            pass
        row = found(sender, "payment/1")
        assert row.state is OutboxState.MINED
        anvil.mine(64)
        sender.settle(timeout_s=30)
        final = chain.block("finalized")
        assert final is not None
        assert row.block_number is not None
        assert final.number >= row.block_number
