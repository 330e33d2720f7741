"""What tests of the bridge share: chains, journals, wallets and a contract by hand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Protocol

import pytest

from anvil_node import Anvil, find_anvil
from journal_records import header, journal_in
from parity_flwr.app.journal import SqlJournal
from parity_flwr.app.journal.log_index import SqlLogIndex
from parity_flwr.app.journal.outbox import SqlOutbox
from parity_flwr.chain_bridge.chain import Chain
from parity_flwr.chain_bridge.embedded import EmbeddedChain
from parity_flwr.chain_bridge.sender import Sender
from parity_flwr.chain_bridge.sender_settings import SenderSettings
from parity_flwr.chain_bridge.wallet import Wallet
from parity_flwr.core.anchoring import Intent
from parity_flwr.core.protocols import Outbox

ETHER = 10**18
NOW = SenderSettings(confirmations=0)
PAYEE = "0x00000000000000000000000000000000000000Aa"

# Runtime: log1(calldata[0:32], topic = caller), revert with the word 7 if it is 0.
#   CALLDATASIZE PUSH0 PUSH0 CALLDATACOPY PUSH0 MLOAD PUSH1 14 JUMPI
#   PUSH1 7 PUSH0 MSTORE PUSH1 32 PUSH0 REVERT JUMPDEST CALLER PUSH1 32 PUSH0 LOG1 STOP
RUNTIME = bytes.fromhex("365f5f375f51601157" + "60075f52" + "60205ffd" + "5b3360205fa100")
INITCODE = bytes.fromhex(f"60{len(RUNTIME):02x}600a5f3960{len(RUNTIME):02x}5ff3") + b"\0" + RUNTIME


class Funds(Protocol):
    """A chain of the tests that can give coins away."""

    chain: Chain

    def fund(self, address: str, wei: int) -> None:
        """Give an account coins."""
        ...
