"""From offences in the journal to slashes on chain, each exactly once (P-31, P-32)."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass

from parity_flwr.chain_bridge.deployment import Deployment
from parity_flwr.chain_bridge.membership import slash_intent
from parity_flwr.core.anchoring import Intent
from parity_flwr.core.canonical import dumps
from parity_flwr.core.content.cid import Cid
from parity_flwr.core.content.unixfs import Profile, file_cid
from parity_flwr.core.economy.evidence import Offence
from parity_flwr.core.economy.offences import OffenceState, SlashConfig, step
from parity_flwr.core.economy.reward_tree import Member
from parity_flwr.core.protocols import ContentStore
from parity_flwr.core.records import RoundRecord


@dataclass(frozen=True, kw_only=True)
class SlashCase:
    """An offence of a registered identity, and its evidence as it is published."""

    offence: Offence
    member: Member
    evidence: bytes  # canonical JSON

    def cid(self, profile: Profile) -> Cid:
        """Return what names the evidence in a store that cuts files like this."""
        return file_cid([self.evidence], profile=profile)


def slash_cases(
    rounds: Iterable[RoundRecord],
    *,
    members: Mapping[str, Member],
    config: SlashConfig,
    run_id: str,
    keys: Mapping[str, str] | None = None,
) -> list[SlashCase]:
    """Return the offences that a journal's rounds show, of whoever is registered, in order.

    The same rounds give the same cases, so anybody can compute them. Whose offence costs
    nothing is no case.

    Parameters
    ----------
    rounds : iterable of RoundRecord
        All of them, from the first on.
    members : Mapping[str, Member], keyword-only
        Who is registered, by the identity's name in the journal.
    config : SlashConfig, keyword-only
        Severities. The base penalty is the registry's own.
    run_id : str, keyword-only
        Of the run, for the evidence.
    keys : Mapping[str, str] or None, keyword-only
        Node keys by identity, hex, as the registry has them; None takes the journal's.
    """
    state, cases = OffenceState(), list[SlashCase]()
    for record in rounds:
        state, slashes = step(state, record, stakes={}, config=config, run_id=run_id, keys=keys)
        for offence in (each.offence for each in slashes):
            member = members.get(offence.identity)
            if member is not None:
                evidence = dumps(offence)
                cases.append(SlashCase(offence=offence, member=member, evidence=evidence))
    return cases


class Slasher:
    """Publishes evidence and slashes, a case at a time; what is slashed already is not again.

    How much is taken the registry says, from the stake and the reputation that is anchored
    there.

    Parameters
    ----------
    send : callable
        Takes each wish, as ``Sender.submit`` does; its key (round and identity) is in the
        outbox once. The key that sends is the registry's slasher.
    deployment : Deployment, keyword-only
    store : ContentStore, keyword-only
        Where the evidence lies before anything names it.
    anchor : callable, keyword-only
        Returns the wish that brings the reputation before the offence on chain, so that it
        counts for the penalty; None if there is none to bring.
    """

    def __init__(
        self,
        send: Callable[[Intent], object],
        *,
        deployment: Deployment,
        store: ContentStore,
        anchor: Callable[[SlashCase], Intent | None] = lambda case: None,
    ) -> None:
        self._send = send
        self._deployment = deployment
        self._store = store
        self._anchor = anchor

    def slash(self, cases: Iterable[SlashCase], *, done: Container[bytes] = frozenset()) -> int:
        """Slash these cases and return how many.

        Parameters
        ----------
        cases : iterable of SlashCase
        done : container of bytes, keyword-only
            The CIDs of evidence for which the chain has slashed before.
        """
        count = 0
        for case in cases:
            if bytes(case.cid(self._store.profile)) not in done:
                self._slash(case)
                count += 1
        return count

    def _slash(self, case: SlashCase) -> None:
        stored = self._store.put(case.evidence)
        self._store.pin(stored)
        before = self._anchor(case)
        if before is not None:
            self._send(before)
        offence = case.offence
        self._send(
            slash_intent(
                case.member,
                round=offence.round,
                severity=offence.severity,
                evidence_cid=bytes(Cid.parse(stored)),
                deployment=self._deployment,
            )
        )
