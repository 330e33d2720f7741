"""P-31 and P-32: what is slashed, by how much, and on what evidence."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, Message, MetricRecord, RecordDict
from hypothesis import given
from hypothesis import strategies as st

import journal_records
from parity_flwr.core.canonical import dumps, loads
from parity_flwr.core.config import GateConfig
from parity_flwr.core.economy.amounts import (
    HIGHEST_REPUTATION,
    MAX_AMOUNT,
    MILLION,
    reputation_units,
)
from parity_flwr.core.economy.evidence import Offence, OffenceKind, evidence_hash
from parity_flwr.core.economy.offences import (
    NOT_FINITE,
    OffenceState,
    Slash,
    SlashConfig,
    is_harmless,
    step,
)
from parity_flwr.core.economy.slashing import slash_amount
from parity_flwr.core.records import (
    BallotFacts,
    CommitteeDecision,
    ReplyFacts,
    ReputationState,
    RoundRecord,
    Verdict,
)
from parity_flwr.errors import ConfigError
from parity_flwr.strategies.gate import Gate, Refused

amounts = st.integers(0, MAX_AMOUNT)
millionths = st.integers(0, MILLION)
reputations = st.integers(0, HIGHEST_REPUTATION)
NAMES = sorted(journal_records.CLIENTS)
BAD = NAMES[0]
STAKES: dict[str, int] = dict.fromkeys(NAMES, 10_000)
KEY = "11" * 32
CONFIG = SlashConfig(base_penalty=1_000)


def record_with(number: int, **changes: object) -> RoundRecord:
    """Return a round whose first reply has these facts instead of its own."""
    record = journal_records.record(number, ReputationState())
    reply = replace(record.facts.replies[0], **changes)  # type: ignore[arg-type]
    facts = replace(record.facts, replies=(reply, *record.facts.replies[1:]))
    return replace(record, facts=facts)


def slashes_of(records: list[RoundRecord], config: SlashConfig = CONFIG) -> list[list[Slash]]:
    """Return the slashes of successive rounds."""
    state, found = OffenceState(), []
    for record in records:
        state, slashes = step(
            state, record, stakes=STAKES, config=config, run_id="run", keys={BAD: KEY}
        )
        found.append(list(slashes))
    return found


def test_amounts_by_hand() -> None:
    half, top = MILLION // 2, HIGHEST_REPUTATION
    assert (
        slash_amount(10_000, base_penalty=1_000, severity=MILLION, reputation=top // 2) == 1_000
    )
    assert slash_amount(10_000, base_penalty=1_000, severity=MILLION, reputation=0) == 1_500
    assert slash_amount(10_000, base_penalty=1_000, severity=MILLION, reputation=top) == 500
    assert slash_amount(400, base_penalty=1_000, severity=half, reputation=half) == 400
    assert slash_amount(10_000, base_penalty=3, severity=half, reputation=top // 2) == 1


@given(amounts, amounts, millionths, reputations)
def test_the_amount_is_the_exact_one_rounded_down(
    stake: int, penalty: int, severity: int, reputation: int
) -> None:
    factor = Fraction(3, 2) - Fraction(reputation, HIGHEST_REPUTATION)
    exact = penalty * Fraction(severity, MILLION) * factor
    due = slash_amount(stake, base_penalty=penalty, severity=severity, reputation=reputation)
    assert due == min(stake, exact.numerator // exact.denominator)


@given(amounts, amounts, millionths, reputations, reputations)
def test_trust_makes_cheating_cheaper_but_never_free(
    stake: int, penalty: int, severity: int, one: int, other: int
) -> None:
    low, high = sorted((one, other))
    at_low, at_high = (
        slash_amount(stake, base_penalty=penalty, severity=severity, reputation=each)
        for each in (low, high)
    )
    assert at_high <= at_low <= stake
    if penalty * severity >= 2 * MILLION and stake:
        assert at_high > 0


@pytest.mark.parametrize(
    "changes", [{"stake": -1}, {"severity": MILLION + 1}, {"reputation": 1.0}]
)
def test_numbers_out_of_range_are_refused(changes: dict[str, int]) -> None:
    values = {"stake": 1, "base_penalty": 1, "severity": 1, "reputation": 1, **changes}
    with pytest.raises(ConfigError):
        slash_amount(
            values["stake"],
            base_penalty=values["base_penalty"],
            severity=values["severity"],
            reputation=values["reputation"],
        )


def test_only_a_signed_refusal_is_evidence() -> None:
    signed = record_with(
        1, reason="shape (2,) instead of (3,)", signature="ab" * 64, public_key=KEY
    )
    unsigned = record_with(1, reason="shape (2,) instead of (3,)")
    ((slash,),) = slashes_of([signed])
    assert (slash.offence.identity, slash.offence.kind) == (BAD, OffenceKind.MALFORMED)
    assert slash.amount == 1_000  # R = 500 before the first round: factor 1
    assert slashes_of([unsigned]) == [[]]
    stranger = record_with(1, reason="shape", signature="ab" * 64, public_key="22" * 32)
    assert slashes_of([stranger]) == [[]]
    assert len(slashes_of([unsigned], replace(CONFIG, unsigned=True))[0]) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"reason": f"array 'w': {NOT_FINITE}", "signature": "ab" * 64},
        {"reason": "error: out of memory", "fault": True},
        {"reason": "no reply before the deadline", "verdict": Verdict.MISSING, "fault": True},
    ],
)
def test_crashes_cost_nothing_until_they_repeat(changes: dict[str, object]) -> None:
    crash = [record_with(number, **changes) for number in range(1, 7)]
    amounts = [[each.amount for each in found] for found in slashes_of(crash)]
    # The factor rises as reputation falls with the refusals; k = 3.
    assert amounts[:2] == [[], []]
    assert amounts[3:5] == [[], []]
    assert len(amounts[2]) == len(amounts[5]) == 1
    assert 0 < amounts[2][0] <= 30  # a fiftieth of 1,000, factor 1.5 at most


def test_a_sound_reply_in_between_forgives() -> None:
    crash = [record_with(number, fault=True) for number in (1, 2)]
    sound = record_with(3, verdict=Verdict.ACCEPTED, reason="")
    again = [record_with(number, fault=True) for number in (4, 5)]
    assert slashes_of([*crash, sound, *again]) == [[]] * 5


def test_falling_out_of_trust_costs_once_a_fall() -> None:
    first = record_with(1, verdict=Verdict.ACCEPTED, reason="")
    fallen = replace(first.state.standings[BAD], composite=150.0, relapses=1)
    second = record_with(2, verdict=Verdict.ACCEPTED, reason="")
    second = replace(
        second, state=replace(second.state, standings={**second.state.standings, BAD: fallen})
    )
    third = replace(second, round=3)
    before, fall, after = slashes_of([first, second, third])
    assert (before, after) == ([], [])
    assert [each.offence.kind for each in fall] == [OffenceKind.QUALITY]
    standing = first.state.standings[BAD].composite
    assert fall[0].reputation == reputation_units(standing)
    # A statistic may be wrong: a fiftieth of what a proven offence costs.
    proven = slashes_of([first, second], replace(CONFIG, quality=MILLION))[1]
    assert fall[0].amount == proven[0].amount // 50 > 0
    assert slashes_of([first, second], replace(CONFIG, quality=0))[1] == []


def test_a_vote_against_its_own_score_costs() -> None:
    record = record_with(1, verdict=Verdict.ACCEPTED, reason="")
    ballot = BallotFacts(
        identity=BAD, vote="reject", loss_rise=0, signature="cd" * 64, public_key=KEY
    )
    committee = CommitteeDecision(
        result="accept", accept=3, reject=1, abstain=0, total=4, dissenters=(BAD,)
    )
    record = replace(
        record,
        facts=replace(record.facts, ballots=(ballot,)),
        decision=replace(record.decision, committee=committee),
    )
    ((slash,),) = slashes_of([record])
    assert (slash.offence.kind, slash.amount) == (OffenceKind.BALLOT, 500)


def test_one_slash_an_identity_and_a_round() -> None:
    record = record_with(1, reason="duplicate", signature="ab" * 64, public_key=KEY)
    fallen = replace(record.state.standings[BAD], relapses=1)
    standings = {**record.state.standings, BAD: fallen}
    record = replace(record, state=replace(record.state, standings=standings))
    assert len(slashes_of([record])[0]) == 1


def test_evidence_has_one_form_and_one_hash() -> None:
    offence = Offence(identity="a", round=3, kind="malformed", severity=MILLION)
    body = dumps(offence)
    assert loads(body, Offence) == offence
    assert evidence_hash(offence) == hashlib.sha256(body).hexdigest()
    assert evidence_hash(replace(offence, round=4)) != evidence_hash(offence)


@pytest.mark.usefixtures("task_identity")
def test_the_gate_words_nan_as_the_rule_reads_it() -> None:
    arrays = ArrayRecord({"w": Array(np.array([np.nan, 1.0]))})
    content = RecordDict({"arrays": arrays, "metrics": MetricRecord({"num-examples": 3})})
    reply = Message(content, 1000, "train")
    refused = Gate({"w": np.zeros(2)}, config=GateConfig()).inspect(reply)
    assert isinstance(refused, Refused)
    facts = ReplyFacts(identity="a", verdict=Verdict.QUARANTINED, reason=refused.reason)
    assert is_harmless(facts)
    assert not is_harmless(replace(facts, reason="shape (1,) instead of (2,)"))
