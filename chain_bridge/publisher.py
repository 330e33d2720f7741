"""From the journal's rounds to transactions: the ledger that a run publishes to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from parity_flwr.chain_bridge.drain import Drain
from parity_flwr.chain_bridge.rounds import RoundAnchor, round_intent
from parity_flwr.chain_bridge.sender import Sender
from parity_flwr.core.content.scores import ScoreList, ScoreRow, score_rows
from parity_flwr.core.economy.claims import RewardConfig, round_claims
from parity_flwr.core.economy.reward_tree import Member
from parity_flwr.core.economy.rewards import RewardState, step
from parity_flwr.core.records import RoundRecord


@dataclass(frozen=True, kw_only=True)
class RoundContent:
    """What of a round lies in the content store; CIDs as bytes."""

    model_cid: bytes
    scores_cid: bytes
    scores: ScoreList  # as stored


class RoundFiles(Protocol):
    """Puts a round's model and score list where everybody can fetch them."""

    def put(self, record: RoundRecord, rows: Sequence[ScoreRow]) -> RoundContent:
        """Store both and return what names them.

        A round that was stored before a crash stays as it was stored, rows included.
        """
        ...


class RoundPublisher:
    """Anchors a run's rounds in the background, in order, each exactly once.

    Implements :class:`parity_flwr.core.protocols.Ledger`. The journal is the queue: whatever
    rounds it holds and the outbox does not are queued by the background thread, after a
    crash too. So :meth:`publish` only wakes that thread.

    Parameters
    ----------
    sender : Sender
        Made with :class:`parity_flwr.chain_bridge.rounds.RoundPremise`.
    ledger : str, keyword-only
        The RoundLedger's address.
    rounds : callable, keyword-only
        Returns the journal's rounds after a given one, in order.
    files : RoundFiles, keyword-only
    rewards : RewardConfig, keyword-only
        What a round pays (P-28).
    members : Mapping[str, Member], keyword-only
        Who is registered, by the identity's name in the journal.
    poll_s, longest_s : float, keyword-only
        See :class:`parity_flwr.chain_bridge.drain.Drain`.
    """

    def __init__(
        self,
        sender: Sender,
        *,
        ledger: str,
        rounds: Callable[[int], Sequence[RoundRecord]],
        files: RoundFiles,
        rewards: RewardConfig,
        members: Mapping[str, Member],
        poll_s: float = 1.0,
        longest_s: float = 30.0,
    ) -> None:
        self._sender = sender
        self._ledger = ledger
        self._rounds = rounds
        self._files = files
        self._rewards = rewards
        self._members = members
        self._state = RewardState()
        self._drain = Drain(sender, refill=self.refill, poll_s=poll_s, longest_s=longest_s)

    def start(self) -> None:
        """Begin, with what an earlier process left."""
        self._drain.start()

    def publish(self, record: RoundRecord) -> None:
        """Say that a round is in the journal; never waits for disk or network."""
        self._drain.wake()

    def refill(self) -> None:
        """Queue the rounds that the journal has and the outbox has not."""
        for record in self._rounds(self._state.round):
            state, _ = step(self._state, round_claims(record, self._rewards))
            self._queue(record, state)
            self._state = state

    def wait(self, *, timeout_s: float) -> bool:
        """Wait until every round is in a block that stays; return whether all are."""
        return self._drain.wait(timeout_s=timeout_s)

    def finish(self, *, timeout_s: float) -> bool:
        """Wait as :meth:`wait` does, then stop; what is left is taken up at the next start."""
        done = self._drain.finish(timeout_s=timeout_s)
        self._sender.close()
        return done

    @property
    def trouble(self) -> str:
        """Why nothing more is sent; empty while all goes well."""
        return self._drain.trouble

    def _queue(self, record: RoundRecord, state: RewardState) -> None:
        if self._sender.outbox.find(f"round/{record.round}") is not None:
            return
        rows = score_rows(record.state, earned=state.earned, members=self._members)
        content = self._files.put(record, rows)
        tree = content.scores.tree
        anchor = RoundAnchor(
            round=record.round,
            model_hash=bytes.fromhex(record.model_hash),
            reward_root=tree.root,
            total=tree.total,
            model_cid=content.model_cid,
            scores_cid=content.scores_cid,
        )
        self._sender.submit(round_intent(anchor, ledger=self._ledger))
