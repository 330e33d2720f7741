"""What tests of the bridge share: chains, wallets, outboxes and a contract by hand."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from anvil_node import Anvil
from journal_records import header, journal_in
from parity_flwr.app.journal import SqlJournal
from parity_flwr.app.journal.log_index import SqlLogIndex
from parity_flwr.app.journal.outbox import SqlOutbox
from parity_flwr.chain_bridge.chain import Chain
from parity_flwr.chain_bridge.embedded import EmbeddedChain
from parity_flwr.chain_bridge.sender import Sender
from parity_flwr.chain_bridge.sender_settings import SenderSettings
from parity_flwr.chain_bridge.serving import serve
from parity_flwr.chain_bridge.signing_rows import Premise
from parity_flwr.chain_bridge.wallet import Wallet
from parity_flwr.core.anchoring import Intent, OutboxRow
from parity_flwr.core.protocols import Outbox

ETHER = 10**18
NOW = SenderSettings(confirmations=0)
PAYEE = "0x00000000000000000000000000000000000000AA"
WALLET = Wallet(bytes(range(1, 33)))

# if calldata[0:32]: log1(calldata, topic = caller), else: revert with the word 7
#   CALLDATASIZE PUSH0 PUSH0 CALLDATACOPY  PUSH0 MLOAD PUSH1 17 JUMPI
#   PUSH1 7 PUSH0 MSTORE  PUSH1 32 PUSH0 REVERT
#   JUMPDEST CALLER PUSH1 32 PUSH0 LOG1 STOP
RUNTIME = bytes.fromhex("365f5f375f5160115760075f5260205ffd5b3360205fa100")
INITCODE = bytes.fromhex(f"60{len(RUNTIME):02x}600a5f3960{len(RUNTIME):02x}5ff3") + RUNTIME


@dataclass
class Node:
    """A chain of the tests, with the powers that only tests have."""

    chain: Chain
    anvil: Anvil | None = None
    behind: EmbeddedChain | None = None  # what a server in this process answers for

    def fund(self, address: str, wei: int = 100 * ETHER) -> None:
        """Give an account coins."""
        if self.anvil is not None:
            self.anvil.fund(address, wei)
        else:
            self._embedded().fund(address, wei)

    def pass_time(self, seconds: int) -> None:
        """Let time pass, and a block with it."""
        if self.anvil is not None:
            self.anvil.chain().request("evm_increaseTime", seconds)
            self.anvil.mine(1)
        else:
            self._embedded().advance(seconds)

    def _embedded(self) -> EmbeddedChain:
        found = self.behind or self.chain
        assert isinstance(found, EmbeddedChain)
        return found


@contextmanager
def served(chain: EmbeddedChain) -> Iterator[str]:
    """Serve the embedded chain as JSON-RPC; give the URL."""
    with serve(chain, port=0) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def word(number: int) -> bytes:
    """Return 32 bytes."""
    return number.to_bytes(32, "big")


def payment(number: int, *, wei: int = 1) -> Intent:
    """Return a wish to pay; two of one number are one wish."""
    return Intent(key=f"payment/{number}", to=PAYEE, value=wei, gas=21_000)


def begun(path: Path) -> SqlJournal:
    """Return a journal of a run that has begun."""
    journal = journal_in(path)
    if journal.begin(header(10_000)) is None:
        return journal
    return journal


def sql_outbox(path: Path) -> SqlOutbox:
    """Return the outbox of a run in ``path``."""
    journal = begun(path)
    return SqlOutbox(journal.database, journal.run_id)


def sql_index(path: Path) -> SqlLogIndex:
    """Return the index of a run in ``path``."""
    journal = begun(path)
    return SqlLogIndex(journal.database, journal.run_id)


@contextmanager
def sending(
    chain: Chain,
    outbox: Outbox,
    locks: Path,
    *,
    settings: SenderSettings = NOW,
    wallet: Wallet = WALLET,
    premise: Premise | None = None,
) -> Iterator[Sender]:
    """Give a sender, and its key back afterwards."""
    sender = Sender(
        chain,
        wallet=wallet,
        outbox=outbox,
        locks=locks,
        chain_id=chain.chain_id,
        settings=settings,
        premise=premise,
    )
    try:
        yield sender
    finally:
        sender.close()


def contract_on(sender: Sender) -> str:
    """Deploy the contract by hand; return its address."""
    sender.submit(Intent(key="contract", to=None, data=INITCODE))
    sender.settle(timeout_s=30)
    return found(sender, "contract").created or ""


def found(sender: Sender, key: str) -> OutboxRow:
    """Return a row that has to be there."""
    row = sender.outbox.find(key)
    assert row is not None
    return row


def funded_node(request: pytest.FixtureRequest) -> Iterator[Node]:
    """Yield the chain that a parametrised fixture asks for, with a funded wallet."""
    if request.param == "anvil":
        server: Anvil = request.getfixturevalue("anvil")
        chosen = Node(server.chain(), server)
        chosen.fund(WALLET.address)
        yield chosen
        return
    with EmbeddedChain() as chain:
        chosen = Node(chain)
        chosen.fund(WALLET.address)
        yield chosen
