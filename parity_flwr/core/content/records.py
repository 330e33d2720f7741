"""What a run publishes of a round, as canonical JSON (:mod:`parity_flwr.core.canonical`).

A published round names its model, its scores and the published round before it by CID, so
that the newest CID commits to all that was ever published.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from parity_flwr.core.abi import checksum_address
from parity_flwr.core.merkle import MerkleTree
from parity_flwr.core.records import RoundRecord
from parity_flwr.errors import ConfigError

SCORE_TYPES = ("uint256", "string", "uint256")
"""The ABI types of a score's leaf: index, identity, score."""
REWARD_TYPES = ("address", "uint256")
"""The ABI types of a reward's leaf: account, all that it has earned so far."""
EMPTY_ROOT = "0x" + bytes(32).hex()
"""The root of a tree without leaves: no proof leads to it."""

MAX_SCORE = 1_000_000
_HEX = frozenset("0123456789abcdef")


@dataclass(frozen=True, kw_only=True)
class ScoreRow:
    """One identity after one round.

    Raises
    ------
    ConfigError
        If the account is no address with its EIP-55 checksum, or an amount out of range.
    """

    index: int  # its place in the list: rows are sorted by identity
    identity: str
    account: str = ""  # "0x" and 40 hex digits, EIP-55; empty without a wallet
    score: int  # P-12's composite in millionths of its maximum; see score_of
    reward: int = 0  # cumulative, base units of the token (P-28)

    def __post_init__(self) -> None:
        if self.account and self.account != _checksum(self.account):
            raise _refusal("accounts with an EIP-55 checksum", ascii(self.account)[:60])
        if not (0 <= self.score <= MAX_SCORE and 0 <= self.reward < 1 << 128):
            raise _refusal("scores up to 1000000, rewards below 2^128", ascii(self)[:80])


@dataclass(frozen=True, kw_only=True)
class ScoreList:
    """Everybody's score and cumulative reward after a round, with the two Merkle roots.

    Raises
    ------
    ConfigError
        If the rows are not sorted by identity and counted from 0, or a root is not theirs.
    """

    run_id: str
    round: int
    rows: tuple[ScoreRow, ...]
    scores_root: str  # "0x" and 64 hex digits, over SCORE_TYPES
    rewards_root: str  # over REWARD_TYPES

    def __post_init__(self) -> None:
        names = [row.identity for row in self.rows]
        if names != sorted(set(names)):
            raise _refusal("one row for each identity, sorted", f"{len(names)} others")
        if [row.index for row in self.rows] != list(range(len(names))):
            raise _refusal("rows counted from 0", "another order")
        for came, right in (
            (self.scores_root, _hex_root(score_tree(self.rows))),
            (self.rewards_root, _hex_root(reward_tree(self.rows))),
        ):
            if came != right:
                raise _refusal(f"the root {right} of its rows", ascii(came)[:80])

    @classmethod
    def of(cls, rows: Sequence[ScoreRow], *, run_id: str, round: int) -> ScoreList:
        """Return the list of these rows with its roots."""
        return cls(
            run_id=run_id,
            round=round,
            rows=tuple(rows),
            scores_root=_hex_root(score_tree(rows)),
            rewards_root=_hex_root(reward_tree(rows)),
        )


@dataclass(frozen=True, kw_only=True)
class PublishedRound:
    """The round record as it is published: what it points to is stored before it is."""

    run_id: str
    round: int
    previous: str = ""  # CID of the published round before; empty for the first
    head: str = ""  # hash of the round's entry in the journal, hex; empty if there is none
    profile: str  # how the files are cut; the name of a unixfs.Profile
    model: str  # CID, safetensors
    scores: str  # CID, a ScoreList
    record: RoundRecord


@dataclass(frozen=True, kw_only=True)
class Publication:
    """Where a published round is; the record's CID leads to the others."""

    round: int
    record: str  # CID
    model: str  # CID
    scores: str  # CID
    scores_root: str
    rewards_root: str


class PinState(StrEnum):
    """How far a pinning service has come (the API's own words)."""

    QUEUED = "queued"
    PINNING = "pinning"
    PINNED = "pinned"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True)
class PinStatus:
    """What a pinning service says of one request."""

    request_id: str
    state: PinState
    cid: str
    name: str = ""


def score_of(composite: float) -> int:
    """Return P-12's composite, in [0, 1000], in millionths of 1000; ties to even.

    The float is taken for exactly what it is, so that every machine gets the same integer.

    Examples
    --------
    >>> score_of(500.0)
    500000
    """
    return min(max(round(Fraction(composite) * 1000), 0), MAX_SCORE)


def scores_problem(scores: ScoreList, published: PublishedRound) -> str:
    """Return why a list is not the one of a published round, empty if it is.

    It has to be of that run and round, with the score of every identity that has a
    reputation, and 0 for every other.
    """
    if (scores.run_id, scores.round) != (published.run_id, published.round):
        return "the scores are of another run or round"
    standings = published.record.state.standings
    if missing := standings.keys() - {row.identity for row in scores.rows}:
        return f"{min(missing)!r:.60} has a reputation and no score"
    for row in scores.rows:
        standing = standings.get(row.identity)
        right = score_of(standing.composite) if standing else 0
        if row.score != right:
            return f"{row.identity!r:.60} has the score {row.score}, its reputation is {right}"
    return ""


def score_tree(rows: Sequence[ScoreRow]) -> MerkleTree | None:
    """Return the tree over (index, identity, score); None without rows (P-18)."""
    leaves = [(row.index, row.identity, row.score) for row in rows]
    return MerkleTree.of(leaves, types=SCORE_TYPES) if leaves else None


def reward_tree(rows: Sequence[ScoreRow]) -> MerkleTree | None:
    """Return the tree over (account, cumulative reward), sorted by account (P-18, P-28).

    Identities that share an account are added up; whoever has no account or no reward yet
    has no leaf. None without leaves.
    """
    amounts: dict[str, int] = {}
    for row in rows:
        if row.account and row.reward:
            amounts[row.account] = amounts.get(row.account, 0) + row.reward
    leaves = sorted(amounts.items(), key=lambda pair: pair[0].lower())
    return MerkleTree.of(leaves, types=REWARD_TYPES) if leaves else None


def _hex_root(tree: MerkleTree | None) -> str:
    return EMPTY_ROOT if tree is None else "0x" + tree.root.hex()


def _checksum(account: str) -> str:
    digits = account.removeprefix("0x").lower()
    return checksum_address(digits) if len(digits) == 40 and _HEX.issuperset(digits) else ""


def _refusal(needed: str, came: str) -> ConfigError:
    return ConfigError(f"a score list needs {needed}", came=came, action="build it again")
