"""Who may call what, by hand, and a chain on which each call could succeed."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import Any

from eth_account import Account
from eth_tester.exceptions import TransactionFailed
from web3.contract import Contract

from contract_chain import CID, DAY, TOKEN, Chain, Key, Leaf, tree
from parity_flwr.chain_bridge.contracts import ContractName, identity_for
from parity_flwr.core.abi import keccak256

OWNED = {"transferOwnership": "owner", "acceptOwnership": "pending owner"}
GOVERNED = {**OWNED, "renounceOwnership": "nobody", "pause": "owner", "unpause": "owner"}

MAY: dict[ContractName, dict[str, str]] = {
    "ParityToken": {
        **OWNED,
        "renounceOwnership": "owner",
        "mint": "owner",
        "transfer": "anyone",
        "approve": "anyone",
        "transferFrom": "anyone",
        "permit": "anyone",
    },
    "RoundLedger": {
        **GOVERNED,
        "recordRound": "publisher",
        "dispute": "anyone",
        "resolve": "owner",
        "disable": "owner",
        "setPublisher": "owner",
    },
    "Rewards": {**GOVERNED, "fund": "anyone", "claim": "anyone"},
    "ReputationRegistry": {
        **GOVERNED,
        "register": "anyone",
        "deposit": "anyone",
        "unbond": "wallet",
        "withdraw": "wallet",
        "retire": "wallet",
        "slash": "slasher",
        "reverseSlash": "owner",
        "settle": "anyone",
        "ban": "slasher",
        "appeal": "wallet",
        "decideBan": "owner",
        "closeBan": "anyone",
        "anchor": "anyone",
        "setSlasher": "owner",
    },
}
"""For each function that changes state, the one role that may call it."""

AUTHORITY = (
    "OwnableUnauthorizedAccount(address)",
    "RoundLedgerNotPublisher(address)",
    "ReputationRegistryNotSlasher(address)",
    "ReputationRegistryNotWallet(address)",
    "GovernedNoRenounce()",
)
"""The refusals that are about who calls."""

SELECTORS = {keccak256(text.encode())[:4] for text in AUTHORITY}


def outcome(call: Any, sender: str) -> str:
    """Say what a call from any address does now: "done", "refused" or "reverted"."""
    try:
        call.call({"from": sender, "gas": 3_000_000})
    except TransactionFailed as failed:
        _, _, data = str(failed).partition("execution reverted: ")
        selector = ast.literal_eval(data)[:4] if data.startswith("b") else b""
        return "refused" if selector in SELECTORS else "reverted"
    return "done"


@dataclass
class Stage:
    """Contracts in use: every role is held, every function has something to work on."""

    chain: Chain = field(default_factory=Chain)
    roles: dict[str, str] = field(init=False)
    outsiders: dict[str, str] = field(init=False)
    calls: dict[ContractName, dict[str, tuple[Any, ...]]] = field(init=False)

    def __post_init__(self) -> None:
        names = ("former admin", "owner", "publisher", "slasher", "pending owner", "wallet",
                 "client", "second client", "stranger")  # fmt: skip
        people: dict[str, str] = dict(zip(names, self.chain.accounts, strict=False))
        contract, zero = self.chain.token.address, "0x" + "00" * 20
        everybody = {**people, "contract": contract, "zero address": zero}
        self.roles = {"anyone": people["stranger"], **people}
        self.outsiders = {
            name: everybody[name]
            for name in ("stranger", "client", "former admin", "contract", "zero address")
        }
        self._give_tokens()
        self._fill(people)

    def contract(self, name: ContractName) -> Contract:
        """Return the deployed contract of this name."""
        deployed: dict[ContractName, Contract] = {
            "ParityToken": self.chain.token,
            "RoundLedger": self.chain.ledger,
            "Rewards": self.chain.rewards,
            "ReputationRegistry": self.chain.registry,
        }
        return deployed[name]

    def call(self, name: ContractName, function: str) -> Any:
        """Return the call of this function, ready to be sent by anybody."""
        return self.contract(name).functions[function](*self.calls[name].get(function, ()))

    def _give_tokens(self) -> None:
        chain = self.chain
        spenders: list[str] = [
            each.address for each in (chain.ledger, chain.rewards, chain.registry)
        ]
        spenders.append(chain.accounts[8])
        for who in chain.accounts:
            chain.send(chain.token.functions.mint(who, 10**4 * TOKEN))
            for spender in spenders:
                chain.send(chain.token.functions.approve(spender, 10**4 * TOKEN), sender=who)
        for who in (chain.token.address, self.outsiders["zero address"]):
            chain.pay(who, 10**20)

    def _register(self, person: int) -> bytes:
        chain = self.chain
        functions = chain.registry.functions
        wallet, node = chain.accounts[person], keccak256(b"node key %d" % person)
        arguments = self._registration(wallet, node, person=person)
        chain.send(functions.register(*arguments))
        identity = identity_for(node, wallet=wallet)
        chain.send(functions.deposit(identity, 100 * TOKEN))
        return identity

    def _registration(self, wallet: str, node: bytes, *, person: int) -> tuple[Any, ...]:
        deadline = self.chain.now() + 365 * DAY
        digest = self.chain.registry.functions.consentDigest(node, wallet, deadline).call()
        backend: Any = self.chain.tester.backend
        key = backend.account_keys[person]
        return (
            node,
            wallet,
            deadline,
            Account.unsafe_sign_hash(digest, key).signature,
            bytes(64),
        )

    def _round(self, *identities: bytes) -> tuple[Key, Leaf, tuple[bytes, ...], bytes]:
        rows = [(each, self.chain.accounts[5], 700_000_000, TOKEN) for each in identities]
        key, _ = self.chain.record(rows)
        made = tree(rows)
        return key, rows[0], made.proof(0), made.root

    def _fill(self, people: dict[str, str]) -> None:
        chain, registry = self.chain, self.chain.registry.functions
        chain.send(chain.rewards.functions.fund(100 * TOKEN))
        mine, appealing, old = self._register(5), self._register(6), self._register(7)
        chain.send(registry.unbond(mine, TOKEN), sender=people["wallet"])
        chain.send(registry.ban(old, CID))
        chain.send(registry.slash(old, 1, CID))
        counting = self._round(mine, old)
        chain.wait(31 * DAY)
        chain.send(registry.slash(appealing, 1, CID))
        chain.send(registry.ban(mine, CID))
        held, pending = self._round(mine, old), self._round(old, mine)
        chain.send(chain.ledger.functions.dispute(pending[0], pending[3], CID))
        previous = chain.ledger.functions.stateOf(3).call()
        record = (4, previous, b"m" * 32, b"r" * 32, 0, CID, CID)
        self._hand_over(people)
        stranger, past = people["stranger"], 2**64
        permit = (stranger, stranger, 0, past, 27, b"\x01" * 32, b"\x01" * 32)
        new = self._registration(people["stranger"], b"n" * 32, person=8)
        owned = {"transferOwnership": (stranger,)}
        self.calls = {
            "ParityToken": {
                **owned, "mint": (stranger, 1), "transfer": (stranger, 0),
                "approve": (stranger, 1), "transferFrom": (people["owner"], stranger, 0),
                "permit": permit,
            },
            "RoundLedger": {
                **owned, "recordRound": (record,), "dispute": (held[0], held[3], CID),
                "resolve": (3, True), "disable": (held[0], held[3]),
                "setPublisher": (stranger,),
            },
            "Rewards": {**owned, "fund": (1,), "claim": counting[:3]},
            "ReputationRegistry": {
                **owned, "register": new, "deposit": (mine, 1), "unbond": (mine, 1),
                "withdraw": (mine,), "retire": (mine,), "slash": (mine, 1, CID),
                "reverseSlash": (appealing,), "settle": (old,), "ban": (appealing, CID),
                "appeal": (mine, CID), "decideBan": (mine, True), "closeBan": (old,),
                "anchor": counting[:3], "setSlasher": (stranger,),
            },
        }  # fmt: skip

    def _hand_over(self, people: dict[str, str]) -> None:
        chain = self.chain
        for contract in (chain.token, chain.ledger, chain.rewards, chain.registry):
            chain.send(contract.functions.transferOwnership(people["owner"]))
            chain.send(contract.functions.acceptOwnership(), sender=people["owner"])
            hand = contract.functions.transferOwnership(people["pending owner"])
            chain.send(hand, sender=people["owner"])
        publisher = chain.ledger.functions.setPublisher(people["publisher"])
        chain.send(publisher, sender=people["owner"])
        slasher = chain.registry.functions.setSlasher(people["slasher"])
        chain.send(slasher, sender=people["owner"])
