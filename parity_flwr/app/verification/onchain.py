"""Checks that a chain's record of a run is what its journal gives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from parity_flwr.app.chains.evidence import ChainEvidence
from parity_flwr.app.chains.members import signs_for
from parity_flwr.app.journal.chain import Entry, Record
from parity_flwr.app.verification.checks import Findings, Line
from parity_flwr.app.verification.published import PublishedFiles
from parity_flwr.chain_bridge.contracts import (
    consent_digest,
    genesis_state,
    identity_for,
    record_hash,
    state_hash,
)
from parity_flwr.core.abi import checksum_address
from parity_flwr.core.canonical import loads
from parity_flwr.core.content.cid import Cid
from parity_flwr.core.content.records import PublishedRound
from parity_flwr.core.content.scores import ScoreList, score_rows
from parity_flwr.core.economy.claims import round_claims
from parity_flwr.core.economy.reward_tree import Member
from parity_flwr.core.economy.rewards import RewardState, step
from parity_flwr.core.records import RoundRecord
from parity_flwr.core.signatures import verify
from parity_flwr.errors import ParityError


class RecordedRounds:
    """Every round stands on chain once, with what the journal gives for it.

    Rewards are computed again from the journal's records, the Merkle root from them and
    from who was registered by then; model hash, root, total, both CIDs and the state that
    links a round to the one before are compared with the contract's event.

    Parameters
    ----------
    evidence : ChainEvidence
    files : PublishedFiles
        Where the score lists are.
    """

    def __init__(self, evidence: ChainEvidence, files: PublishedFiles) -> None:
        self._findings = Findings("chain record")
        self._files = files
        self._rewards = evidence.terms.rewards
        self._where = evidence.where
        self._state = RewardState()
        made = evidence.deployment
        self._link = genesis_state(made.ledger, chain_id=made.chain_id)
        self._waiting = self._by_round(evidence)
        disabled = evidence.events("RoundLedger", "RoundDisabled")
        self._disabled = frozenset(event["round"] for _, event in disabled)
        self.members: dict[str, tuple[Member, str]] = {}
        """Who was paid in any round, and the public key that signs its replies."""

    def see(self, entry: Entry, record: Record) -> None:
        """Look at the next entry."""
        if isinstance(record, RoundRecord):
            try:
                problem = self._problem(record)
            except (ParityError, LookupError, ValueError) as error:
                problem = str(error)[:300]
            self._findings.require(not problem, f"round {record.round}: {problem}")

    def line(self) -> Line:
        """Return the outcome."""
        for number in sorted(self._waiting):
            self._findings.require(False, f"round {number} is on chain and not in the journal")
        line = self._findings.line(f"rounds on {self._where} equal the journal")
        return Line(line.name, line.ok, "no round yet" if line.ok is None else line.detail)

    def _by_round(self, evidence: ChainEvidence) -> dict[int, Mapping[str, Any]]:
        found: dict[int, Mapping[str, Any]] = {}
        for _, event in evidence.events("RoundLedger", "RoundRecorded"):
            once = event["round"] not in found
            self._findings.require(once, f"round {event['round']} is on chain twice")
            found[event["round"]] = event
        self._findings.held = 0  # rounds are counted, not comparisons
        return found

    def _problem(self, record: RoundRecord) -> str:
        self._state, _ = step(self._state, round_claims(record, self._rewards))
        event = self._waiting.pop(record.round, None)
        if event is None:
            return "it is not on chain: run 'parity chain drain'"
        if record.round in self._disabled:
            return "it was disabled on chain"
        published = loads(self._files.record(record.round), PublishedRound)
        scores = loads(self._files.scores(record.round), ScoreList)
        if problem := self._scores_problem(record, scores):
            return problem
        tree = scores.tree
        model_hash = bytes.fromhex(record.model_hash)
        model_cid, scores_cid = (
            bytes(Cid.parse(each)) for each in (published.model, published.scores)
        )
        right = {
            "previous": self._link,
            "modelHash": model_hash,
            "rewardRoot": tree.root,
            "total": tree.total,
            "modelCid": model_cid,
            "scoresCid": scores_cid,
        }
        for name, value in right.items():
            if event[name] != value:
                return f"its {name} on chain is {_shown(event[name])}, not {_shown(value)}"
        hashed = record_hash(
            round=record.round,
            previous=self._link,
            model_hash=model_hash,
            total=tree.total,
            model_cid=model_cid,
            scores_cid=scores_cid,
        )
        self._link = state_hash(hashed, reward_root=tree.root, active_at=event["activeAt"])
        return "" if event["state"] == self._link else "its state on chain is another"

    def _scores_problem(self, record: RoundRecord, scores: ScoreList) -> str:
        """Compare the score list with rewards that are computed again."""
        members = {leaf.name: leaf.member for leaf in scores.tree.leaves}
        rows = score_rows(record.state, earned=self._state.earned, members=members)
        for ours, theirs in zip(rows, scores.rows, strict=False):
            if ours != theirs:
                return f"the scores say {_row(theirs)}, the journal gives {_row(ours)}"
        if len(rows) != len(scores.rows):
            return "the scores are of other identities"
        for name, member in members.items():
            key = record.state.standings[name].public_key
            before, known = self.members.get(name, (member, ""))
            if before != member:
                return f"{name!r:.60} changed its account"
            self.members[name] = (member, key or known)
        return ""


class RegisteredMembers:
    """Whoever has a leaf is registered, with its own consent and the key that it signs with.

    Parameters
    ----------
    evidence : ChainEvidence
    rounds : RecordedRounds
        Stands before this check and says who has a leaf.
    """

    def __init__(self, evidence: ChainEvidence, rounds: RecordedRounds) -> None:
        self._findings = Findings("members")
        self._evidence = evidence
        self._rounds = rounds

    def see(self, entry: Entry, record: Record) -> None:
        """Look at nothing: the rounds were seen already."""

    def line(self) -> Line:
        """Return the outcome."""
        events = {
            event["identity"]: event
            for _, event in self._evidence.events("ReputationRegistry", "Registered")
        }
        for name, (member, key) in sorted(self._rounds.members.items()):
            problem = self._problem(member, key, events.get(member.identity))
            self._findings.require(not problem, f"{name!r:.60} {problem}")
        return self._findings.line(
            "are registered, wallet and node key consent", otherwise="nobody is registered"
        )

    def _problem(self, member: Member, key: str, event: Mapping[str, Any] | None) -> str:
        if event is None:
            return "is not registered"
        wallet = checksum_address(event["wallet"][2:])
        node_key, made = event["nodeKey"], self._evidence.deployment
        if wallet != member.account or identity_for(node_key, wallet=wallet) != member.identity:
            return "is registered with another account"
        if key and not signs_for(bytes.fromhex(key), member, node_key=node_key):
            return "is registered with another key than signs its replies"
        digest = consent_digest(
            node_key,
            wallet=wallet,
            deadline=self._evidence.terms.deadlines.get("0x" + member.identity.hex(), 0),
            registry=made.registry,
            chain_id=made.chain_id,
        )
        consents = verify(node_key, digest, event["nodeSignature"])
        return "" if consents else "did not consent with its node key"


def _row(row: object) -> str:
    text = ascii(row)
    return text[text.find("(") : 240]


def _shown(value: object) -> str:
    return value.hex()[:72] if isinstance(value, bytes) else str(value)[:40]
