"""From offences in the journal to slashes on chain, each exactly once (P-31, P-32)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from parity_flwr.chain_bridge.deployment import Deployment
from parity_flwr.chain_bridge.membership import slash_intent
from parity_flwr.chain_bridge.sender import Sender
from parity_flwr.core.canonical import dumps
from parity_flwr.core.economy.evidence import Offence
from parity_flwr.core.economy.offences import OffenceState, SlashConfig, step
from parity_flwr.core.economy.reward_tree import Member
from parity_flwr.core.records import RoundRecord


class Slasher:
    """Queues a slash for every offence that the journal's rounds show.

    The journal is the queue, as for :class:`parity_flwr.chain_bridge.publisher.RoundPublisher`:
    after a crash the same rounds give the same offences, and an offence that the outbox
    holds is not queued again. How much is taken the registry says, from the stake and the
    reputation that is anchored there: anchor a round first
    (:func:`parity_flwr.chain_bridge.membership.anchor_intent`) for the latter to count.

    Parameters
    ----------
    sender : Sender
        Of the registry's slasher.
    deployment : Deployment, keyword-only
    rounds : callable, keyword-only
        Returns the journal's rounds after a given one, in order.
    members : Mapping[str, Member], keyword-only
        Who is registered; an offence of anybody else waits for nothing and is skipped.
    publish : callable, keyword-only
        Stores an offence's canonical JSON and returns its CID as bytes.
    config : SlashConfig, keyword-only
        Severities. The base penalty is the registry's own.
    run_id : str, keyword-only
        Of the run, for the evidence.
    keys : Mapping[str, str] or None, keyword-only
        Node keys by identity, hex, as the registry has them; None takes the journal's.
    """

    def __init__(
        self,
        sender: Sender,
        *,
        deployment: Deployment,
        rounds: Callable[[int], Sequence[RoundRecord]],
        members: Mapping[str, Member],
        publish: Callable[[bytes], bytes],
        config: SlashConfig,
        run_id: str,
        keys: Mapping[str, str] | None = None,
    ) -> None:
        self._sender = sender
        self._deployment = deployment
        self._rounds = rounds
        self._members = members
        self._publish = publish
        self._config = config
        self._run_id = run_id
        self._keys = keys
        self._state = OffenceState()

    def refill(self) -> None:
        """Queue the slashes of the rounds that the journal has and this has not seen."""
        for record in self._rounds(self._state.round):
            state, slashes = step(
                self._state,
                record,
                stakes={},
                config=self._config,
                run_id=self._run_id,
                keys=self._keys,
            )
            for each in slashes:
                self._queue(each.offence)
            self._state = state

    def _queue(self, offence: Offence) -> None:
        member = self._members.get(offence.identity)
        if member is None:
            return
        # The evidence is stored before anything names it.
        evidence_cid = self._publish(dumps(offence))
        self._sender.submit(
            slash_intent(
                member,
                round=offence.round,
                severity=offence.severity,
                evidence_cid=evidence_cid,
                deployment=self._deployment,
            )
        )
