"""Which recorded facts cost stake, and how severe they are (P-31)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from parity_flwr.core.economy.amounts import (
    MILLION,
    UNIT,
    reputation_units,
    require_amount,
    require_integer,
)
from parity_flwr.core.economy.evidence import Offence, OffenceKind
from parity_flwr.core.economy.slashing import slash_amount
from parity_flwr.core.records import BallotFacts, ReplyFacts, RoundRecord, Verdict

NOT_FINITE = "NaN or infinite values"
"""How the gate words a reply whose numbers are not finite: a crash, not yet an offence."""


@dataclass(frozen=True, kw_only=True)
class SlashConfig:
    """What offences cost (P-31, P-32). Severities are in millionths.

    *Decided*: the paper's third condition, a stake under the minimum, is not slashed: who
    has too little at stake is not selected. A server cannot blame a client for what it
    did not send: MALFORMED and BALLOT need a signature unless ``unsigned`` says otherwise.
    QUALITY and REPEATED rest on the journal's word and on statistics, which hit honest
    minorities too: they cost a fiftieth by default (docs/economy.md says what that takes).
    """

    base_penalty: int = 1_000 * UNIT  # base units
    malformed: int = MILLION
    ballot: int = 500_000
    quality: int = 20_000
    repeated: int = 20_000
    repeats: int = 3  # k of P-31
    unsigned: bool = False  # whether unsigned replies are evidence too (a trusted server)

    def __post_init__(self) -> None:
        require_amount("base_penalty", self.base_penalty)
        for name in ("malformed", "ballot", "quality", "repeated"):
            require_integer(name, getattr(self, name), 0, MILLION)
        require_integer("repeats", self.repeats, 1, 1_000_000)


@dataclass(frozen=True, kw_only=True)
class Slash:
    """What an offence costs its identity."""

    offence: Offence
    reputation: int  # R before the round, millionths of a point
    amount: int  # base units


@dataclass(frozen=True, kw_only=True)
class OffenceState:
    """What the next round's offences depend on."""

    round: int = 0
    failures: Mapping[str, int] = field(default_factory=dict)  # harmless ones in a row
    relapses: Mapping[str, int] = field(default_factory=dict)  # seen so far
    reputations: Mapping[str, int] = field(default_factory=dict)  # after the last round
    slashed: Mapping[str, int] = field(default_factory=dict)  # base units, cumulative


def is_harmless(reply: ReplyFacts) -> bool:
    """Say whether a reply failed as honest ones do: error, timeout, drop-out or NaN."""
    broken = reply.verdict is Verdict.QUARANTINED and reply.reason.endswith(NOT_FINITE)
    return reply.fault or reply.verdict is Verdict.MISSING or broken


def step(
    state: OffenceState,
    record: RoundRecord,
    *,
    stakes: Mapping[str, int],
    config: SlashConfig,
    initial: float = 500.0,
    run_id: str = "",
    keys: Mapping[str, str] | None = None,
) -> tuple[OffenceState, tuple[Slash, ...]]:
    """Return the slashes of a round, at most one an identity, sorted by identity (P-31).

    A pure function of the journalled record. The most severe offence of an identity counts.
    What another key signed than the identity's own is no evidence against it.

    Parameters
    ----------
    state : OffenceState
        After the rounds before.
    record : RoundRecord
        The round.
    stakes : Mapping[str, int]
        Base units at stake when the round began.
    config : SlashConfig
        Severities and the base penalty.
    initial : float
        R_0, the reputation of an identity that no round has seen.
    run_id : str
        Of the run, which signatures bind; the evidence says it.
    keys : Mapping[str, str], optional
        Node keys by identity, hex, as a registry has them. An identity that is not there
        has the key that the journal bound to it, or none.
    """
    failures = _failures(state, record)
    offences = _offences(state, record, failures, config, keys or {})
    found = [replace(each, run_id=run_id) for each in _worst(offences)]
    slashes = tuple(
        _slash(each, state, stakes=stakes, config=config, initial=initial) for each in found
    )
    slashed = dict(state.slashed)
    for each in slashes:
        name = each.offence.identity
        slashed[name] = slashed.get(name, 0) + each.amount
    counted = {n: k % config.repeats for n, k in failures.items() if k % config.repeats}
    standings = record.state.standings
    after = OffenceState(
        round=record.round,
        failures=counted,
        relapses={name: each.relapses for name, each in standings.items() if each.relapses},
        reputations={
            name: reputation_units(each.composite) for name, each in standings.items()
        },
        slashed=dict(sorted(slashed.items())),
    )
    return after, slashes


