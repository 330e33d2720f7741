"""A federation's rounds settled through the real contracts, on a chain in this process."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from parity_flwr.app.economy.books import Books
from parity_flwr.app.economy.market import Market
from parity_flwr.chain_bridge import membership
from parity_flwr.chain_bridge.contracts import ContractName, artifact, record_hash
from parity_flwr.chain_bridge.deployment import (
    Deployment,
    DeploymentSettings,
    deploy,
    fund_pool,
)
from parity_flwr.chain_bridge.membership import RoundKey
from parity_flwr.chain_bridge.rounds import RoundAnchor, RoundPremise, round_intent
from parity_flwr.core.anchoring import Intent, OutboxRow
from parity_flwr.core.canonical import dumps
from parity_flwr.core.economy.offences import Offence, evidence_hash
from parity_flwr.core.economy.reward_tree import Member, RewardTree, reward_tree
from parity_flwr.core.economy.settlement import Settlement
from parity_flwr.core.records import RoundRecord
from parity_flwr.core.signatures import Ed25519Signer
from parity_flwr.errors import RunError

if TYPE_CHECKING:
    from parity_flwr.chain_bridge.embedded import EmbeddedChain
    from parity_flwr.chain_bridge.sender import Sender

CLAIM_EVERY = 50
_ETHER = 10**18
_TIMEOUT_S = 120.0
_CONSENT_S = 86_400
_RAW_CID = bytes.fromhex("01551220")  # CIDv1, raw leaf, SHA-256 of 32 bytes


def chain_settler(names: Sequence[str], market: Market) -> ChainSettler:
    """Return a settler with contracts of its own, everybody registered and staked."""
    return ChainSettler(names, market)


@dataclass(frozen=True, kw_only=True)
class _Anchored:
    """The newest round on the chain."""

    key: RoundKey
    tree: RewardTree


class ChainSettler:
    """Records every round, slashes, claims now and then, and compares at the end.

    Parameters
    ----------
    names : sequence of str
        The identities of the federation.
    market : Market
        The pool is funded for all rounds at once; everybody deposits the stake.
    """

    def __init__(self, names: Sequence[str], market: Market) -> None:
        self._market = market
        self._locks = tempfile.TemporaryDirectory(prefix="parity-economy-")
        self._chain = _new_chain()
        self._settings = DeploymentSettings(
            delay_s=0, unbonding_s=30, appeal_s=30, base_penalty=market.base_penalty
        )
        self._sent = 0
        self._anchored: _Anchored | None = None
        self._deployment = self._deploy()
        self._sender = self._new_sender(self._deployment)
        self._buy_stakes(len(names))
        self._members = {name: self._join(name) for name in names}

    def settle(self, record: RoundRecord, settlement: Settlement, books: Books) -> None:
        """Slash by the reputation before the round, then record the round's rewards."""
        for each in settlement.slashes:
            self._slash(each.offence)
        tree = reward_tree(books.state.rewards, record.state, self._members)
        self._anchored = self._record(record, tree)
        if record.round % CLAIM_EVERY == 0:
            self._claim()

    def finish(self, books: Books) -> dict[str, Any]:
        """Pay everybody, pass the appeal window, and compare every amount with the books."""
        self._claim()
        slashed = {name: books.slashed(name) for name in self._members if books.slashed(name)}
        for name, amount in slashed.items():
            kept = self._identity(name)
            _require(f"what is held of {name}", kept["held"], amount)
        self._chain.advance(self._settings.appeal_s + 1)
        for name in slashed:
            self._do("settle", "ReputationRegistry", (self._members[name].identity,), name)
        self._compare(books)
        head = self._chain.block("latest")
        return {
            "transactions": self._sent,
            "blocks": 0 if head is None else head.number,
            "paid": str(books.state.rewards.total),
            "slashed": str(sum(slashed.values())),
            "left_in_pool": str(self._pool()),
        }

    def close(self) -> None:
        """Stop the chain."""
        self._sender.close()
        self._chain.close()
        self._locks.cleanup()

    def _compare(self, books: Books) -> None:
        for name, member in self._members.items():
            balance = self._ask("ParityToken", "balanceOf", member.account)
            _require(f"the balance of {name}", balance, books.earned(name))
            _require(f"the stake of {name}", self._identity(name)["stake"], books.stakes[name])
        slashed = sum(books.slashed(name) for name in self._members)
        carried = books.state.rewards.carried
        _require("what is left in the pool", self._pool(), carried + slashed)
        paid = self._ask("Rewards", "totalClaimed")
        _require("what was paid", paid, books.state.rewards.total)

    def _pool(self) -> int:
        return int(self._ask("Rewards", "funded")) - int(self._ask("Rewards", "totalClaimed"))

    def _deploy(self) -> Deployment:
        from parity_flwr.chain_bridge.wallet import Wallet

        self._owner = Wallet.generate()
        self._chain.fund(self._owner.address, 10_000 * _ETHER)
        sender = self._new_sender(None)
        made = deploy(sender, self._chain, settings=self._settings, timeout_s=_TIMEOUT_S)
        fund_pool(
            sender,
            made,
            amount=self._market.pool * self._market.rounds,
            key="pool",
            timeout_s=_TIMEOUT_S,
        )
        sender.close()
        return made

    def _new_sender(self, deployment: Deployment | None) -> Sender:
        from parity_flwr.chain_bridge.memory_outbox import MemoryOutbox
        from parity_flwr.chain_bridge.sender import Sender
        from parity_flwr.chain_bridge.sender_settings import SenderSettings

        premise = RoundPremise(self._chain, ledger=deployment.ledger) if deployment else None
        return Sender(
            self._chain,
            wallet=self._owner,
            outbox=MemoryOutbox(),
            locks=Path(self._locks.name),
            chain_id=self._chain.chain_id,
            settings=SenderSettings(confirmations=None),
            premise=premise,
        )

    def _buy_stakes(self, count: int) -> None:
        made, amount = self._deployment, count * self._market.stake
        self._do("mint", "ParityToken", (made.owner, amount), "stakes")
        spend = membership.approve_intent(
            made.registry, amount=amount, deployment=made, key="approve/stakes"
        )
        self._send(spend)

    def _join(self, name: str) -> Member:
        """Register a participant with keys of its own, and deposit its stake for it."""
        from parity_flwr.chain_bridge.wallet import Wallet

        made, stake = self._deployment, self._market.stake
        member, intent = membership.register_intent(
            Wallet.generate(),
            Ed25519Signer.generate(),
            deployment=made,
            deadline=int(time.time()) + _CONSENT_S,
        )
        self._send(intent)
        if stake:
            deposit = membership.deposit_intent(
                member, amount=stake, deployment=made, key=f"deposit/{name}"
            )
            self._send(deposit)
        return member

    def _record(self, record: RoundRecord, tree: RewardTree) -> _Anchored:
        scores = tuple((leaf.name, leaf.reputation, leaf.cumulative) for leaf in tree.leaves)
        anchor = RoundAnchor(
            round=record.round,
            model_hash=bytes.fromhex(record.model_hash),
            reward_root=tree.root,
            total=tree.total,
            model_cid=_RAW_CID + bytes.fromhex(record.model_hash),
            scores_cid=_RAW_CID + _digest(dumps(scores)),
        )
        previous = bytes(self._ask("RoundLedger", "stateOf", record.round - 1))
        row = self._send(round_intent(anchor, ledger=self._deployment.ledger))
        block = self._chain.block(row.block_number or 0)
        hashed = record_hash(
            round=anchor.round,
            previous=previous,
            model_hash=anchor.model_hash,
            total=anchor.total,
            model_cid=anchor.model_cid,
            scores_cid=anchor.scores_cid,
        )
        active_at = 0 if block is None else block.timestamp
        return _Anchored(
            key=RoundKey(round=record.round, active_at=active_at, record_hash=hashed), tree=tree
        )

    def _slash(self, offence: Offence) -> None:
        """Let the penalty count the reputation before the round, then slash."""
        if self._anchored is not None:
            leaf, proof = self._anchored.tree.find(offence.identity)
            self._send(
                membership.anchor_intent(
                    self._anchored.key, leaf, proof, deployment=self._deployment
                )
            )
        self._send(
            membership.slash_intent(
                self._members[offence.identity],
                round=offence.round,
                severity=offence.severity,
                evidence_cid=_RAW_CID + bytes.fromhex(evidence_hash(offence)),
                deployment=self._deployment,
            )
        )

    def _claim(self) -> None:
        """Claim for everybody who has something to claim."""
        if self._anchored is None:
            return
        for leaf in self._anchored.tree.leaves:
            if leaf.cumulative > int(self._ask("Rewards", "claimed", leaf.member.identity)):
                _, proof = self._anchored.tree.find(leaf.name)
                self._send(
                    membership.claim_intent(
                        self._anchored.key, leaf, proof, deployment=self._deployment
                    )
                )

    def _identity(self, name: str) -> dict[str, Any]:
        outputs = artifact("ReputationRegistry").entry("function", "get")["outputs"]
        fields = [each["name"] for each in outputs[0]["components"]]
        values = self._ask("ReputationRegistry", "get", self._members[name].identity)
        return dict(zip(fields, values, strict=True))

    def _do(
        self, function: str, contract: ContractName, arguments: tuple[Any, ...], name: str
    ) -> None:
        from parity_flwr.chain_bridge.calls import encode_call

        to = self._where(contract)
        data = encode_call(artifact(contract), function, arguments)
        self._send(Intent(key=f"{function}/{name}", to=to, data=data))

    def _send(self, intent: Intent) -> OutboxRow:
        self._sender.submit(intent)
        self._sender.settle(timeout_s=_TIMEOUT_S)
        self._sent += 1
        row = self._sender.outbox.find(intent.key)
        if row is None or row.block_number is None:
            raise RunError(
                f"{intent.key} needs a block", came="none", action="report this as a bug"
            )
        return row

    def _ask(self, contract: ContractName, function: str, *arguments: Any) -> Any:
        from parity_flwr.chain_bridge.calls import decode_result, encode_call
        from parity_flwr.chain_bridge.chain import Call

        built = artifact(contract)
        call = Call(to=self._where(contract), data=encode_call(built, function, arguments))
        return decode_result(built, function, self._chain.call(call))[0]

    def _where(self, contract: ContractName) -> str:
        made = self._deployment
        places = {
            "ParityToken": made.token,
            "RoundLedger": made.ledger,
            "Rewards": made.rewards,
            "ReputationRegistry": made.registry,
        }
        return places[contract]


def _new_chain() -> EmbeddedChain:
    from parity_flwr.chain_bridge.embedded import EmbeddedChain

    return EmbeddedChain(None)


def _digest(data: bytes) -> bytes:
    import hashlib

    return hashlib.sha256(data).digest()


def _require(what: str, came: object, needed: int) -> None:
    if came != needed:
        raise RunError(
            f"{what} on the chain needs to be the books' {needed}",
            came=str(came),
            action="report this as a bug",
        )
