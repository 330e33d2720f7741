"""The score list of a round: everybody's reputation and rewards, as published and as claimed.

The rows of registered identities are the leaves of the tree whose root goes on chain, so
that whoever has the list can rebuild the root and prove any row of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from parity_flwr.core.economy.amounts import HIGHEST_REPUTATION, MAX_AMOUNT, reputation_units
from parity_flwr.core.economy.reward_tree import Member, RewardLeaf, RewardTree
from parity_flwr.core.records import ReputationState
from parity_flwr.errors import ConfigError

_HEX = frozenset("0123456789abcdef")


@dataclass(frozen=True, kw_only=True)
class ScoreRow:
    """One identity after one round.

    Raises
    ------
    ConfigError
        If member and account are not both there or both empty, one is not written as here,
        or a number is out of range.
    """

    identity: str  # its name in the journal
    member: str = ""  # the registry's name: "0x" and 64 hex digits; empty if not registered
    account: str = ""  # where its rewards go: "0x" and 40 hex digits, EIP-55
    reputation: int  # R (P-12) in millionths of a point, 0 to 1000 points
    cumulative: int = 0  # all that it earned since round 1 (P-28), base units

    def __post_init__(self) -> None:
        if bool(self.member) != bool(self.account):
            raise _refusal("member and account of an identity, or neither", "one of them")
        if self.member and self.account != self._member().account:
            raise _refusal("accounts with an EIP-55 checksum", ascii(self.account)[:60])
        if not (0 <= self.reputation <= HIGHEST_REPUTATION):
            raise _refusal("reputations from 0 to 1000 points", ascii(self.reputation)[:40])
        if not (0 <= self.cumulative <= MAX_AMOUNT):
            raise _refusal("rewards from 0 to 2^128 - 1", ascii(self.cumulative)[:60])

    @property
    def leaf(self) -> RewardLeaf | None:
        """The row as the contracts' leaf; None if the identity is not registered."""
        if not self.member:
            return None
        return RewardLeaf(
            name=self.identity,
            member=self._member(),
            reputation=self.reputation,
            cumulative=self.cumulative,
        )

    def _member(self) -> Member:
        digits = self.member.removeprefix("0x")
        if len(self.member) != 66 or len(digits) != 64 or not _HEX.issuperset(digits):
            raise _refusal("members of 0x and 64 hex digits", ascii(self.member)[:80])
        return Member(identity=bytes.fromhex(digits), account=self.account)


@dataclass(frozen=True, kw_only=True)
class ScoreList:
    """Everybody's reputation and cumulative reward after a round, with the root on chain.

    Raises
    ------
    ConfigError
        If the rows are not sorted by identity, or the root is not theirs.
    """

    run_id: str
    round: int
    rows: tuple[ScoreRow, ...]
    reward_root: str  # "0x" and 64 hex digits; that of no leaves if nobody is registered

    def __post_init__(self) -> None:
        names = [row.identity for row in self.rows]
        if names != sorted(set(names)):
            raise _refusal("one row for each identity, sorted", f"{len(names)} others")
        right = "0x" + self.tree.root.hex()
        if self.reward_root != right:
            raise _refusal(f"the root {right} of its rows", ascii(self.reward_root)[:80])

    @classmethod
    def of(cls, rows: Sequence[ScoreRow], *, run_id: str, round: int) -> ScoreList:
        """Return the list of these rows with its root."""
        root = "0x" + rows_tree(rows).root.hex()
        return cls(run_id=run_id, round=round, rows=tuple(rows), reward_root=root)

    @property
    def tree(self) -> RewardTree:
        """The tree of the registered identities: what the RoundLedger holds the root of."""
        return rows_tree(self.rows)


def rows_tree(rows: Sequence[ScoreRow]) -> RewardTree:
    """Return the tree over the rows that are leaves (P-18)."""
    return RewardTree.of([leaf for row in rows if (leaf := row.leaf) is not None])


def score_rows(
    reputation: ReputationState,
    *,
    earned: Mapping[str, int] | None = None,
    members: Mapping[str, Member] | None = None,
) -> tuple[ScoreRow, ...]:
    """Return a row for every identity with a reputation, sorted by identity.

    Parameters
    ----------
    reputation : ReputationState
        After the round.
    earned : mapping of str to int, optional, keyword-only
        What each identity has earned so far, base units.
    members : mapping of str to Member, optional, keyword-only
        Who is registered.
    """
    earned, members = earned or {}, members or {}
    return tuple(
        _row(name, reputation_units(standing.composite), earned.get(name, 0), members.get(name))
        for name, standing in sorted(reputation.standings.items())
    )


def _row(name: str, reputation: int, cumulative: int, member: Member | None) -> ScoreRow:
    return ScoreRow(
        identity=name,
        member="0x" + member.identity.hex() if member else "",
        account=member.account if member else "",
        reputation=reputation,
        cumulative=cumulative,
    )


def _refusal(needed: str, came: str) -> ConfigError:
    return ConfigError(f"a score list needs {needed}", came=came, action="build it again")
