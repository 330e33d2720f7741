"""Published rounds: what points to something comes after it, and nothing false is used."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundled_runs import ACCOUNTS, opened, published_run, sealed, sections
from journal_records import model_of, record
from parity_flwr.app.bundle.verifying import verify_bundle
from parity_flwr.app.bundle.writing import bundle_run
from parity_flwr.app.runs.publications import FolderPublications
from parity_flwr.chain_bridge.content import (
    DirectoryStore,
    fetch_round,
    publish_round,
    score_rows,
)
from parity_flwr.core.canonical import dumps, loads
from parity_flwr.core.content.records import (
    EMPTY_ROOT,
    Publication,
    PublishedRound,
    ScoreList,
    ScoreRow,
    score_of,
)
from parity_flwr.core.content.safetensors import decode_safetensors, encode_safetensors
from parity_flwr.core.content.unixfs import Profile, file_cid
from parity_flwr.core.encoding import ModelLimits, encode_model, model_hash
from parity_flwr.core.merkle import MerkleTree
from parity_flwr.core.records import ReputationState, RoundRecord
from parity_flwr.errors import ConfigError, ContentError

ALICE, CAROL = ACCOUNTS["alice"], ACCOUNTS["carol"]


class Killed(BaseException):
    """Somebody pulled the plug."""


@dataclass
class Dying:
    """A store that dies before its k-th call."""

    inner: DirectoryStore
    left: int

    @property
    def profile(self) -> Profile:
        return self.inner.profile

    def _step(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise Killed

    def put(self, data: bytes | Iterable[bytes | memoryview]) -> str:
        self._step()
        return self.inner.put(data)

    def get(self, cid: str, *, max_bytes: int) -> bytes:
        return self.inner.get(cid, max_bytes=max_bytes)

    def pin(self, cid: str) -> None:
        self._step()
        self.inner.pin(cid)


def first_round() -> RoundRecord:
    return record(1, ReputationState())


def publish(
    store: DirectoryStore | Dying, log: FolderPublications, model: Mapping[str, Any]
) -> Publication:
    whole = first_round()
    rows = score_rows(whole.state, accounts=ACCOUNTS, rewards={"alice": 5, "zoe": 7})
    return publish_round(store, run_id="run", record=whole, model=model, rows=rows, log=log)


@pytest.mark.parametrize("steps", range(7))
def test_a_kill_at_any_step_leaves_nothing_dangling(tmp_path: Path, steps: int) -> None:
    store, log = DirectoryStore(folder=tmp_path / "content"), FolderPublications(tmp_path / "p")
    dying = Dying(store, steps)
    if steps < 6:
        with pytest.raises(Killed):
            publish(dying, log, model_of(1))
        assert log.rounds() == []
        for path in (tmp_path / "content").rglob("bafk*"):
            data = path.read_bytes()
            if b'"record":' in data:  # whoever finds the record finds all of the round
                fetch_round(store, path.name)
    published = publish(Dying(store, 6), log, model_of(1))
    assert log.rounds() == [1]
    assert publish(Dying(store, 0), log, model_of(1)) == published  # not again
    clean = DirectoryStore(folder=tmp_path / "clean")
    assert published == publish(clean, FolderPublications(tmp_path / "q"), model_of(1))


def test_another_model_is_not_published(tmp_path: Path) -> None:
    store = DirectoryStore(folder=tmp_path / "content")
    with pytest.raises(ContentError, match="publishing round 1 needs its model"):
        publish(store, FolderPublications(tmp_path / "p"), model_of(2))
    assert not (tmp_path / "content").exists()


def test_from_one_cid_to_all_of_the_run(tmp_path: Path) -> None:
    run, published = published_run(tmp_path / "run")
    store = DirectoryStore(folder=run.content)
    cid, seen = published[-1].record, list[int]()
    while cid:
        found = fetch_round(store, cid)
        seen.append(found.published.round)
        expected = published[found.published.round - 1]
        assert found.scores.rewards_root == expected.rewards_root
        assert model_hash(found.model) == found.published.record.model_hash
        cid = found.published.previous
    assert seen == [3, 2, 1]


def test_a_thousand_flipped_bits_of_published_files_are_found(tmp_path: Path) -> None:
    run, published = published_run(tmp_path / "run")
    store, rng = DirectoryStore(folder=run.content), random.Random(7)
    fetch_round(store, published[-1].record)
    for number in range(1000):
        name = rng.choice([published[-1].model, published[-1].scores, published[-1].record])
        (path,) = run.content.glob(f"*/{name}")
        raw = path.read_bytes()
        flipped, bit = bytearray(raw), rng.randrange(8 * len(raw))
        flipped[bit // 8] ^= 1 << bit % 8
        path.write_bytes(flipped)
        with pytest.raises(ContentError, match=name):
            store.get(name, max_bytes=1 << 20)
        if number % 20 == 0:
            with pytest.raises(ContentError, match=name):
                fetch_round(store, published[-1].record)
        path.write_bytes(raw)


def test_content_of_another_kind_is_refused(tmp_path: Path) -> None:
    store = DirectoryStore(folder=tmp_path)
    for data in (b"", b"null", b"[" * 10_000, b"\xff", dumps(first_round())):
        with pytest.raises(ContentError, match="a PublishedRound under the CID"):
            fetch_round(store, store.put(data))


def test_a_record_that_names_other_scores_or_models_is_refused(tmp_path: Path) -> None:
    store, log = DirectoryStore(folder=tmp_path / "c"), FolderPublications(tmp_path / "p")
    whole = loads(
        store.get(publish(store, log, model_of(1)).record, max_bytes=1 << 20), PublishedRound
    )
    other_model = replace(whole, model=store.put(encode_safetensors(model_of(2))))
    with pytest.raises(ContentError, match="needs the model"):
        fetch_round(store, store.put(dumps(other_model)))
    for rows, message in (
        ((), "has a reputation and no score"),
        (
            [replace(row, score=row.score ^ 1) for row in score_rows(whole.record.state)],
            "its reputation is",
        ),
    ):
        scores = ScoreList.of(rows, run_id="run", round=1)
        forged = replace(whole, scores=store.put(dumps(scores)))
        with pytest.raises(ContentError, match=message):
            fetch_round(store, store.put(dumps(forged)))
    scores = ScoreList.of(score_rows(whole.record.state), run_id="run", round=2)
    with pytest.raises(ContentError, match="another run or round"):
        fetch_round(store, store.put(dumps(replace(whole, scores=store.put(dumps(scores))))))


def forged(
    path: Path, change: Mapping[str, Any], *, number: int = 3, scores: ScoreList | None = None
) -> str:
    """Bundle a published run, forge one round of it, seal it; return what was found."""
    run, _ = published_run(path / "run")
    bundle_run(run, path / "whole")
    parts = sections(path / "whole")
    name = f"published/{number:05d}/record"
    if scores is not None:
        parts[name.replace("record", "scores")] = dumps(scores)
    parts[name] = dumps(replace(loads(parts[name], PublishedRound), **change))
    lines = verify_bundle(sealed(path / "x", parts)).lines
    return next(line.detail for line in lines if line.name == "published rounds")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"run_id": "other"}, "of another run or round"),
        ({"round": 2}, "of another run or round"),
        ({"head": "0" * 64}, "says other than the journal"),
        ({"previous": ""}, "the record follows ''"),
        ({"profile": "mine"}, "needs one of the profiles"),
        ({"scores": "bafk"}, "not those that the record names"),
        ({"model": "bafk"}, "its model has the CID"),
    ],
)
def test_a_forged_record_is_named(
    tmp_path: Path, change: Mapping[str, Any], message: str
) -> None:
    assert message in forged(tmp_path, change)


def test_a_forged_record_breaks_what_follows_it(tmp_path: Path) -> None:
    assert "round 3: the record follows" in forged(tmp_path, {"head": ""}, number=2)


def test_a_reward_that_falls_is_named(tmp_path: Path) -> None:
    run, published = published_run(tmp_path / "first")
    store = DirectoryStore(folder=run.content)
    old = loads(store.get(published[2].scores, max_bytes=1 << 20), ScoreList)
    poorer = [replace(row, reward=row.reward // 4) for row in old.rows]
    scores = ScoreList.of(poorer, run_id="run", round=3)
    cid = str(file_cid([dumps(scores)]))
    assert "the reward of 'alice' fell" in forged(tmp_path, {"scores": cid}, scores=scores)


def test_a_round_that_the_journal_does_not_know_is_named(tmp_path: Path) -> None:
    run, _ = published_run(tmp_path / "run")
    bundle_run(run, tmp_path / "whole")
    parts = sections(tmp_path / "whole")
    parts["published/00009/record"] = parts["published/00003/record"]
    lines = verify_bundle(sealed(tmp_path / "x", parts)).lines
    assert any("round 9 is published and not in the journal" in line.detail for line in lines)
    assert opened(tmp_path / "x").names > opened(tmp_path / "whole").names


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
    model = {
        f"layer{i}.{kind}": rng.normal(size=rng.integers(0, 4, size=i % 4)).astype(kind)
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
