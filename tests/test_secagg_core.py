"""The pure core of secure aggregation: exact sums, limits, drop-outs, sparse graphs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from parity_flwr.core.key_agreement import derive_key
from parity_flwr.core.keystream import add_stream, keystream
from parity_flwr.core.secagg import server
from parity_flwr.core.secagg.delivery import pack_delivery, unpack_delivery
from parity_flwr.core.secagg.messages import Deal, Release
from parity_flwr.core.secagg.opening import Opened
from parity_flwr.core.secagg.quantise import Quantiser
from parity_flwr.core.secagg.server import Lost
from parity_flwr.core.secagg.session import Session, quorum
from parity_flwr.core.secagg.state import ClientState
from parity_flwr.core.secagg.update import (
    configuration_hash,
    mean_update,
    summed_length,
    update_words,
)
from parity_flwr.errors import ConfigError, DataError
from secagg_sessions import opened, releases, session, summed, until_masked

MODEL = {"w": np.zeros((2, 2), np.float32), "n": np.array(3)}


def test_chacha20_stream_is_that_of_rfc_8439() -> None:
    """Appendix A.1, test vector 1: key, nonce and counter 0."""
    assert keystream(bytes(32), 4).tobytes().hex() == "76b8e0ada0f13d90405d6ae55386bd28"


def test_stream_is_added_and_taken_off_across_blocks() -> None:
    vector = np.arange(100_001, dtype=np.uint32)
    masked = vector.copy()
    add_stream(masked, bytes([7]) * 32)
    assert np.array_equal(masked - vector, keystream(bytes([7]) * 32, vector.size))
    add_stream(masked, bytes([7]) * 32, subtract=True)
    assert np.array_equal(masked, vector)


def test_derived_keys_differ_by_purpose() -> None:
    assert derive_key(bytes(32), b"ab", b"c") != derive_key(bytes(32), b"a", b"bc")


@given(st.integers(3, 200), st.floats(1e-3, 1e3), st.integers(0, 2**32))
@settings(max_examples=40)
def test_sum_of_addends_is_within_the_stated_error(n: int, limit: float, seed: int) -> None:
    fixed = Quantiser(clipping_range=limit, addends=n)
    values = np.random.default_rng(seed).uniform(-limit, limit, (n, 7))
    values[:, 0], values[:, 1] = limit, -limit  # the extremes must not overflow
    total = np.zeros(7, np.uint32)
    for each in values:
        words = fixed.quantise(each).words
        assert np.abs(fixed.dequantise(words) - each).max() <= 0.5 * fixed.step * (1 + 1e-6)
        total += words
    assert np.abs(fixed.dequantise(total) - values.sum(axis=0)).max() <= n * fixed.step
    assert fixed.levels * n < 2**31


def test_stochastic_rounding_is_unbiased_and_stays_in_range() -> None:
    fixed = Quantiser(clipping_range=1.0, addends=2**16)
    value = 0.25 * fixed.step
    mean = fixed.dequantise(
        fixed.quantise(np.full(40_000, value), rounding_key=bytes([5]) * 32).words
    ).mean()
    assert mean == pytest.approx(value, abs=5 * fixed.step * 0.43 / 200)
    edges = fixed.quantise(np.array([1.0, -1.0]), rounding_key=bytes(32)).words.view(np.int32)
    assert edges.tolist() == [fixed.levels, -fixed.levels]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_none_are_refused_even_when_clipping(bad: float) -> None:
    with pytest.raises(DataError, match="finite numbers"):
        Quantiser(clipping_range=1.0, addends=3).quantise(np.array([0.0, bad]), clip=True)


def test_nothing_is_clipped_in_silence() -> None:
    fixed = Quantiser(clipping_range=1.0, addends=3)
    with pytest.raises(DataError, match="magnitude 1 at most; got 2"):
        fixed.quantise(np.array([1.5, 0.0, -2.0]))
    cut = fixed.quantise(np.array([1.5, 0.0, -2.0]), clip=True)
    assert cut.clipped == 2
    assert fixed.dequantise(cut.words).tolist() == [1.0, 0.0, -1.0]


@pytest.mark.parametrize(("limit", "addends"), [(0.0, 3), (np.nan, 3), (1.0, 0), (1.0, 2**17)])
def test_unusable_fixed_point_is_refused(limit: float, addends: int) -> None:
    with pytest.raises(ConfigError):
        Quantiser(clipping_range=limit, addends=addends)


def test_weights_are_capped_and_the_mean_is_weighted() -> None:
    made = Session(**{**session(3, length=summed_length(MODEL)).to_record(), "weight_cap": 40})
    total = np.zeros(made.length, np.uint32)
    for step, examples in ((0.5, 10), (0.1, 1_000_000), (0.9, 0)):
        trained = {"w": MODEL["w"] + np.float32(step), "n": np.array(9)}
        total += update_words(made, MODEL, trained, num_examples=examples).words
    mean = mean_update(made, total, clients=3)
    assert not isinstance(mean, str)
    assert mean.weight == pytest.approx(0.25 + 1.0)
    assert mean.update == pytest.approx(np.full(4, (0.25 * 0.5 + 0.1) / 1.25), abs=1e-7)


def test_clipped_numbers_are_counted_in_the_sum() -> None:
    made = session(3, length=summed_length(MODEL))
    trained = {"w": MODEL["w"] + np.float32(5), "n": np.array(3)}
    one = update_words(made, MODEL, trained, num_examples=1, clip=True)
    mean = mean_update(made, one.words + one.words, clients=2)
    assert not isinstance(mean, str)
    assert (one.clipped, mean.clipped) == (4, 8)


@pytest.mark.parametrize(
    ("total", "reason"),
    [
        ([0, 0, 0, 0, 0, 0], "no client has examples"),
        ([0, 0, 0, 0, 2**32 - 1, 0], "weights do not sum"),
        ([0, 0, 0, 0, 2**31 - 1, 0], "weights do not sum"),
        ([2**31 - 1, 0, 0, 0, 1, 0], "beyond what clients may send"),
    ],
)
def test_impossible_sums_are_refused(total: list[int], reason: str) -> None:
    made = session(3, length=6)
    found = mean_update(made, np.array(total, np.uint32), clients=2)
    assert isinstance(found, str)
    assert reason in found


@pytest.mark.parametrize(
    "trained",
    [
        {"w": MODEL["w"]},
        {"w": np.zeros(4, np.float32), "n": np.array(3)},
        {"w": np.zeros((2, 2), np.int64), "n": np.array(3)},
        {"w": np.full((2, 2), np.nan, np.float32), "n": np.array(3)},
    ],
)
def test_another_model_is_not_masked(trained: dict[str, NDArray[Any]]) -> None:
    with pytest.raises(ConfigError):
        update_words(session(3, length=6), MODEL, trained, num_examples=1)


def test_number_of_examples_must_be_a_count() -> None:
    with pytest.raises(ConfigError, match="integer number of examples"):
        update_words(session(3, length=6), MODEL, MODEL, num_examples=-1)


@pytest.mark.parametrize("clients", [3, 4, 10])
def test_sum_is_exact(clients: int) -> None:
    made, dealt = until_masked(clients)
    done = summed(made, dealt)
    outcome = opened(made, done)
    assert isinstance(outcome, Opened)
    assert np.array_equal(outcome.words, made.expected(done.survivors))
    assert outcome.wrong == {}


def test_single_vectors_are_hidden() -> None:
    """What the server gets of one client differs from its words everywhere it can."""
    made, _ = until_masked(10)
    again, _ = until_masked(10)
    for each in made.inputs:
        assert not np.array_equal(made.inputs[each].words, made.words[each])
        assert not np.array_equal(made.inputs[each].words, again.inputs[each].words)


@pytest.mark.parametrize("stages", [("share",), ("mask",), ("unmask",), ("share", "mask")])
def test_drop_outs_at_each_stage(stages: tuple[str, ...]) -> None:
    first = {each: [100 + k for k in range(3 // len(stages))] for each in stages[:1]}
    absent = {**first, **{each: [108] for each in stages[1:]}}
    made, dealt = until_masked(10, absent=absent)
    done = summed(made, dealt)
    outcome = opened(made, done, absent.get("unmask", ()))
    assert isinstance(outcome, Opened)
    assert np.array_equal(outcome.words, made.expected(done.survivors))


def test_too_few_for_a_quorum_is_said() -> None:
    made, dealt = until_masked(10)
    few = {each: made.inputs[each] for each in list(made.inputs)[:6]}
    outcome, _ = server.collect_masked(dealt, few)
    assert outcome == Lost("6 of 7 masked vectors came")
    assert server.collect_deals(dealt.participants, {}) == Lost(
        "0 of 7 participants dealt shares"
    )
    done = summed(made, dealt)
    some = dict(list(releases(made, done).items())[:6])
    from parity_flwr.core.secagg.opening import open_sum

    assert open_sum(done, some) == Lost("6 of 7 survivors answered to unmask")


def test_quorums_exclude_two_stories() -> None:
    """2q > n + c for every c up to a third of n (rounded down, one less)."""
    for n in range(3, 400):
        assert 2 * quorum(n) > n + (n - 1) // 3
        assert quorum(n) <= n


def test_state_survives_storage() -> None:
    made, _ = until_masked(4)
    for state in made.states.values():
        assert ClientState.from_record(state.to_record()) == state
    assert "root" not in repr(next(iter(made.states.values())))


def test_messages_survive_the_wire() -> None:
    made, dealt = until_masked(5, absent={"mask": [104]})
    done = summed(made, dealt)
    for deal in made.deals.values():
        # Five hold shares, and four are needed: three of them are derived.
        assert Deal.from_record(deal.to_record(), sealed_to=2, holders=5) == deal
    for each, release in releases(made, done).items():
        seed_of, key_of = done.reveals(each)
        again = Release.from_record(release.to_record(), seed_of=seed_of, key_of=key_of)
        assert again == release
        assert (seed_of, key_of) == ((100, 101, 102, 103), (104,))
    for each in dealt.participants.ids:
        packed = pack_delivery(dealt.participants, each, dealt.delivery(each))
        assert len(packed["sealed"]) == 2 * 80
        assert unpack_delivery(packed, dealt.participants, each) == dealt.delivery(each)
    assert Session.from_record(made.session.to_record()) == made.session


@pytest.mark.parametrize(
    "change",
    [
        {"nonce": b""}, {"nonce": "text"}, {"round": -1}, {"round": True}, {"length": 0},
        {"length": 2**40}, {"addends": 2}, {"clipping_range": float("inf")},
        {"clipping_range": 1}, {"degree": -1}, {"run_id": "x" * 300}, {"weight_cap": 1.5},
    ],
)  # fmt: skip
def test_malformed_announcements_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        Session.from_record({**session().to_record(), **change})
    with pytest.raises(ConfigError):
        Session.from_record({})


def test_configuration_hash_tells_types_and_places_apart() -> None:
    hashes = {
        configuration_hash(each)
        for each in (
            {"config": {"lr": 1}},
            {"config": {"lr": 1.0}},
            {"config": {"lr": True}},
            {"config": {"lr": "1"}},
            {"other": {"lr": 1}},
            {"config": {"lr": 1, "b": b"x"}},
        )
    }
    assert len(hashes) == 6
