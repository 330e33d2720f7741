"""Encrypted rounds over real ClientApps: the mean comes out, nothing else does."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from flwr.app import Context, Message
from flwr.clientapp.typing import ClientAppCallable

from encrypted_runs import (
    ALL,
    ROUND_ERROR,
    agreed,
    close,
    encrypted_app,
    encrypted_run,
    plain_mean,
    reasons,
    values,
)
from parity_flwr.clients import EncryptionPolicy, OutOfRange
from parity_flwr.core.config import GateConfig, TrustConfig
from parity_flwr.core.encryption.terms import CIPHERTEXT, HE_RECORD, SUMS
from parity_flwr.core.records import Verdict
from trust_runs import MODEL, ListJournal, state_of


@pytest.mark.parametrize("keys", ["given", "agreed"])
def test_model_is_the_mean_within_the_stated_error(keys: str) -> None:
    app = encrypted_app(agreed()) if keys == "agreed" else encrypted_app()
    result, *_ = encrypted_run(app)
    assert close(result, plain_mean(range(5)))
    assert all(a.numpy().dtype == MODEL[n].dtype for n, a in result.arrays.items())


def test_no_reply_holds_an_update_or_a_metric_in_clear() -> None:
    replies: list[Message] = []

    def listen(reply: Message) -> Sequence[Message]:
        replies.append(reply)
        return [reply]

    encrypted_run(spoil=dict.fromkeys(range(5), listen), rounds=1)
    updates = [r for r in replies if CIPHERTEXT in r.content.array_records.get("arrays", {})]
    assert len(updates) == 5
    for reply in updates:
        assert list(reply.content["arrays"]) == [CIPHERTEXT]
        assert dict(reply.content["metrics"]) == {"num-examples": 1}
    opened = [r for r in replies if SUMS in r.content.array_records.get("arrays", {})]
    assert len({r.content.array_records["arrays"][SUMS].data for r in opened}) == 1


def test_agreed_secret_never_passes_the_server() -> None:
    contexts: dict[int, Context] = {}

    def remember(message: Message, context: Context, call_next: ClientAppCallable) -> Message:
        contexts[int(context.node_config["partition-id"])] = context
        return call_next(message, context)

    replies: list[Message] = []

    def listen(reply: Message) -> Sequence[Message]:
        replies.append(reply)
        return [reply]

    app = encrypted_app(agreed(), outside=[remember])
    _, grid, _ = encrypted_run(app, spoil=dict.fromkeys(range(5), listen), rounds=1)
    secrets = [c.state.config_records[HE_RECORD]["secret"] for c in contexts.values()]
    assert all(each == secrets[0] for each in secrets)
    secret = secrets[0]
    assert isinstance(secret, bytes)
    told = [repr(m.content).encode() for m in [*grid.sent, *replies]]
    blobs = [
        value
        for message in [*grid.sent, *replies]
        for record in message.content.config_records.values()
        for each in record.values()
        for value in (each if isinstance(each, list) else [each])
        if isinstance(value, bytes)
    ]
    assert blobs
    assert not any(secret in each for each in [*told, *blobs])


def test_weights_are_reputation_times_capped_examples() -> None:
    journal = ListJournal(carried=state_of(client_0=900, client_1=500, client_2=300))
    app = encrypted_app(examples=lambda partition: 10 * (partition + 1))
    encryption = dataclasses.replace(ALL, examples_cap=40)
    result, *_ = encrypted_run(app, encryption=encryption, rounds=1, journal=journal)
    decision = journal.rounds[0].decision.replies
    weights = [each.weight for each in decision]
    assert sum(weights) == pytest.approx(1)
    facts = journal.rounds[0].facts.replies
    assert [each.num_examples for each in facts] == [10, 20, 30, 40, 40]  # the fifth is capped
    trust = [each.alpha for each in decision]
    by_hand = np.array(trust) * [10, 20, 30, 40, 40]
    assert weights == pytest.approx(by_hand / by_hand.sum())
    expected = plain_mean(range(5), rounds=1, weights=weights)
    smallest = min(
        a * n / 40 / max(trust) for a, n in zip(trust, [10, 20, 30, 40, 40], strict=True)
    )
    assert smallest > 0
    found = values(result)
    bound = 5 / (by_hand / 40 / max(trust)).sum() * 1.0 / 2**14 + 1e-6
    assert all(np.abs(found[k] - expected[k]).max() <= bound for k in found)


def test_sum_is_over_those_who_came() -> None:
    def gone(reply: Message) -> Sequence[Message]:
        return []

    journal = ListJournal()
    result, *_ = encrypted_run(spoil={1: gone, 3: gone}, journal=journal)
    assert close(result, plain_mean([0, 2, 4]))
    verdicts = [each.verdict for each in journal.rounds[0].facts.replies]
    assert verdicts.count(Verdict.MISSING) == 2 or len(verdicts) == 3
    assert journal.rounds[0].metrics["he-addends"] == 3


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1.5])
def test_update_that_does_not_fit_is_refused_by_its_client(bad: float) -> None:
    def step(partition: int, round_: int, array: Any) -> Any:
        return array + np.float32(bad if partition == 0 else 0.1)

    journal = ListJournal()
    encrypted_run(encrypted_app(step=step), journal=journal, rounds=1)
    assert reasons(journal)["client-0"] == "error: DataError"


def test_update_out_of_range_is_clipped_and_counted_where_the_client_says_so() -> None:
    def step(partition: int, round_: int, array: Any) -> Any:
        return array + np.float32(3.0 if partition == 0 else 0.5)

    journal = ListJournal()
    policy = EncryptionPolicy(out_of_range=OutOfRange.CLIP)
    result, *_ = encrypted_run(
        encrypted_app(step=step, policy=policy), rounds=1, journal=journal
    )
    assert values(result)["a.bias"] == pytest.approx([0.6] * 3, abs=ROUND_ERROR)
    assert journal.rounds[0].metrics["he-clipped"] == pytest.approx(15 / 5)


def test_abstaining_client_is_not_in_the_sum() -> None:
    journal = ListJournal()
    app = encrypted_app(examples=lambda partition: 0 if partition == 0 else 7)
    result, *_ = encrypted_run(app, journal=journal)
    assert journal.rounds[0].metrics["he-addends"] == 4
    assert close(result, plain_mean([1, 2, 3, 4]))


def test_signatures_can_be_required() -> None:
    config = TrustConfig(gate=GateConfig(require_signature=True))
    result, *_ = encrypted_run(encrypted_app(), config=config, rounds=1)
    assert close(result, plain_mean(range(5), rounds=1), rounds=1)
    journal = ListJournal()
    encrypted_run(encrypted_app(signed=False), config=config, rounds=1, journal=journal)
    assert set(reasons(journal).values()) == {"not signed"}
