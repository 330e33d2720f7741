"""Hostile ciphertexts and openings: quarantined or outvoted, with a reason, never a crash."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Sequence

import numpy as np
import pytest
from flwr.app import (
    Array,
    ArrayRecord,
    ConfigRecord,
    Context,
    Message,
    MetricRecord,
    RecordDict,
)
from flwr.clientapp.typing import ClientAppCallable

from encrypted_runs import (
    ALL,
    SECRET,
    close,
    encrypted_app,
    encrypted_run,
    plain_mean,
    reasons,
    replaced,
    values,
)
from flower_messages import node
from parity_flwr.clients import EncryptionPolicy
from parity_flwr.core.encryption import BfvCipher, BfvPlan, GroupSecret
from parity_flwr.core.encryption.terms import CIPHERTEXT, HE_RECORD, SUMS, Phase
from parity_flwr.errors import RunError
from trust_runs import MODEL, ListJournal, record


def test_client_gone_before_the_opening_costs_nothing() -> None:
    def no_opening(reply: Message) -> Sequence[Message]:
        arrays = reply.content.array_records.get("arrays", ArrayRecord())
        return [] if SUMS in arrays else [reply]

    journal = ListJournal()
    result, *_ = encrypted_run(spoil={0: no_opening, 1: no_opening}, journal=journal)
    assert close(result, plain_mean(range(5)))
    assert journal.rounds[0].metrics["he-agreeing"] == 3


def lying(reply: Message) -> Sequence[Message]:
    """Open the sum wrongly."""
    arrays = reply.content.array_records.get("arrays", ArrayRecord())
    if SUMS in arrays:
        arrays[SUMS] = Array(arrays[SUMS].numpy() + np.uint32(1))
    return [reply]


def test_minority_that_lies_about_the_sum_is_overruled() -> None:
    app = encrypted_app(signed=False)
    result, *_ = encrypted_run(app, spoil={0: lying, 4: lying})
    assert close(result, plain_mean(range(5)))


def test_majority_of_openers_missing_leaves_the_model() -> None:
    journal = ListJournal()
    result, *_ = encrypted_run(
        encrypted_app(signed=False),
        spoil=dict.fromkeys(
            range(5), lambda r: [] if SUMS in r.content.get("arrays", {}) else [r]
        ),
        journal=journal,
        rounds=1,
    )
    assert journal.rounds[0].note == "the sum was not opened: 0 of 5 clients agree"
    assert values(result)["b.weight"].tolist() == MODEL["b.weight"].tolist()


def test_signed_openings_cannot_be_changed_on_the_way() -> None:
    """Two changed openings of five fail their signatures, so three agree."""
    journal = ListJournal()
    encrypted_run(spoil={0: lying, 1: lying}, journal=journal, rounds=1)
    assert journal.rounds[0].metrics["he-agreeing"] == 3


def test_few_openers_are_enough() -> None:
    encryption = dataclasses.replace(ALL, openers=3)
    result, grid, _ = encrypted_run(encryption=encryption, rounds=1)
    openings = [m for m in grid.messages("train") if CIPHERTEXT in m.content.get("arrays", {})]
    assert len(openings) == 3
    assert close(result, plain_mean(range(5), rounds=1), rounds=1)


def test_sum_under_the_minimum_is_not_opened() -> None:
    journal = ListJournal()
    encryption = dataclasses.replace(ALL, minimum=4)
    result, grid, _ = encrypted_run(
        encryption=encryption,
        spoil=dict.fromkeys((0, 1), lambda r: [] if "arrays" in r.content else [r]),
        journal=journal,
        rounds=1,
    )
    assert journal.rounds[0].note == "a sum of 4 updates is needed, 3 came"
    assert values(result)["a.bias"].tolist() == [0, 0, 0]
    assert not [m for m in grid.sent if CIPHERTEXT in m.content.get("arrays", {})]


def test_client_does_not_open_a_sum_under_its_own_minimum() -> None:
    journal = ListJournal()
    app = encrypted_app(policy=EncryptionPolicy(minimum=6))
    encrypted_run(app, journal=journal, rounds=1)
    assert "0 of 5 clients agree" in journal.rounds[0].note


def test_too_few_holders_is_an_error() -> None:
    with pytest.raises(RunError, match="needs 3 nodes with the secret; got 2 of 2"):
        encrypted_run(clients=2)


FOREIGN = BfvCipher(BfvPlan(addends=5, clip=1.0), GroupSecret(bytes(32)))


OTHER_PLAN = BfvCipher(BfvPlan(addends=6, clip=1.0), SECRET)


ZEROS = BfvPlan(addends=5, clip=1.0).grid.quantise(np.zeros(15))


GENUINE = BfvCipher(BfvPlan(addends=5, clip=1.0), SECRET).encrypt(ZEROS)


HOSTILE = {
    "truncated": (GENUINE[:-1], "of their length"),
    "half": (GENUINE[: len(GENUINE) // 2], "of their length"),
    "empty": (b"", "other bytes"),
    "random": (random.Random(1).randbytes(4000), "other bytes"),
    "huge": (bytes(1 << 20), "other bytes"),
    "longer": (GENUINE + b"x", "nothing after the last"),
    "another key": (FOREIGN.encrypt(ZEROS), "the round's key; got another"),
    "another context": (OTHER_PLAN.encrypt(ZEROS), "the round's parameters; got others"),
    "body": (GENUINE[:100] + bytes(1000) + GENUINE[1100:], "SEAL refuses"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_ciphertext_is_quarantined_with_a_reason(name: str) -> None:
    data, reason = HOSTILE[name]
    journal = ListJournal()
    app = encrypted_app(signed=False)
    result, *_ = encrypted_run(
        app, spoil={2: replaced(CIPHERTEXT, data)}, journal=journal, rounds=1
    )
    assert reason in reasons(journal)["client-2"]
    assert close(result, plain_mean([0, 1, 3, 4], rounds=1), rounds=1)


def test_well_formed_ciphertext_under_another_key_spoils_the_round_not_the_model() -> None:
    """It claims the round's key: only the count of addends inside tells."""
    FOREIGN.key_id = SECRET.id
    journal = ListJournal()
    result, *_ = encrypted_run(
        encrypted_app(signed=False),
        spoil={2: replaced(CIPHERTEXT, FOREIGN.encrypt(ZEROS))},
        journal=journal,
        rounds=1,
    )
    FOREIGN.key_id = GroupSecret(bytes(32)).id
    assert "the sum was not opened" in journal.rounds[0].note
    assert values(result)["a.bias"].tolist() == [0, 0, 0]


