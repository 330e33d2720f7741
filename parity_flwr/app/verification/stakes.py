"""Checks that the stakes which counted in a run's rewards are the registry's (P-28)."""

from __future__ import annotations

from collections.abc import Mapping

from parity_flwr.app.chains.evidence import ChainEvidence
from parity_flwr.app.chains.terms import RunTerms
from parity_flwr.app.journal.chain import Entry, Record
from parity_flwr.app.verification.checks import Findings, Line
from parity_flwr.app.verification.onchain import RecordedRounds
from parity_flwr.chain_bridge.stakes import stakes_at
from parity_flwr.core.records import RoundRecord
from parity_flwr.errors import ParityError


class CountedStakes:
    """What the terms say that members had at stake is what the registry's events give.

    As of the block that the terms name, which is before the first round's: whoever stakes
    in between changes nothing, and could else make any run fail here. How far the two are
    apart, and what changed in between, the line says.

    Parameters
    ----------
    evidence : ChainEvidence
        Of a node, of the embedded chain, or what a bundle says.
    rounds : RecordedRounds
        Stands before this check and says who is a member.
    """

    def __init__(self, evidence: ChainEvidence, rounds: RecordedRounds) -> None:
        self._findings = Findings("stakes")
        self._evidence = evidence
        self._rounds = rounds
        self._seen: set[str] = set()

    def see(self, entry: Entry, record: Record) -> None:
        """Remember who took part."""
        if isinstance(record, RoundRecord):
            self._seen.update(record.state.standings)

    def line(self) -> Line:
        """Return the outcome; skipped for a run in which everybody counts alike."""
        terms = self._evidence.terms
        if not terms.rewards.stakes:
            return Line("stakes", None, "no stakes count: all are paid alike")
        later = ""
        try:
            self._compare(terms)
            later = self._later()
        except ParityError as error:
            self._findings.require(False, str(error)[:300])
        when = f"as of block {terms.stakes_block}{later}"
        return self._findings.line(f"members count with what {self._evidence.where} has {when}")

    def _compare(self, terms: RunTerms) -> None:
        said, block = terms.rewards.stakes, terms.stakes_block
        unique = len(set(terms.staked.values())) == len(terms.staked)
        first = self._first_block()
        if not unique or terms.staked.keys() != said.keys():
            self._findings.require(False, "they are not of one identity each")
        if first is not None and block >= first:
            self._findings.require(False, f"block {block} is not before round 1's, {first}")
        held, members = self._at(block), self._rounds.members
        for name in sorted(self._seen & (said.keys() | members.keys())):
            known = "0x" + members[name][0].identity.hex() if name in members else ""
            identity = terms.staked.get(name, known)
            ours, right = said.get(name, 0), held.get(identity, 0)
            problem = f"counts with {ours}, the registry had {right} at block {block}"
            if known not in ("", identity):
                problem = "counts with what another identity has at stake"
            holds = ours == right and known in ("", identity)
            self._findings.require(holds, f"{name!r:.60} {problem}")

    def _later(self) -> str:
        """Say how much later the first round is, and whether stakes changed meanwhile."""
        block, first = self._evidence.terms.stakes_block, self._first_block()
        if first is None:
            return ""
        changed = self._at(block) != self._at(first - 1)
        more = "; what changed in between does not count" if changed else ""
        return f", {first - block} before round 1's{more}"

    def _first_block(self) -> int | None:
        recorded = self._evidence.events("RoundLedger", "RoundRecorded")
        return min((log.block_number for log, _ in recorded), default=None)

    def _at(self, block: int) -> Mapping[str, int]:
        evidence = self._evidence
        held = stakes_at(evidence.logs, registry=evidence.deployment.registry, block=block)
        return {"0x" + identity.hex(): amount for identity, amount in held.items()}
