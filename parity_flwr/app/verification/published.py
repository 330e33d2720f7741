"""The check that what a run published says what its journal says."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any, Protocol, TypeGuard

from numpy.typing import NDArray

from parity_flwr.app.journal.chain import Entry, Record
from parity_flwr.app.runs.checkpoint import CheckpointStore
from parity_flwr.app.runs.folder import RunFolder
from parity_flwr.app.runs.publications import FolderPublications
from parity_flwr.app.verification.checks import Findings, Line
from parity_flwr.chain_bridge.content.directory import DirectoryStore
from parity_flwr.core.canonical import MAX_BYTES, dumps, loads
from parity_flwr.core.content.records import Publication, PublishedRound, scores_problem
from parity_flwr.core.content.safetensors import safetensors_chunks
from parity_flwr.core.content.scores import ScoreList
from parity_flwr.core.content.unixfs import PROFILES, Profile, file_cid
from parity_flwr.core.records import RoundRecord
from parity_flwr.errors import ConfigError, ContentError, ParityError


class PublishedFiles(Protocol):
    """Where published files are; each method raises ``ParityError`` for what is missing."""

    def rounds(self) -> Set[int]:
        """Return the rounds that are published."""
        ...

    def record(self, round_number: int) -> bytes:
        """Return the record of one."""
        ...

    def scores(self, round_number: int) -> bytes:
        """Return the scores of one."""
        ...

    def model(self, record: RoundRecord) -> Mapping[str, NDArray[Any]]:
        """Return the model after the last round."""
        ...


class FolderPublished:
    """What a run published, in its own folder (implements ``PublishedFiles``).

    Parameters
    ----------
    run : RunFolder
        The run.
    """

    def __init__(self, run: RunFolder) -> None:
        self._log = FolderPublications(run.publications)
        self._content = DirectoryStore(folder=run.content)
        self._checkpoints = CheckpointStore(folder=run.checkpoints)

    def rounds(self) -> Set[int]:
        """Return the rounds that are published."""
        return frozenset(self._log.rounds())

    def record(self, round_number: int) -> bytes:
        """Return the record of one, checked against its CID."""
        return self._content.get(self._noted(round_number).record, max_bytes=MAX_BYTES)

    def scores(self, round_number: int) -> bytes:
        """Return the scores of one, checked against their CID."""
        return self._content.get(self._noted(round_number).scores, max_bytes=MAX_BYTES)

    def model(self, record: RoundRecord) -> Mapping[str, NDArray[Any]]:
        """Return the model of a round's checkpoint."""
        return self._checkpoints.read(record.round, expected_hash=record.model_hash).model

    def _noted(self, round_number: int) -> Publication:
        found = self._log.published(round_number)
        if found is None:
            raise ContentError(
                f"round {round_number} needs a note of where it is published",
                came="none",
                action="publish it again",
            )
        return found


class PublishedCheck:
    """What was published of each round says what the journal says, root and CIDs included.

    Rewards and accounts stand in no journal entry: that the root is theirs and that no
    reward falls is checked here, that they were earned is not.

    Parameters
    ----------
    files : PublishedFiles
        What was published.
    run_id : str, keyword-only
        The run.
    """

    def __init__(self, files: PublishedFiles, *, run_id: str) -> None:
        self._findings = Findings("published rounds")
        self._files = files
        self._run_id = run_id
        self._waiting = set(files.rounds())
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
        raw = self._files.record(record.round)
        published = loads(raw, PublishedRound)
        profile = _profile(published.profile)
        if published.run_id != self._run_id or published.round != record.round:
            return "the record is of another run or round"
        if dumps(published.record) != dumps(record) or published.head not in ("", entry.hash):
            return "the record says other than the journal"
        if published.previous != self._cid:
            return f"the record follows {published.previous[:70]!r}, not {self._cid[:70]!r}"
        self._before, self._cid = published, str(file_cid([raw], profile=profile))
        scores = self._files.scores(record.round)
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
            pieces = safetensors_chunks(self._files.model(published.record))
            found = str(file_cid(pieces, profile=_profile(published.profile)))
        except ParityError as error:
            found = str(error)[:120]
        self._findings.require(
            found == published.model,
            f"round {published.round}: its model has the CID {found}, {published.model:.70} is "
            "published",
        )


def _profile(name: str) -> Profile:
    if name not in PROFILES:
        raise ConfigError(
            f"published content needs one of the profiles {', '.join(PROFILES)}",
            came=ascii(name)[:60],
            action="publish it again with one of them",
        )
    return PROFILES[name]
