"""Cumulative rewards as a Merkle tree against which accounts claim (P-18, P-28)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from parity_flwr.core.abi import checksum_address
from parity_flwr.core.economy.rewards import RewardState
from parity_flwr.core.merkle import MerkleTree
from parity_flwr.errors import ConfigError

REWARD_TYPES = ("address", "uint256")
"""The ABI types of a leaf: the account and all that it has earned so far, base units."""

NO_REWARDS = bytes(32)
"""The root of a run in which no account has earned anything: no claim verifies against it."""


@dataclass(frozen=True)
class RewardTree:
    """The tree over (account, cumulative amount), one row per account, sorted by account."""

    rows: tuple[tuple[str, int], ...]
    tree: MerkleTree | None

    @property
    def root(self) -> bytes:
        """32 bytes; :data:`NO_REWARDS` without rows."""
        return NO_REWARDS if self.tree is None else self.tree.root

    def amount(self, account: str) -> int:
        """Return what an account has earned so far, base units; 0 if it has no row."""
        return dict(self.rows).get(_checksum(account), 0)

    def proof(self, account: str) -> tuple[bytes, ...]:
        """Return the siblings that prove the account's row.

        Raises
        ------
        ConfigError
            If the account has no row: it has earned nothing.
        """
        wanted = _checksum(account)
        for index, (each, _) in enumerate(self.rows):
            if each == wanted and self.tree is not None:
                return self.tree.proof(index)
        raise ConfigError(
            "a proof needs an account that has earned something",
            came=wanted,
            action="check the account and the round",
        )


def reward_tree(state: RewardState, accounts: Mapping[str, str]) -> RewardTree:
    """Return the tree of all rewards so far.

    *Decided*: identities that share an account are added up, because the contract pays the
    one cumulative amount of an account; what an identity without an account earned stays in
    the state and gets its row when it has one.

    Parameters
    ----------
    state : RewardState
        Cumulative rewards by identity.
    accounts : Mapping[str, str]
        Each identity's address, "0x" and 40 hex digits.

    Raises
    ------
    ConfigError
        If an address is malformed.
    """
    amounts: dict[str, int] = {}
    for identity, amount in state.earned.items():
        if amount and identity in accounts:
            account = _checksum(accounts[identity])
            amounts[account] = amounts.get(account, 0) + amount
    # By number, not by letter: the checksum's upper case must not move a row.
    rows = tuple(sorted(amounts.items(), key=lambda row: row[0].lower()))
    return RewardTree(rows, MerkleTree.of(rows, types=REWARD_TYPES) if rows else None)


def _checksum(account: str) -> str:
    digits = account.removeprefix("0x") if isinstance(account, str) else ""
    if len(digits) != 40 or not set(digits.lower()) <= set("0123456789abcdef"):
        raise ConfigError(
            "an account needs 0x and 40 hex digits",
            came=ascii(account)[:80],
            action="pass the address of the identity's wallet",
        )
    return checksum_address(digits)
