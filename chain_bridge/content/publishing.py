"""Publishing a round: what is pointed to is stored before what points to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from parity_flwr.core.canonical import dumps
from parity_flwr.core.content.records import Publication, PublishedRound
from parity_flwr.core.content.safetensors import safetensors_chunks
from parity_flwr.core.content.scores import ScoreList, ScoreRow
from parity_flwr.core.encoding import model_hash
from parity_flwr.core.protocols import ContentStore, PublicationLog
from parity_flwr.core.records import RoundRecord
from parity_flwr.errors import ContentError


def publish_round(
    store: ContentStore,
    *,
    run_id: str,
    record: RoundRecord,
    model: Mapping[str, NDArray[Any]],
    rows: Sequence[ScoreRow],
    log: PublicationLog,
    head: str = "",
) -> Publication:
    """Store a round's model, scores and record, in this order, then write that down.

    Killed at any point and called again, it ends the same: content has one name, a record
    points only to what was stored before it, and the log is written last. A round that the
    log knows is not published again.

    Parameters
    ----------
    store : ContentStore
        Where to.
    run_id, record, model, rows : keyword-only
        The round, the model after it, and
        :func:`parity_flwr.core.content.scores.score_rows`.
    log : PublicationLog, keyword-only
        What remembers the round; it gives the CID of the round before.
    head : str, keyword-only
        The hash of the round's entry in the journal.

    Raises
    ------
    ContentError
        `model` is not the round's, or the store fails: nothing is published then.
    """
    done = log.published(record.round)
    if done is not None:
        return done
    if model_hash(model) != record.model_hash:
        raise ContentError(
            f"publishing round {record.round} needs its model {record.model_hash[:16]}",
            came=model_hash(model)[:16],
            action="pass the model after the round",
        )
    before = log.before(record.round)
    scores = ScoreList.of(rows, run_id=run_id, round=record.round)
    model_cid = store.put(safetensors_chunks(model))
    scores_cid = store.put(dumps(scores))
    whole = PublishedRound(
        run_id=run_id,
        round=record.round,
        previous=before.record if before else "",
        head=head,
        profile=store.profile.name,
        model=model_cid,
        scores=scores_cid,
        record=record,
    )
    publication = Publication(
        round=record.round,
        record=store.put(dumps(whole)),
        model=model_cid,
        scores=scores_cid,
        reward_root=scores.reward_root,
    )
    for cid in (publication.model, publication.scores, publication.record):
        store.pin(cid)
    log.publish(publication)
    return publication
