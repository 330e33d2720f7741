"""Reputation and cumulative rewards as the Merkle tree that accounts claim against (P-18)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from parity_flwr.core.abi import checksum_address, keccak256
from parity_flwr.core.economy.amounts import reputation_units
from parity_flwr.core.economy.rewards import RewardState
from parity_flwr.core.merkle import MerkleTree
from parity_flwr.core.records import ReputationState
from parity_flwr.errors import ConfigError

LEAF_TYPES = ("bytes32", "address", "uint256", "uint256")
"""The ABI types of a leaf: identity, account, reputation, cumulative reward."""

NO_LEAVES = keccak256(b"parity-flwr/no-leaves/v1")
"""The root of a round in which no identity is registered: nothing verifies against it."""


@dataclass(frozen=True, kw_only=True)
class Member:
    """How the registry on chain knows an identity."""

    identity: bytes  # 32 bytes: the registry's name, which node key and wallet make
    account: str  # address: where its rewards go

    def __post_init__(self) -> None:
        if not isinstance(self.identity, bytes) or len(self.identity) != 32:
            raise ConfigError(
                "an identity on chain needs 32 bytes",
                came=ascii(self.identity)[:80],
                action="register it first",
            )
        object.__setattr__(self, "account", checked_account(self.account))


@dataclass(frozen=True, kw_only=True)
class RewardLeaf:
    """One identity after a round, as the contract's leaf has it."""

    name: str  # the identity as the journal has it
    member: Member
    reputation: int  # R, millionths of a point
    cumulative: int  # all that it earned since round 1, base units

    @property
    def values(self) -> tuple[bytes, str, int, int]:
        """The values of :data:`LEAF_TYPES`."""
        member = self.member
        return member.identity, member.account, self.reputation, self.cumulative


@dataclass(frozen=True)
class RewardTree:
    """The tree over the leaves, which are sorted by name."""

    leaves: tuple[RewardLeaf, ...]
    tree: MerkleTree | None

    @classmethod
    def of(cls, leaves: Sequence[RewardLeaf]) -> RewardTree:
        """Return the tree over these leaves, sorted by name."""
        rows = [leaf.values for leaf in leaves]
        return cls(tuple(leaves), MerkleTree.of(rows, types=LEAF_TYPES) if rows else None)

    @property
    def root(self) -> bytes:
        """32 bytes; :data:`NO_LEAVES` without leaves."""
        return NO_LEAVES if self.tree is None else self.tree.root

    @property
    def total(self) -> int:
        """The sum of the leaves' cumulative rewards, base units: what must be funded."""
        return sum(leaf.cumulative for leaf in self.leaves)

    def find(self, name: str) -> tuple[RewardLeaf, tuple[bytes, ...]]:
        """Return the leaf of a name and the siblings that prove it.

        Raises
        ------
        ConfigError
            If the identity has no leaf.
        """
        for index, leaf in enumerate(self.leaves):
            if leaf.name == name and self.tree is not None:
                return leaf, self.tree.proof(index)
        raise ConfigError(
            "a proof needs an identity that is registered and was seen in a round",
            came=ascii(name)[:80],
            action="register it, or check the name",
        )


def reward_tree(
    rewards: RewardState, reputation: ReputationState, members: Mapping[str, Member]
) -> RewardTree:
    """Return the tree of a round: everybody's reputation and rewards so far.

    *Decided*: an identity that is not registered has no leaf yet; what it earned stays in
    the state, and its leaf comes with its registration. Two identities may share an account.

    Parameters
    ----------
    rewards : RewardState
        Cumulative rewards by identity.
    reputation : ReputationState
        Reputation after the round.
    members : Mapping[str, Member]
        Who is registered, by the identity's name in the journal.
    """
    leaves = [
        RewardLeaf(
            name=name,
            member=members[name],
            reputation=reputation_units(standing.composite),
            cumulative=rewards.earned.get(name, 0),
        )
        for name, standing in sorted(reputation.standings.items())
        if name in members
    ]
    return RewardTree.of(leaves)


def checked_account(account: str) -> str:
    """Return an address with its EIP-55 checksum; ConfigError if it is none."""
    digits = account.removeprefix("0x") if isinstance(account, str) else ""
    if len(digits) != 40 or not set(digits.lower()) <= set("0123456789abcdef"):
        raise ConfigError(
            "an account needs 0x and 40 hex digits",
            came=ascii(account)[:80],
            action="pass the address of the identity's wallet",
        )
    return checksum_address(digits)