def _failures(state: OffenceState, record: RoundRecord) -> dict[str, int]:
    """Count harmless failures in a row; who was not selected keeps its count."""
    counts = dict(state.failures)
    for reply in record.facts.replies:
        harmless = is_harmless(reply)
        counts[reply.identity] = counts.get(reply.identity, 0) + 1 if harmless else 0
    return counts


def _offences(
    state: OffenceState,
    record: RoundRecord,
    failures: Mapping[str, int],
    config: SlashConfig,
    keys: Mapping[str, str],
) -> Iterable[Offence]:
    standings = record.state.standings

    def blames(signed: ReplyFacts | BallotFacts) -> bool:
        known = standings.get(signed.identity)
        key = keys.get(signed.identity) or (known.public_key if known else "")
        return config.unsigned or bool(signed.signature and key == signed.public_key)

    for reply in record.facts.replies:
        if is_harmless(reply):
            if failures[reply.identity] >= config.repeats:
                severity = config.repeated
                yield _reply_offence(record, reply, OffenceKind.REPEATED, severity)
        elif reply.verdict is Verdict.QUARANTINED and blames(reply):
            yield _reply_offence(record, reply, OffenceKind.MALFORMED, config.malformed)
        standing = standings.get(reply.identity)
        if standing and standing.relapses > state.relapses.get(reply.identity, 0):
            yield _reply_offence(record, reply, OffenceKind.QUALITY, config.quality)
    committee = record.decision.committee
    dissenters = frozenset(committee.dissenters if committee else ())
    for ballot in record.facts.ballots:
        if ballot.identity in dissenters and blames(ballot):
            yield _ballot_offence(record, ballot, config.ballot)


def _reply_offence(
    record: RoundRecord, reply: ReplyFacts, kind: OffenceKind, severity: int
) -> Offence:
    return Offence(
        identity=reply.identity,
        round=record.round,
        kind=kind.value,
        severity=severity,
        reason=reply.reason,
        base_hash=record.base_hash,
        update_hash=reply.update_hash,
        num_examples=reply.num_examples,
        public_key=reply.public_key,
        signature=reply.signature,
    )


def _ballot_offence(record: RoundRecord, ballot: BallotFacts, severity: int) -> Offence:
    return Offence(
        identity=ballot.identity,
        round=record.round,
        kind=OffenceKind.BALLOT.value,
        severity=severity,
        reason="a vote against its own score",
        base_hash=record.base_hash,
        update_hash=record.facts.candidate_hash,
        vote=ballot.vote,
        loss_rise=ballot.loss_rise,
        public_key=ballot.public_key,
        signature=ballot.signature,
    )


def _worst(offences: Iterable[Offence]) -> list[Offence]:
    worst: dict[str, Offence] = {}
    for each in offences:
        known = worst.get(each.identity)
        if each.severity and (known is None or each.severity > known.severity):
            worst[each.identity] = each
    return [worst[name] for name in sorted(worst)]


def _slash(
    offence: Offence,
    state: OffenceState,
    *,
    stakes: Mapping[str, int],
    config: SlashConfig,
    initial: float,
) -> Slash:
    before = state.reputations.get(offence.identity, reputation_units(initial))
    amount = slash_amount(
        stakes.get(offence.identity, 0),
        base_penalty=config.base_penalty,
        severity=offence.severity,
        reputation=before,
    )
    return Slash(offence=offence, reputation=before, amount=amount)