def test_reply_in_clear_is_quarantined() -> None:
    def clear(message: Message, context: Context, call_next: ClientAppCallable) -> Message:
        record = message.content.config_records.get(HE_RECORD)
        if context.node_config["partition-id"] == 1 and record and record["phase"] == "update":
            told = MetricRecord({"num-examples": 1})
            content = RecordDict({"arrays": message.content["arrays"], "metrics": told})
            return Message(content, reply_to=message)
        return call_next(message, context)

    journal = ListJournal()
    encrypted_run(encrypted_app(outside=[clear]), journal=journal, rounds=1)
    assert "no encrypted update" in reasons(journal)["client-1"]


@pytest.mark.parametrize("phase", list(Phase))
def test_no_phase_makes_a_client_train_and_answer_in_clear(
    phase: Phase, task_identity: None
) -> None:
    """Whatever a server writes into a train message, no model comes back in clear."""
    app = encrypted_app()
    terms = ALL.terms(addends=5, factor=1.0).to_values()
    told = {**terms, "run": "run", "key-id": SECRET.id, "phase": phase.value}
    for kind in ("train", "train.default", "evaluate"):
        records: dict[str, ArrayRecord | MetricRecord | ConfigRecord] = {
            "arrays": record(MODEL),
            "config": ConfigRecord({"server-round": 1}),
            HE_RECORD: ConfigRecord({**told, "size": 15, "total": 1.0}),
        }
        reply = app(Message(RecordDict(records), 1000, kind), node())
        if not reply.has_error():
            names = [name for each in reply.content.array_records.values() for name in each]
            assert names in ([], [CIPHERTEXT])
            assert bool(names) == (phase is Phase.UPDATE and kind != "evaluate")
