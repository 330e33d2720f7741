"""Checks that redo what the strategy did: decisions, states and signatures."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from parity_flwr.app.journal.agreement import differences
from parity_flwr.app.journal.chain import Entry, Record
from parity_flwr.app.verification.checks import Findings, Line
from parity_flwr.core.canonical import dumps, loads
from parity_flwr.core.config import TrustConfig
from parity_flwr.core.privacy.rounds import CLIENT_PRIVACY, PRIVACY, decide_private, is_private
from parity_flwr.core.records import (
    BallotFacts,
    ReplyFacts,
    ReputationState,
    RoundRecord,
    RunHeader,
    Verdict,
)
from parity_flwr.core.rounds import decide
from parity_flwr.core.signatures import ballot_payload, update_payload, verify
from parity_flwr.errors import ParityError

Signed = ReplyFacts | BallotFacts
Payload = Callable[[], bytes]

_SIGNED = frozenset({Verdict.ACCEPTED, Verdict.ABSTAINED})


class DecisionCheck:
    """Every decision and every state comes out again, bit for bit."""

    def __init__(self) -> None:
        self._findings = Findings("decisions")
        self._config: TrustConfig | None = None
        self._state: ReputationState | None = None
        self._rounds = 0
        self._private = False

    def see(self, entry: Entry, record: Record) -> None:
        """Look at the next entry."""
        if isinstance(record, RunHeader):
            self._see_header(entry, record)
        elif isinstance(record, RoundRecord):
            problem = self._replay(record)
            self._findings.require(not problem, f"round {record.round}: {problem}")
            self._state, self._rounds = record.state, self._rounds + 1

    def _see_header(self, entry: Entry, header: RunHeader) -> None:
        try:
            self._config = trust_config(header)
        except ParityError as error:
            self._findings.require(False, f"entry {entry.sequence}: {error}")
        self._private = is_private(header.config)
        if not self._rounds:
            self._state = header.initial_state

    def _replay(self, record: RoundRecord) -> str:
        """Return what comes out differently, empty if nothing does."""
        if self._config is None or self._state is None:
            return "no header with a configuration stands before it"
        try:
            redo = decide_private if self._private else decide
            state, decision = redo(self._state, record.facts, self._config)
        except (ParityError, ArithmeticError, LookupError, TypeError, ValueError) as error:
            return f"the facts cannot be decided: {error}"[:200]
        again = {"decision": decision, "state": state}
        return _first_difference({"decision": record.decision, "state": record.state}, again)

    def line(self) -> Line:
        """Return the outcome."""
        return self._findings.line("rounds decided again", otherwise="no round yet")


class SignatureCheck:
    """Every accepted reply and ballot is signed by the key that its identity is bound to.

    Identities that never signed are not checked.

    Parameters
    ----------
    run_id : str
        What the signatures bind.
    """

    def __init__(self, run_id: str) -> None:
        self._findings = Findings("signatures")
        self._run_id = run_id

    def see(self, entry: Entry, record: Record) -> None:
        """Look at the next entry."""
        if not isinstance(record, RoundRecord):
            return
        for reply in record.facts.replies:
            if reply.verdict in _SIGNED or reply.signature:
                self._require(record, reply, partial(self._reply_payload, record, reply))
        for ballot in record.facts.ballots:
            if ballot.vote:
                self._require(record, ballot, partial(self._ballot_payload, record, ballot))

    def _require(self, record: RoundRecord, signed: Signed, payload: Payload) -> None:
        standing = record.state.standings.get(signed.identity)
        bound = standing.public_key if standing else ""
        if not signed.signature and not bound:
            return
        where = f"round {record.round}, {signed.identity!r:.60}"
        if bound and signed.public_key != bound:
            self._findings.require(False, f"{where}: not signed by the identity's key")
            return
        held = self._holds(signed, payload)
        self._findings.require(held, f"{where}: the signature is not valid")

    def _holds(self, signed: Signed, payload: Payload) -> bool:
        try:
            message = payload()
            key, signature = bytes.fromhex(signed.public_key), bytes.fromhex(signed.signature)
        except (ParityError, ValueError):
            return False
        return verify(key, message, signature)

    def _reply_payload(self, record: RoundRecord, reply: ReplyFacts) -> bytes:
        return update_payload(
            run_id=self._run_id,
            round=record.round,
            base_hash=record.base_hash,
            update_hash=reply.update_hash,
            num_examples=reply.num_examples or 0,
        )

    def _ballot_payload(self, record: RoundRecord, ballot: BallotFacts) -> bytes:
        return ballot_payload(
            run_id=self._run_id,
            round=record.round,
            candidate_hash=record.facts.candidate_hash,
            vote=ballot.vote,
            loss_rise=ballot.loss_rise,
        )

    def line(self) -> Line:
        """Return the outcome."""
        return self._findings.line("signatures valid", otherwise="no reply is signed")


def trust_config(header: RunHeader) -> TrustConfig:
    """Return the configuration that a header holds as plain data.

    Raises
    ------
    JournalError
        A field is missing, unknown, of another type or out of range.
    """
    extra = (PRIVACY, CLIENT_PRIVACY)
    trust = {name: each for name, each in header.config.items() if name not in extra}
    return loads(dumps(trust), TrustConfig)


def _first_difference(recorded: dict[str, object], again: dict[str, object]) -> str:
    for name, before in recorded.items():
        if dumps(before) == dumps(again[name]):
            continue
        for path, old, new in differences(before, again[name]):
            return f"{name}{path} is {old:.60}, replaying the facts gives {new:.60}"
    return ""
