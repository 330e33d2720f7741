"""Score lists give the Merkle root on chain; models survive safetensors, byte for byte."""

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
from parity_flwr.core.content.safetensors import decode_safetensors, encode_safetensors
from parity_flwr.core.content.scores import ScoreList, ScoreRow, score_rows
from parity_flwr.core.economy.reward_tree import NO_LEAVES, Member, reward_tree
from parity_flwr.core.economy.rewards import RewardState
from parity_flwr.core.encoding import ModelLimits, encode_model
from parity_flwr.core.merkle import MerkleTree
from parity_flwr.core.records import ReputationState, Standing
from parity_flwr.errors import ConfigError, ContentError

ALICE, CAROL = ACCOUNTS["alice"], ACCOUNTS["carol"]


def row(identity: str, account: str = "", *, reputation: int = 0, reward: int = 0) -> ScoreRow:
    member = "0x" + identity.encode().hex() * 32 if account else ""
    return ScoreRow(
        identity=identity,
        member=member,
        account=account,
        reputation=reputation,
        cumulative=reward,
    )


def test_the_root_by_hand() -> None:
    rows = (
        row("a", CAROL, reputation=1, reward=3),
        row("b", ALICE, reputation=2, reward=4),
        row("c", ALICE, reputation=3, reward=5),  # two identities may share an account
        row("d", reputation=4, reward=6),  # not registered: no leaf yet
        row("e", CAROL, reputation=5),
    )
    found = ScoreList.of(rows, run_id="run", round=1)
    tree = MerkleTree.of(
        [
            [b"a" * 32, CAROL, 1, 3],
            [b"b" * 32, ALICE, 2, 4],
            [b"c" * 32, ALICE, 3, 5],
            [b"e" * 32, CAROL, 5, 0],
        ],
        types=["bytes32", "address", "uint256", "uint256"],
    )
    assert found.reward_root == "0x" + tree.root.hex()
    assert found.tree.total == 12
    assert loads(dumps(found), ScoreList) == found
    empty = ScoreList.of((row("d", reward=6),), run_id="run", round=1)
    assert empty.reward_root == "0x" + NO_LEAVES.hex()


@given(st.sets(st.sampled_from("abcdef")), st.sets(st.sampled_from("abcdef")))
def test_a_published_list_gives_the_root_of_the_tree_on_chain(
    names: set[str], registered: set[str]
) -> None:
    standing = Standing(scores=(0.0, 0.0, 0.0, 0.0), composite=250.0)
    state = ReputationState(standings=dict.fromkeys(sorted(names), standing))
    members = {name: Member(identity=name.encode() * 32, account=ALICE) for name in registered}
    earned = {name: ord(name) for name in sorted(names)}
    rows = score_rows(state, earned=earned, members=members)
    found = loads(dumps(ScoreList.of(rows, run_id="run", round=1)), ScoreList)
    on_chain = reward_tree(RewardState(earned=earned), state, members)
    assert found.reward_root == "0x" + on_chain.root.hex()
    assert found.tree == on_chain


@pytest.mark.parametrize(
    "change",
    [
        {"rows": ()},
        {"reward_root": "0x" + NO_LEAVES.hex()},
        {"rows": (row("a", ALICE, reputation=1, reward=1),)},
        {"rows": (row("a", ALICE, reward=2),)},
        {"rows": (row("a", CAROL, reward=1),)},
        {"rows": (row("a", ALICE, reward=1),) * 2},
        {"rows": (row("b", ALICE), row("a", ALICE, reward=1))},
    ],
    ids=range(7),
)
def test_a_list_that_does_not_give_its_root_is_refused(change: Mapping[str, Any]) -> None:
    whole = ScoreList.of((row("a", ALICE, reward=1),), run_id="run", round=1)
    with pytest.raises(ConfigError, match="a score list needs"):
        replace(whole, **change)


@pytest.mark.parametrize(
    "change",
    [
        {"account": ALICE.lower()},
        {"account": ""},
        {"member": ""},
        {"member": "0x12"},
        {"member": "0x" + "AB" * 32},
        {"reputation": -1},
        {"reputation": 1_000_000_001},
        {"cumulative": -1},
        {"cumulative": 1 << 128},
    ],
    ids=range(9),
)
def test_a_row_out_of_range_is_refused(change: Mapping[str, Any]) -> None:
    with pytest.raises(ConfigError, match="a score list needs"):
        replace(row("a", ALICE), **change)


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
    model: dict[str, np.ndarray[Any, Any]] = {
        "b": np.array([1, 2], np.int16),
        "a": np.array([[0.5]], np.float32),
    }
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
