"""Checks of what only a bundle holds: the model, the published rounds, the updates."""

from __future__ import annotations

import hashlib
from typing import TypeGuard

from parity_flwr.app.bundle.sealed import Bundle
from parity_flwr.app.journal.chain import Entry, Record
from parity_flwr.app.verification.checks import Findings, Line
from parity_flwr.core.canonical import MAX_BYTES, dumps, loads
from parity_flwr.core.content.records import PublishedRound, scores_problem
from parity_flwr.core.content.safetensors import safetensors_chunks
from parity_flwr.core.content.scores import ScoreList
from parity_flwr.core.content.unixfs import PROFILES, Profile, file_cid
from parity_flwr.core.encoding import ModelLimits, decode_model
from parity_flwr.core.records import RoundRecord
from parity_flwr.errors import (
    ConfigError,
    ContentError,
    ParityError,
)


class ModelCheck:
    """The model in the bundle is the one that the last round left.

    Parameters
    ----------
    bundle : Bundle
        The bundle.
    """

    def __init__(self, bundle: Bundle) -> None:
        self._findings = Findings("model")
        self._bundle = bundle
        self._last: RoundRecord | None = None

    def see(self, entry: Entry, record: Record) -> None:
        """Look at the next entry."""
        if isinstance(record, RoundRecord):
            self._last = record

    def line(self) -> Line:
        """Return the outcome."""
        if self._last is None:
            extra = "model" in self._bundle.names
            self._findings.require(not extra, "there is a model and no round that left it")
            return self._findings.line("model", otherwise="no round yet")
        try:
            digest = hashlib.sha256()  # of the canonical form, which is the section itself
            for piece in self._bundle.pieces("model"):
                digest.update(piece)
            found = digest.hexdigest()
        except ContentError as error:
            found = error.came
        self._findings.require(
            found == self._last.model_hash,
            f"the model is {found[:60]}, round {self._last.round} left "
            f"{self._last.model_hash[:16]}",
        )
        line = self._findings.line("model")
        detail = f"is what round {self._last.round} left" if line.ok else line.detail
        return Line(line.name, line.ok, detail)


class PublishedCheck:
    """What was published of each round says what the journal says, root and CIDs included.

    Rewards and accounts stand in no journal entry: that the root is theirs and that no
    reward falls is checked here, that they were earned is not.

    Parameters
    ----------
    bundle : Bundle
        The bundle.
    """

    def __init__(self, bundle: Bundle) -> None:
        self._findings = Findings("published rounds")
        self._bundle = bundle
        parts = (name.split("/") for name in bundle.names)
        self._waiting = {int(part[1]) for part in parts if part[0] == "published"}
        self._before: PublishedRound | None = None
        self._earned: dict[str, int] = {}
        self._newest: RoundRecord | None = None
        self._cid = ""  # of the newest published record

    def see(self, entry: Entry, record: Record) -> None:
        """Look at the next entry."""
        if isinstance(record, RoundRecord):
            self._newest = record
            if record.round in self._waiting:
                self._waiting.discard(record.round)
                try:
                    problem = self._problem(entry, record)
                except (ParityError, LookupError, ValueError) as error:
                    problem = str(error)[:300]
                self._findings.require(not problem, f"round {record.round}: {problem}")

    def line(self) -> Line:
        """Return the outcome."""
        for number in sorted(self._waiting):
            self._findings.require(False, f"round {number} is published and not in the journal")
        rounds = self._findings.held
        if self._is_newest(self._before):
            self._check_model(self._before)
        line = self._findings.line("", otherwise="nothing is published")
        return Line(line.name, line.ok, f"{rounds} say the same" if line.ok else line.detail)

    @property
    def root(self) -> str:
        """The CID that commits to the whole journal: of the last round, with its head."""
        published = self._before
        return self._cid if self._is_newest(published) and published.head else ""

    def _is_newest(self, published: PublishedRound | None) -> TypeGuard[PublishedRound]:
        newest = self._newest
        return published is not None and newest is not None and published.round == newest.round

    def _problem(self, entry: Entry, record: RoundRecord) -> str:
        raw = self._read(record.round, "record")
        published = loads(raw, PublishedRound)
        profile = _profile(published.profile)
        if published.run_id != self._bundle.contents.run_id or published.round != record.round:
            return "the record is of another run or round"
        if dumps(published.record) != dumps(record) or published.head not in ("", entry.hash):
            return "the record says other than the journal"
        if published.previous != self._cid:
            return f"the record follows {published.previous[:70]!r}, not {self._cid[:70]!r}"
        self._before, self._cid = published, str(file_cid([raw], profile=profile))
        scores = self._read(record.round, "scores")
        if str(file_cid([scores], profile=profile)) != published.scores:
            return "the scores are not those that the record names"
        return self._scores_problem(loads(scores, ScoreList), published)

    def _scores_problem(self, scores: ScoreList, published: PublishedRound) -> str:
        if problem := scores_problem(scores, published):
            return problem
        before, self._earned = (
            self._earned,
            {row.identity: row.cumulative for row in scores.rows},
        )
        for name, reward in before.items():
            if self._earned.get(name, 0) < reward:
                return f"the reward of {name!r:.60} fell"
        return ""

    def _check_model(self, published: PublishedRound) -> None:
        try:
            limits = ModelLimits()
            raw = self._bundle.read("model", max_bytes=limits.max_bytes)
            pieces = safetensors_chunks(decode_model(raw, limits=limits))
            found = str(file_cid(pieces, profile=_profile(published.profile)))
        except ParityError as error:
            found = str(error)[:120]
        self._findings.require(
            found == published.model,
            f"round {published.round}: its model has the CID {found}, {published.model:.70} is "
            "published",
        )

    def _read(self, number: int, part: str) -> bytes:
        return self._bundle.read(f"published/{number:05d}/{part}", max_bytes=MAX_BYTES)


def _profile(name: str) -> Profile:
    if name not in PROFILES:
        raise ConfigError(
            f"published content needs one of the profiles {', '.join(PROFILES)}",
            came=ascii(name)[:60],
            action="publish it again with one of them",
        )
    return PROFILES[name]
