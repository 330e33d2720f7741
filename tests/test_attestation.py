"""A refused reply is evidence only if its sender signed exactly that reply, in that round."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from flwr.app import ConfigRecord, Message, MetricRecord, RecordDict

from parity_flwr.core.economy.evidence import OffenceKind, is_proven
from parity_flwr.core.economy.offences import OffenceState, SlashConfig, step
from parity_flwr.core.encoding import model_hash
from parity_flwr.core.records import (
    ReputationState,
    RoundDecision,
    RoundFacts,
    RoundRecord,
    RoundStatus,
    Standing,
    Verdict,
)
from parity_flwr.core.signatures import Ed25519Signer, update_payload
from parity_flwr.strategies.facts import reply_facts
from parity_flwr.strategies.gate import Gate
from parity_flwr.strategies.intake import Answer, Asked, Intake
from trust_runs import record

pytestmark = pytest.mark.usefixtures("task_identity")

BASE = {"w": np.zeros(3)}
WRONG = {"w": np.zeros(4)}
KEY, OTHER = (Ed25519Signer.from_seed(bytes([k]) * 32) for k in (1, 2))
BASE_HASH = model_hash(BASE)
INTAKE = Intake(Gate(BASE), run_id="run", round=2, base_hash=BASE_HASH)
KNOWN = Standing(
    scores=(500.0, 500.0, 500.0, 500.0), composite=500.0, public_key=KEY.public_key.hex()
)


def refused(
    arrays: dict[str, Any] = WRONG, *, key: Ed25519Signer = KEY, **signed: Any
) -> Answer:
    """Return what becomes of a reply with these arrays; ``signed`` replaces signed fields."""
    fields: dict[str, Any] = {
        "run_id": "run",
        "round": 2,
        "base_hash": BASE_HASH,
        "update_hash": model_hash(arrays),
        "num_examples": 7,
    }
    signature = key.sign(update_payload(**{**fields, **signed}))
    content = RecordDict(
        {
            "arrays": record(arrays),
            "metrics": MetricRecord({"num-examples": 7}),
            "parity": ConfigRecord({"public-key": key.public_key, "signature": signature}),
        }
    )
    message = Message(content, 1000, "train")
    message.metadata.__dict__["_src_node_id"] = 5
    (answer,) = INTAKE.collect([Asked(5, "alice", standing=KNOWN)], [message])
    assert answer.verdict is Verdict.QUARANTINED
    return answer


def test_a_signed_refusal_is_kept_with_what_was_signed() -> None:
    answer = refused()
    assert answer.reason.endswith("shape (4,) instead of (3,)")
    assert (answer.update_hash, answer.attested_examples) == (model_hash(WRONG), 7)
    facts = reply_facts(answer)
    assert (facts.public_key, facts.num_examples) == (KEY.public_key.hex(), 7)


@pytest.mark.parametrize(
    "signed",
    [
        {"round": 1},
        {"run_id": "another"},
        {"num_examples": 8},
        {"update_hash": model_hash(BASE)},
        {"base_hash": model_hash(WRONG)},
    ],
)
def test_a_signature_over_anything_else_blames_nobody(signed: dict[str, Any]) -> None:
    answer = refused(**signed)
    assert (answer.update_hash, answer.signature) == ("", b"")


def test_another_key_blames_nobody() -> None:
    assert refused(key=OTHER).signature == b""


def test_only_the_signed_refusal_is_slashed() -> None:
    for answer, kinds in ((refused(), [OffenceKind.MALFORMED]), (refused(round=1), [])):
        _, slashes = step(
            OffenceState(),
            round_of(answer),
            stakes={"alice": 10**24},
            config=SlashConfig(),
            run_id="run",
        )
        assert [each.offence.kind for each in slashes] == kinds
        assert all(is_proven(each.offence) for each in slashes)
        for each in slashes:
            offence = each.offence
            assert not is_proven(replace(offence, run_id="another"))
            assert not is_proven(replace(offence, num_examples=8))
            assert not is_proven(replace(offence, signature="zz"))


def test_nan_is_kept_and_costs_nothing_yet() -> None:
    answer = refused({"w": np.full(3, np.nan)})
    assert answer.signature
    _, slashes = step(
        OffenceState(), round_of(answer), stakes={"alice": 10**24}, config=SlashConfig()
    )
    assert slashes == ()


def round_of(answer: Answer) -> RoundRecord:
    """Return the record of a round with this answer alone."""
    return RoundRecord(
        round=2,
        base_hash=BASE_HASH,
        model_hash=BASE_HASH,
        facts=RoundFacts(round=2, replies=(reply_facts(answer),)),
        decision=RoundDecision(status=RoundStatus.REJECTED),
        state=ReputationState(standings={"alice": KNOWN}),
    )
