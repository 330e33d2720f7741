"""Reading a published round from its CID alone, believing nothing on the way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

from numpy.typing import NDArray

from parity_flwr.core.canonical import MAX_BYTES, loads
from parity_flwr.core.content.records import PublishedRound, scores_problem
from parity_flwr.core.content.safetensors import decode_safetensors
from parity_flwr.core.content.scores import ScoreList
from parity_flwr.core.encoding import ModelLimits, model_hash
from parity_flwr.core.protocols import ContentStore
from parity_flwr.errors import ContentError, JournalError

Parsed = TypeVar("Parsed", PublishedRound, ScoreList)


@dataclass(frozen=True, kw_only=True)
class FetchedRound:
    """What a published round leads to, all of it checked."""

    published: PublishedRound
    scores: ScoreList
    model: dict[str, NDArray[Any]]


def fetch_round(
    store: ContentStore, cid: str, *, limits: ModelLimits | None = None
) -> FetchedRound:
    """Return a published round with its scores and its model.

    Every file is the one that its CID names, the model has the hash of the record, the scores
    are those of the record's reputation, and their Merkle root is their rows'.

    Parameters
    ----------
    store : ContentStore
        Where the content is.
    cid : str
        Of the round's record.
    limits : ModelLimits, optional, keyword-only
        How large a model may be.

    Raises
    ------
    ContentError
        Something is missing, damaged, too large, or not what was published.
    """
    limits = limits or ModelLimits()
    published = _parsed(store, cid, PublishedRound)
    scores = _parsed(store, published.scores, ScoreList)
    problem = scores_problem(scores, published)
    if problem:
        raise _wrong(f"scores that fit round {published.round}", problem)
    model = decode_safetensors(
        store.get(published.model, max_bytes=limits.max_bytes), limits=limits
    )
    if model_hash(model) != published.record.model_hash:
        raise _wrong(
            f"the model {published.record.model_hash[:16]} of round {published.round}",
            model_hash(model)[:16],
        )
    return FetchedRound(published=published, scores=scores, model=model)


def _parsed(store: ContentStore, cid: str, cls: type[Parsed]) -> Parsed:
    data = store.get(cid, max_bytes=MAX_BYTES)
    try:
        return loads(data, cls)
    except JournalError as error:
        raise _wrong(f"a {cls.__name__} under the CID {cid}", error.came) from error


def _wrong(needed: str, came: str) -> ContentError:
    return ContentError(
        f"published content needs {needed}",
        came=came,
        action="do not use it; ask who published it",
    )
