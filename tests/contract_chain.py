"""A deployment of the contracts on an in-process chain, for tests."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from eth_tester import EthereumTester
from eth_tester.backends.pyevm import PyEVMBackend
from eth_utils.address import to_checksum_address
from web3 import EthereumTesterProvider, Web3
from web3.contract import Contract

from parity_flwr.chain_bridge.contracts import (
    LEAF_TYPES,
    ContractName,
    artifact,
    record_hash,
)
from parity_flwr.core.abi import keccak256
from parity_flwr.core.merkle import MerkleTree

TOKEN = 10**18
DAY = 86_400
CID = bytes.fromhex("01551220") + bytes(range(32))
CAP = 10**11 * TOKEN
GAS = 16_000_000
"""Given with each transaction: estimating it would run the transaction a dozen times."""

Leaf = tuple[bytes, str, int, int]
Key = tuple[int, int, bytes]


def address(number: int) -> str:
    """Return the number-th address that nobody has a key for."""
    return to_checksum_address(keccak256(b"account %d" % number)[:20])


def leaves(count: int, *, step: int) -> list[Leaf]:
    """Return leaves of so many identities; each earns 25 tokens a step."""
    return [
        (keccak256(b"node %d" % i), address(i), 500_000_000 + step, 25 * TOKEN * step)
        for i in range(1, count + 1)
    ]


def tree(rows: Sequence[Leaf]) -> MerkleTree:
    """Return the tree over these leaves."""
    return MerkleTree.of(rows, types=LEAF_TYPES)


@dataclass
class Chain:
    """The four contracts, deployed by accounts[0], who owns them and publishes."""

    delay: int = 100
    bond: int = 10 * TOKEN
    web3: Web3 = field(init=False)
    tester: EthereumTester = field(init=False)
    accounts: Sequence[str] = field(init=False)
    token: Contract = field(init=False)
    ledger: Contract = field(init=False)
    rewards: Contract = field(init=False)
    registry: Contract = field(init=False)

    def __post_init__(self) -> None:
        self.tester = EthereumTester(PyEVMBackend())
        self.web3 = Web3(EthereumTesterProvider(self.tester))
        self.accounts = self.web3.eth.accounts
        owner = self.accounts[0]
        self.token = self.deploy("ParityToken", owner, CAP)
        self.ledger = self.deploy(
            "RoundLedger", self.token.address, owner, owner, self.delay, self.bond
        )
        self.rewards = self.at("Rewards", self.ledger.functions.rewards().call())
        self.registry = self.deploy(
            "ReputationRegistry",
            self.token.address,
            self.ledger.address,
            owner,
            owner,
            (30 * DAY, 7 * DAY, 100 * TOKEN),
        )

    def pay(self, where: str, wei: int) -> None:
        """Give ether to any address, a contract that takes none included."""
        code = b"\x73" + bytes.fromhex(where[2:]) + b"\xff"
        payment: Any = {"from": self.accounts[9], "data": code, "value": wei, "gas": GAS}
        with warnings.catch_warnings():  # py-evm warns of the opcode that forces ether on it
            warnings.simplefilter("ignore", DeprecationWarning)
            self.web3.eth.send_transaction(payment)

    def at(self, name: ContractName, where: str) -> Contract:
        """Return the contract of this name at an address."""
        return self.web3.eth.contract(
            address=to_checksum_address(where), abi=artifact(name).abi
        )

    def deploy(self, name: ContractName, *arguments: Any) -> Contract:
        """Deploy a contract and return it."""
        built = artifact(name)
        factory = self.web3.eth.contract(abi=built.abi, bytecode=built.bytecode)
        return self.at(name, str(self.send(factory.constructor(*arguments))["contractAddress"]))

    def send(self, call: Any, *, sender: str | None = None) -> Any:
        """Send a transaction that has to succeed and return its receipt."""
        hashed = call.transact({"from": sender or self.accounts[0], "gas": GAS})
        receipt = self.web3.eth.get_transaction_receipt(hashed)
        assert receipt["status"] == 1
        return receipt

    def now(self) -> int:
        """Return the time of the newest block, in seconds since 1970."""
        block: Any = self.web3.eth.get_block("latest")
        return int(block["timestamp"])

    def wait(self, seconds: int) -> None:
        """Let time pass, and a block with it."""
        self.tester.time_travel(self.now() + seconds)
        self.tester.mine_block()

    def fund(self, amount: int) -> None:
        """Put so much into the pool."""
        self.send(self.token.functions.mint(self.accounts[0], amount))
        self.send(self.token.functions.approve(self.rewards.address, amount))
        self.send(self.rewards.functions.fund(amount))

    def record(self, rows: Sequence[Leaf], *, root: bytes | None = None) -> tuple[Key, int]:
        """Record the next round; return its key and the gas that was used."""
        number = self.ledger.functions.nextRound().call()
        previous = self.ledger.functions.stateOf(number - 1).call()
        total = sum(row[3] for row in rows)
        root = root or tree(rows).root
        model = bytes(range(32))
        fields = (number, previous, model, root, total, CID, CID)
        receipt = self.send(self.ledger.functions.recordRound(fields))
        (event,) = self.ledger.events.RoundRecorded().process_receipt(receipt)
        hashed = record_hash(
            round=number,
            previous=previous,
            model_hash=model,
            total=total,
            model_cid=CID,
            scores_cid=CID,
        )
        key = (number, event["args"]["activeAt"], hashed)
        return key, int(receipt["gasUsed"])
