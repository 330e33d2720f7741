"""Published rounds: what points to something comes after it, and nothing false is used."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from bundled_runs import MEMBERS, opened, published_run, sealed, sections
from journal_records import model_of, record
from parity_flwr.app.bundle.verifying import verify_bundle
from parity_flwr.app.bundle.writing import bundle_run
from parity_flwr.app.runs.publications import FolderPublications
from parity_flwr.app.verification.checks import Line
from parity_flwr.app.verification.trust import Trust
from parity_flwr.app.verification.verify import verify
from parity_flwr.chain_bridge.content import (
    DirectoryStore,
    fetch_round,
    publish_round,
)
from parity_flwr.core.canonical import dumps, loads
from parity_flwr.core.content.records import (
    Publication,
    PublishedRound,
)
from parity_flwr.core.content.safetensors import encode_safetensors
from parity_flwr.core.content.scores import ScoreList, score_rows
from parity_flwr.core.content.unixfs import Profile, file_cid
from parity_flwr.core.encoding import model_hash
from parity_flwr.core.records import ReputationState, RoundRecord
from parity_flwr.errors import ContentError


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
    rows = score_rows(whole.state, members=MEMBERS, earned={"alice": 5, "zoe": 7})
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
        assert found.scores.reward_root == expected.reward_root
        assert model_hash(found.model) == found.published.record.model_hash
        cid = found.published.previous
    assert seen == [3, 2, 1]


def test_rounds_that_were_not_published_are_skipped(tmp_path: Path) -> None:
    run, published = published_run(tmp_path / "run", only=frozenset({1, 3}))
    last = fetch_round(DirectoryStore(folder=run.content), published[-1].record)
    assert last.published.previous == published[0].record
    bundle_run(run, tmp_path / "x")
    lines = {line.name: line for line in verify_bundle(tmp_path / "x").lines}
    assert lines["published rounds"].detail == "2 say the same"


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
        if number % 100 == 0:
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
        ((), "stands in only one of record and scores"),
        (
            [
                replace(row, reputation=row.reputation ^ 1)
                for row in score_rows(whole.record.state)
            ],
            "has the reputation",
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
    poorer = [replace(row, cumulative=row.cumulative // 4) for row in old.rows]
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


def test_a_run_is_compared_with_what_it_published(tmp_path: Path) -> None:
    run, published = published_run(tmp_path / "run")
    lines = {line.name: line for line in verify(run).lines}
    assert lines["published rounds"] == Line("published rounds", True, "3 say the same")
    assert verify(run, trust=Trust.parse(published[2].record)).ok
    assert not verify(run, trust=Trust.parse(published[1].record)).ok
    (block,) = run.content.glob(f"*/{published[1].scores}")
    block.write_bytes(block.read_bytes()[:-1])
    failed = {line.name: line.detail for line in verify(run).lines if line.ok is False}
    assert list(failed) == ["published rounds"]
    assert published[1].scores in failed["published rounds"]
