"""Score lists give their Merkle roots; models survive safetensors, byte for byte."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundled_runs import ACCOUNTS
from parity_flwr.core.canonical import dumps, loads
from parity_flwr.core.content.records import (
    EMPTY_ROOT,
    ScoreList,
    ScoreRow,
    score_of,
)
from parity_flwr.core.content.safetensors import decode_safetensors, encode_safetensors
from parity_flwr.core.encoding import ModelLimits, encode_model
from parity_flwr.core.merkle import MerkleTree
from parity_flwr.errors import ConfigError, ContentError

ALICE, CAROL = ACCOUNTS["alice"], ACCOUNTS["carol"]


def test_roots_by_hand() -> None:
    rows = (
        ScoreRow(index=0, identity="a", account=CAROL, score=1, reward=3),
        ScoreRow(index=1, identity="b", account=ALICE, score=2, reward=4),
        ScoreRow(index=2, identity="c", account=ALICE, score=3, reward=5),
        ScoreRow(index=3, identity="d", score=4, reward=6),  # no account: no leaf yet
        ScoreRow(index=4, identity="e", account=CAROL, score=5),
    )
    found = ScoreList.of(rows, run_id="run", round=1)
    rewards = MerkleTree.of([[ALICE, 9], [CAROL, 3]], types=["address", "uint256"])
    scores = MerkleTree.of(
        [[i, "abcde"[i], i + 1] for i in range(5)], types=["uint256", "string", "uint256"]
    )
    assert found.rewards_root == "0x" + rewards.root.hex()
    assert found.scores_root == "0x" + scores.root.hex()
    assert loads(dumps(found), ScoreList) == found
    empty = ScoreList.of((), run_id="run", round=1)
    assert empty.scores_root == empty.rewards_root == EMPTY_ROOT


@pytest.mark.parametrize(
    "change",
    [
        {"rows": ()},
        {"scores_root": EMPTY_ROOT},
        {"rewards_root": EMPTY_ROOT},
        {"rows": (ScoreRow(index=1, identity="a", score=0, account=ALICE, reward=1),)},
        {"rows": (ScoreRow(index=0, identity="a", score=1, account=ALICE, reward=1),)},
        {"rows": (ScoreRow(index=0, identity="a", score=0, account=ALICE, reward=1),) * 2},
    ],
    ids=range(6),
)
def test_a_list_that_does_not_give_its_roots_is_refused(change: Mapping[str, Any]) -> None:
    row = ScoreRow(index=0, identity="a", score=0, account=ALICE, reward=1)
    whole = ScoreList.of((row,), run_id="run", round=1)
    with pytest.raises(ConfigError, match="a score list needs"):
        replace(whole, **change)


@pytest.mark.parametrize(
    "change",
    [
        {"account": ALICE.lower()},
        {"account": "0x12"},
        {"account": "x"},
        {"score": -1},
        {"score": 1_000_001},
        {"reward": -1},
        {"reward": 1 << 128},
    ],
    ids=range(7),
)
def test_a_row_out_of_range_is_refused(change: Mapping[str, Any]) -> None:
    with pytest.raises(ConfigError, match="a score list needs"):
        replace(ScoreRow(index=0, identity="a", score=0), **change)


def test_scores_are_millionths_and_ties_go_to_even() -> None:
    assert [score_of(x) for x in (0.0, 1 / 16, 3 / 16, 123.4567, 1000.0)] == [
        0, 62, 188, 123457, 1_000_000,
    ]  # fmt: skip


@given(st.integers(0, 2**32), st.lists(st.sampled_from("?bBhHiIlLefd"), max_size=6))
def test_models_survive_safetensors(seed: int, kinds: list[str]) -> None:
    rng = np.random.default_rng(seed)
    model: dict[str, np.ndarray[Any, Any]] = {
        f"layer{i}.{kind}": np.asarray(rng.normal(size=rng.integers(0, 4, size=i % 4))).astype(
            kind
        )
        for i, kind in enumerate(kinds)
    }
    data = encode_safetensors(model)
    found = decode_safetensors(data)
    assert encode_model(found) == encode_model(model)
    assert (int.from_bytes(data[:8], "little")) % 8 == 0


def test_the_bytes_are_those_of_the_reference_writer() -> None:
    # safetensors 0.8.0: safetensors.numpy.save({"b": int16 [1, 2], "a": float32 [[0.5]]})
    model = {"b": np.array([1, 2], np.int16), "a": np.array([[0.5]], np.float32)}
    header = (
        b'{"a":{"dtype":"F32","shape":[1,1],"data_offsets":[0,4]},'
        b'"b":{"dtype":"I16","shape":[2],"data_offsets":[4,8]}}   '
    )
    expected = len(header).to_bytes(8, "little") + header + b"\0\0\0?\x01\0\x02\0"
    assert encode_safetensors(model) == expected


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"[]",
        b"{",
        b"[" * 1000,
        b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}',
        b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}',
        b'{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}',
        b'{"a":{"dtype":"O","shape":[1],"data_offsets":[0,4]}}',
        b'{"a":{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}}',
        b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4,8]}}',
        b'{"__metadata__":{"a":"b"}}',
        b'{"a":{"dtype":"F32","shape":[' + b"9" * 30 + b',0],"data_offsets":[0,0]}}',
        b'{ "a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}',
    ],
    ids=range(13),
)
def test_hostile_safetensors_are_refused(header: bytes) -> None:
    data = len(header).to_bytes(8, "little") + header + b"\0\0\0\0"
    with pytest.raises(ContentError, match="a safetensors file needs"):
        decode_safetensors(data)


def test_safetensors_have_limits() -> None:
    data = encode_safetensors({"a": np.zeros(100), "b": np.zeros(1)})
    for limits in (ModelLimits(max_bytes=100), ModelLimits(max_arrays=1)):
        with pytest.raises(ContentError, match="a safetensors file needs"):
            decode_safetensors(data, limits=limits)
    with pytest.raises(ConfigError, match="arrays of real numbers"):
        encode_safetensors({"a": np.zeros(1, complex)})
    with pytest.raises(ConfigError, match="arrays of real numbers"):
        encode_safetensors({"__metadata__": np.zeros(1)})
