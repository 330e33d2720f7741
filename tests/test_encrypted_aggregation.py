"""Encrypted rounds over real ClientApps: the mean comes out, nothing else does."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp.typing import ClientAppCallable
from flwr.serverapp.strategy import FedAdam, FedAvg, FedMedian, FedProx, Krum

from encrypted_runs import (
    QUIET,
    agreed,
    encrypted_app,
    encrypted_run,
    plain_mean,
    replaced,
    values,
)
from parity_flwr.clients import EncryptionPolicy, OutOfRange
from parity_flwr.core.config import GateConfig, TrustConfig
from parity_flwr.core.encryption import BfvCipher, BfvPlan, GroupSecret
from parity_flwr.core.encryption.sealed_model import open_model
from parity_flwr.core.encryption.terms import CIPHERTEXT, HE_RECORD, SEALED, SUMS, Reveal
from parity_flwr.core.records import Verdict
from parity_flwr.errors import ConfigError, RunError
from parity_flwr.strategies import EncryptedAggregation, Encryption, ReputationFedAvg
from trust_runs import MODEL, ListJournal, client_app, run, state_of

ROUND_ERROR = 2.0 / 2**15 + 1e-6  # of one round's mean: clip 1, weight 1, and float32
ALL = Encryption(clip=1.0)
SECRET = GroupSecret(bytes(range(32)))  # what GIVEN holds


def close(result: Any, expected: Any, rounds: int = 2) -> bool:
    found = values(result)
    assert list(found) == list(expected)
    return all(np.abs(found[k] - expected[k]).max() <= rounds * ROUND_ERROR for k in found)


def reasons(journal: ListJournal, round_: int = 1) -> dict[str, str]:
    facts = journal.rounds[round_ - 1].facts.replies
    return {each.identity: each.reason for each in facts if each.reason}


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
    secrets = {c.state.config_records[HE_RECORD]["secret"] for c in contexts.values()}
    assert len(secrets) == 1
    secret = secrets.pop()
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


def test_server_that_learns_nothing_gets_sealed_models_only() -> None:
    encryption = dataclasses.replace(ALL, reveal=Reveal.NOTHING)
    policy = EncryptionPolicy(reveal=Reveal.NOTHING)
    seen: list[Any] = []
    journal = ListJournal()
    sampling = dataclasses.replace(QUIET, fraction_evaluate=1.0)
    result, _, strategy = encrypted_run(
        encrypted_app(policy=policy, seen=seen),
        encryption=encryption,
        journal=journal,
        sampling=sampling,
    )
    assert list(result.arrays) == [SEALED]
    opened = open_model(values(result), SECRET, run_id=strategy.book.run_id)
    expected = plain_mean(range(5))
    assert list(opened) == list(MODEL)
    for name, array in opened.items():
        assert np.abs(array - expected[name]).max() <= 2 * ROUND_ERROR
    assert [list(each) for each in seen] == [list(MODEL)] * 2
    total = result.evaluate_metrics_clientapp[2]["total"]  # clients evaluate what they open
    assert total == pytest.approx(sum(a.sum() for a in opened.values()), rel=1e-5)
    assert list(journal.checkpoints[-1].model) == [SEALED]


def test_server_that_learns_nothing_evaluates_nothing() -> None:
    strategy = EncryptedAggregation(
        encryption=dataclasses.replace(ALL, reveal=Reveal.NOTHING), journal=None
    )
    with pytest.raises(ConfigError, match="no model to evaluate"):
        run(strategy, app=encrypted_app(), evaluate_fn=lambda r, a: None)


def test_client_that_reveals_nothing_leaves_a_round_that_does() -> None:
    journal = ListJournal()
    app = encrypted_app(policy=EncryptionPolicy(reveal=Reveal.NOTHING))
    encrypted_run(app, journal=journal, rounds=1)
    assert set(reasons(journal).values()) == {"error: ConfigError"}


def test_chosen_layers_travel_in_clear_and_the_others_do_not() -> None:
    encryption = dataclasses.replace(ALL, clear=("a.*",))
    policy = EncryptionPolicy(clear=("a.*",))
    replies: list[Message] = []

    def listen(reply: Message) -> Sequence[Message]:
        replies.append(reply)
        return [reply]

    result, *_ = encrypted_run(
        encrypted_app(policy=policy), encryption=encryption, spoil={0: listen}
    )
    assert close(result, plain_mean(range(5)))
    update = next(r for r in replies if CIPHERTEXT in r.content.get("arrays", {}))
    assert set(update.content["arrays"]) == {CIPHERTEXT, "a.bias"}


def test_client_decides_what_travels_in_clear() -> None:
    journal = ListJournal()
    encrypted_run(
        encryption=dataclasses.replace(ALL, clear=("a.*",)), journal=journal, rounds=1
    )
    assert set(reasons(journal).values()) == {"error: ConfigError"}


def test_selective_encryption_needs_something_encrypted_and_a_server_that_averages() -> None:
    with pytest.raises(ConfigError, match="cannot average arrays that travel in clear"):
        Encryption(clip=1.0, clear=("a.*",), reveal=Reveal.NOTHING)
    with pytest.raises(ConfigError, match="floats that is not in clear"):
        encrypted_run(encryption=dataclasses.replace(ALL, clear=("*",)))


def test_counters_stay_and_chosen_counters_become_the_median() -> None:
    model = {**MODEL, "batches": np.array(7)}

    def step(partition: int, round_: int, array: Any) -> Any:
        return array + partition if array.dtype.kind == "i" else array + np.float32(0.1)

    stays, *_ = encrypted_run(encrypted_app(step=step), model=model, rounds=1)
    assert int(values(stays)["batches"]) == 7
    policy = EncryptionPolicy(clear=("batches",))
    moved, *_ = encrypted_run(
        encrypted_app(step=step, policy=policy),
        encryption=dataclasses.replace(ALL, clear=("batches",)),
        model=model,
        rounds=1,
    )
    assert int(values(moved)["batches"]) == 9


def test_server_optimiser_sees_the_mean() -> None:
    def step(partition: int, round_: int, array: Any) -> Any:
        return array + np.float32(0.125)  # a point of the grid

    encrypted, *_ = encrypted_run(encrypted_app(step=step), inner=FedAdam(eta=0.01))
    clear, _ = run(
        ReputationFedAvg(sampling=QUIET, journal=None), app=client_app(step), rounds=1
    )
    assert clear.arrays
    by_flower, _ = run(FedAdam(eta=0.01, fraction_evaluate=0.0), app=client_app(step), rounds=2)
    for name, array in values(by_flower).items():
        assert values(encrypted)[name] == pytest.approx(array, abs=1e-6)


class Subclass(FedAvg):
    """May look at the replies one by one."""


@pytest.mark.parametrize("inner", [Krum(), FedMedian(), Subclass()])
def test_strategy_that_needs_each_update_is_refused(inner: Any) -> None:
    with pytest.raises(ConfigError, match="sees the mean update and nothing else"):
        EncryptedAggregation(inner, encryption=ALL, journal=None)


def test_server_optimiser_without_a_model_is_refused() -> None:
    blind = dataclasses.replace(ALL, reveal=Reveal.NOTHING)
    EncryptedAggregation(FedProx(), encryption=blind, journal=None)
    with pytest.raises(ConfigError, match="FedAvg, FedProx; got FedAdam"):
        EncryptedAggregation(FedAdam(), encryption=blind, journal=None)


def test_client_refuses_to_train_for_a_strategy_that_would_see_its_update() -> None:
    journal = ListJournal()
    strategy = ReputationFedAvg(sampling=QUIET, journal=journal)
    run(strategy, app=encrypted_app(), rounds=1)
    assert set(reasons(journal).values()) == {"error: ConfigError"}


def test_signatures_can_be_required() -> None:
    config = TrustConfig(gate=GateConfig(require_signature=True))
    result, *_ = encrypted_run(encrypted_app(), config=config, rounds=1)
    assert close(result, plain_mean(range(5), rounds=1), rounds=1)
    journal = ListJournal()
    encrypted_run(encrypted_app(signed=False), config=config, rounds=1, journal=journal)
    assert set(reasons(journal).values()) == {"not signed"}


@pytest.mark.parametrize(
    "options",
    [
        {"clip": 0.0},
        {"clip": float("nan")},
        {"clip": 1.0, "levels": 3},
        {"clip": 1.0, "examples_cap": 0},
        {"clip": 1.0, "minimum": 1},
        {"clip": 1.0, "openers": 0},
        {"clip": 1.0, "timeout_s": 0.0},
    ],
)
def test_encryption_that_promises_nothing_is_refused(options: Any) -> None:
    with pytest.raises(ConfigError):
        Encryption(**options)
