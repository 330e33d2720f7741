"""A federation's rounds settled through the real contracts, and compared with the books."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from parity_flwr.app.economy.books import Books
from parity_flwr.app.economy.market import Market
from parity_flwr.app.economy.own_chain import APPEAL_S, OwnChain
from parity_flwr.chain_bridge import membership
from parity_flwr.chain_bridge.membership import RoundKey
from parity_flwr.chain_bridge.rounds import RoundAnchor
from parity_flwr.core.canonical import dumps
from parity_flwr.core.economy.evidence import Offence, evidence_hash
from parity_flwr.core.economy.reward_tree import RewardLeaf, RewardTree, reward_tree
from parity_flwr.core.economy.settlement import Settlement
from parity_flwr.core.records import RoundRecord
from parity_flwr.errors import RunError

CLAIM_EVERY = 50
"""Rounds between two claims; a claim pays all rounds so far."""

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
        self._own = OwnChain(
            pool=market.pool * market.rounds,
            stakes=market.stake * len(names),
            base_penalty=market.base_penalty,
        )
        self._members = {name: self._own.join(stake=market.stake) for name in names}
        self._anchored: _Anchored | None = None

    def settle(self, record: RoundRecord, settlement: Settlement, books: Books) -> None:
        """Slash by the reputation before the round, then record the round's rewards."""
        for each in settlement.slashes:
            self._slash(each.offence)
        tree = reward_tree(books.state.rewards, record.state, self._members)
        self._anchored = _Anchored(key=self._own.record(_anchor(record, tree)), tree=tree)
        if record.round % CLAIM_EVERY == 0:
            self._claim()

    def anchor(self, name: str) -> None:
        """Let a penalty count the reputation of the newest recorded round."""
        if self._anchored is None:
            return
        leaf, proof = self._anchored.tree.find(name)
        made = self._own.deployment
        self._own.send(
            membership.anchor_intent(self._anchored.key, leaf, proof, deployment=made)
        )

    def penalty(self, name: str, severity: int) -> int:
        """Return what the registry would slash now, base units."""
        identity = self._members[name].identity
        return int(self._own.ask("ReputationRegistry", "penalty", identity, severity))

    def finish(self, books: Books) -> dict[str, Any]:
        """Pay everybody, pass the appeal window, and compare every amount with the books."""
        self._claim()
        slashed = {name: books.slashed(name) for name in self._members if books.slashed(name)}
        for name, amount in slashed.items():
            _require(f"what is held of {name}", self._kept(name, "held"), amount)
        self._own.chain.advance(APPEAL_S + 1)
        for name in slashed:
            identity = (self._members[name].identity,)
            self._own.do("settle", "ReputationRegistry", identity, key=f"settle/{name}")
        self._compare(books)
        head = self._own.chain.block("latest")
        return {
            "transactions": self._own.sent,
            "blocks": 0 if head is None else head.number,
            "paid": str(books.state.rewards.total),
            "slashed": str(sum(slashed.values())),
            "left_in_pool": str(self._pool()),
        }

    def close(self) -> None:
        """Stop the chain."""
        self._own.close()

    def _compare(self, books: Books) -> None:
        for name, member in self._members.items():
            balance = self._own.ask("ParityToken", "balanceOf", member.account)
            _require(f"the balance of {name}", balance, books.earned(name))
            _require(f"the stake of {name}", self._kept(name, "stake"), books.stakes[name])
        slashed = sum(books.slashed(name) for name in self._members)
        carried = books.state.rewards.carried
        _require("what is left in the pool", self._pool(), carried + slashed)
        paid = self._own.ask("Rewards", "totalClaimed")
        _require("what was paid", paid, books.state.rewards.total)

    def _kept(self, name: str, field: str) -> int:
        return int(self._own.identity(self._members[name])[field])

    def _pool(self) -> int:
        funded = int(self._own.ask("Rewards", "funded"))
        return funded - int(self._own.ask("Rewards", "totalClaimed"))

    def _slash(self, offence: Offence) -> None:
        self.anchor(offence.identity)
        self._own.send(
            membership.slash_intent(
                self._members[offence.identity],
                round=offence.round,
                severity=offence.severity,
                evidence_cid=_RAW_CID + bytes.fromhex(evidence_hash(offence)),
                deployment=self._own.deployment,
            )
        )

    def _claim(self) -> None:
        if self._anchored is None:
            return
        key, tree, made = self._anchored.key, self._anchored.tree, self._own.deployment
        for leaf in tree.leaves:
            if leaf.cumulative > self._claimed(leaf):
                _, proof = tree.find(leaf.name)
                self._own.send(membership.claim_intent(key, leaf, proof, deployment=made))

    def _claimed(self, leaf: RewardLeaf) -> int:
        return int(self._own.ask("Rewards", "claimed", leaf.member.identity))


def _anchor(record: RoundRecord, tree: RewardTree) -> RoundAnchor:
    scores = tuple((leaf.name, leaf.reputation, leaf.cumulative) for leaf in tree.leaves)
    model_hash = bytes.fromhex(record.model_hash)
    return RoundAnchor(
        round=record.round,
        model_hash=model_hash,
        reward_root=tree.root,
        total=tree.total,
        model_cid=_RAW_CID + model_hash,
        scores_cid=_RAW_CID + hashlib.sha256(dumps(scores)).digest(),
    )


def _require(what: str, came: int, needed: int) -> None:
    if came != needed:
        raise RunError(
            f"{what} on the chain needs to be the books' {needed}",
            came=str(came),
            action="report this as a bug",
        )
