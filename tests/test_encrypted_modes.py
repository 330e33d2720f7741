"""What the server learns, what travels in clear, what may be inside, what is refused."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from flwr.app import ArrayRecord, Message
from flwr.serverapp.strategy import FedAdam, FedAvg, FedMedian, FedProx, Krum

from encrypted_runs import (
    ALL,
    QUIET,
    ROUND_ERROR,
    SECRET,
    close,
    encrypted_app,
    encrypted_run,
    plain_mean,
    reasons,
    values,
)
from parity_flwr.clients import EncryptionPolicy
from parity_flwr.core.config import (
    Formula,
    TrustConfig,
    WeightConfig,
)
from parity_flwr.core.encryption.sealed_model import open_model
from parity_flwr.core.encryption.terms import CIPHERTEXT, SEALED, Reveal
from parity_flwr.errors import ConfigError
from parity_flwr.strategies import EncryptedAggregation, Encryption, ReputationFedAvg
from trust_runs import MODEL, ListJournal, client_app, run


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


def test_clear_layer_gives_its_example_away() -> None:
    """One step on one example: dW = r x and db = r, so that x = dW / db."""
    example, target = np.array([0.3, -1.2, 0.7, 2.0]), 1.5

    def step(partition: int, round_: int, array: Any) -> Any:
        return array - 0.01 * (0.0 - target) * (example if array.shape == (4,) else 1.0)

    updates: list[Any] = []

    def listen(reply: Message) -> Sequence[Message]:
        arrays = reply.content.array_records.get("arrays", ArrayRecord())
        if CIPHERTEXT in arrays:
            updates.append({k: a.numpy() for k, a in arrays.items() if k != CIPHERTEXT})
        return [reply]

    first = {"first.weight": np.zeros(4), "first.bias": np.zeros(())}
    encrypted_run(
        encrypted_app(step=step, policy=EncryptionPolicy(clear=("first.*",))),
        encryption=dataclasses.replace(ALL, clear=("first.*",)),
        model={**first, "last": np.zeros(2)},
        spoil={0: listen},
        rounds=1,
    )
    seen = updates[0]
    assert seen["first.weight"] / seen["first.bias"] == pytest.approx(example)


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


def test_weights_that_do_not_sum_to_one_are_refused() -> None:
    config = TrustConfig(weights=WeightConfig(formula=Formula.PAPER))
    with pytest.raises(ConfigError, match="fixed before the round and to sum to 1"):
        EncryptedAggregation(encryption=ALL, config=config, journal=None)
