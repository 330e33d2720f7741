"""A run's model and scores of a round in its content store, under the CIDs on chain."""

from __future__ import annotations

from collections.abc import Sequence

from parity_flwr.app.chains.feed import RoundFeed
from parity_flwr.app.journal.sql_journal import SqlJournal
from parity_flwr.app.runs.publications import FolderPublications
from parity_flwr.chain_bridge.content.publishing import publish_round
from parity_flwr.chain_bridge.publisher import RoundContent
from parity_flwr.core.canonical import MAX_BYTES, loads
from parity_flwr.core.content.cid import Cid
from parity_flwr.core.content.records import Publication
from parity_flwr.core.content.scores import ScoreList, ScoreRow
from parity_flwr.core.protocols import ContentStore
from parity_flwr.core.records import RoundRecord


class ContentFiles:
    """Publishes rounds from the run's checkpoints.

    Implements :class:`parity_flwr.chain_bridge.publisher.RoundFiles`.

    Parameters
    ----------
    journal : SqlJournal
        Names the run; its folder holds checkpoints and publications.
    store : ContentStore, keyword-only
    feed : RoundFeed, keyword-only
        Knows the hash of each round's entry.
    """

    def __init__(self, journal: SqlJournal, *, store: ContentStore, feed: RoundFeed) -> None:
        self._journal = journal
        self._store = store
        self._feed = feed
        self._log = FolderPublications(journal.folder.publications)

    def put(self, record: RoundRecord, rows: Sequence[ScoreRow]) -> RoundContent:
        """Store model, scores and record, unless that was done; return what names them.

        Raises
        ------
        CheckpointError
            The round's checkpoint is gone: the run began without a chain.
        ContentError
            The store fails, or holds something else.
        """
        done = self._log.published(record.round) or self._publish(record, rows)
        scores = loads(self._store.get(done.scores, max_bytes=MAX_BYTES), ScoreList)
        return RoundContent(
            model_cid=bytes(Cid.parse(done.model)),
            scores_cid=bytes(Cid.parse(done.scores)),
            scores=scores,
        )

    def _publish(self, record: RoundRecord, rows: Sequence[ScoreRow]) -> Publication:
        checkpoint = self._journal.checkpoints.read(
            record.round, expected_hash=record.model_hash
        )
        return publish_round(
            self._store,
            run_id=self._journal.run_id,
            record=record,
            model=checkpoint.model,
            rows=rows,
            log=self._log,
            head=self._feed.head(record.round),
        )
