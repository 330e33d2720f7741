"""The journal that strategies write: one round, one transaction."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from numpy.typing import NDArray

from parity_flwr.app.journal.agreement import continued
from parity_flwr.app.journal.appending import JournalWriter
from parity_flwr.app.journal.chain import Ending
from parity_flwr.app.journal.database import Database
from parity_flwr.app.runs.checkpoint import CheckpointStore, UpdateStore, write_model
from parity_flwr.app.runs.disk_cap import DiskCap
from parity_flwr.app.runs.folder import RunFolder
from parity_flwr.app.runs.in_use import Hold
from parity_flwr.app.runs.publications import FolderPublications
from parity_flwr.core.protocols import Ledger
from parity_flwr.core.records import (
    Action,
    Checkpoint,
    EvaluationRecord,
    ReputationState,
    Resumption,
    RoundRecord,
    RunHeader,
)
from parity_flwr.core.sketch import commitment
from parity_flwr.errors import CheckpointError, ConfigError, JournalError, RunError

_FINAL = "completed"


class SqlJournal(JournalWriter):
    """A run's journal in SQLite or PostgreSQL, with its checkpoints in the run's folder.

    Implements :class:`parity_flwr.core.protocols.Journal`.

    Parameters
    ----------
    url : str
        The database, see :class:`Database`.
    run_id : str
        Names the run in it.
    folder : RunFolder
        Where checkpoints, updates and the final model go.
    keep_updates : bool
        Whether to keep the accepted updates, for ``verify --updates``.
    keep : int, keyword-only
        How many checkpoints to keep.
    timeout_s : float, keyword-only
        How long to wait for another process's lock.
    carried : ReputationState or None, keyword-only
        Reputation that a strategy should start from.
    baseline : bool, keyword-only
        Whether a strategy should run its inner strategy alone, for comparison.
    ledger : Ledger or None, keyword-only
        Told of each round once it is committed; it must not wait for anything.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> folder = RunFolder.create(pathlib.Path(tempfile.mkdtemp()), "doc")
    >>> journal = SqlJournal(folder.journal_url, folder.id, folder)
    >>> header = RunHeader(strategy="Reputation", inner="FedAvg", config={}, num_rounds=1,
    ...                    seed=0, model_hash="", sketch_commitment="")
    >>> journal.begin(header)
    >>> journal.status().status
    'running'
    """

    def __init__(
        self,
        url: str,
        run_id: str,
        folder: RunFolder,
        keep_updates: bool = False,
        *,
        keep: int = 3,
        timeout_s: float = 30.0,
        carried: ReputationState | None = None,
        baseline: bool = False,
        ledger: Ledger | None = None,
    ) -> None:
        super().__init__(Database(url, timeout_s=timeout_s), run_id)
        self.folder = folder
        self.keep_updates = keep_updates
        self.carried = carried
        self.baseline = baseline
        self.ledger = ledger
        self.checkpoints = CheckpointStore(folder=folder.checkpoints, keep=keep)
        self.updates = UpdateStore(folder.updates)
        self.cap = DiskCap(folder=folder)
        self._hold: Hold | None = None

    def begin(self, header: RunHeader) -> Resumption | None:
        """Start the run, or continue it: None if the journal holds no round yet.

        Raises
        ------
        JournalError
            The journal cannot be used, or knows another run under this id.
        CheckpointError
            The last round's checkpoint is missing or damaged.
        RunError
            The run has already completed.
        """
        self._hold = Hold(self.folder.make().path)
        self.database.create()
        self.checkpoints.clean()
        self._register()
        recorded = self.header()
        if recorded is None:
            self._write(header)
            return None
        self._require_unfinished()
        return self._continue(recorded, header)

    def commit(
        self,
        record: RoundRecord,
        checkpoint: Checkpoint,
        updates: Mapping[str, Mapping[str, NDArray[Any]]] | None = None,
        *,
        base: Mapping[str, NDArray[Any]] | None = None,
    ) -> None:
        """Write one round with its checkpoint, atomically.

        The checkpoint is on the disk before the one transaction that makes the round exist:
        a crash in between leaves a file that the repeated round overwrites.
        """
        self._require_next(record.round, checkpoint)
        if updates is not None and self.keep_updates:
            self._keep(record.round, updates, base)
        self._save(checkpoint)
        self._write(replace(record, metrics=_finite(record.metrics, record.round)))
        self.checkpoints.prune(record.round, spare=self._to_be_published)
        self.cap.enforce(self.checkpoints, record.round, spare=self._to_be_published)
        if self.ledger is not None:
            self.ledger.publish(record)

    def evaluate(self, record: EvaluationRecord) -> None:
        """Write the metrics of an evaluation; a metric that is not finite is left out."""
        self._write(replace(record, metrics=_finite(record.metrics, record.round)))

    def add_action(self, action: Action) -> Action:
        """Append a ban or a pardon, from any process; return it with its sequence.

        Raises
        ------
        ConfigError
            The action is neither a ban nor an unban, or names nobody.
        JournalError
            The run is unknown, or the journal cannot be used.
        """
        if action.kind not in {"ban", "unban"} or not action.identity:
            raise ConfigError(
                "an action needs the kind 'ban' or 'unban' and an identity",
                came=f"{action.kind!r:.40} of {action.identity!r:.80}",
                action="run 'parity reputation RUN' to list the identities",
            )
        sequence = self._write(action)
        return replace(action, sequence=sequence)

    def finish(self, status: str, reason: str = "", *, sketch_seed: bytes = b"") -> None:
        """Close the run as "completed" or "failed", and reveal the sketches' seed."""
        current = self.status()
        if not current.status == status == _FINAL:
            if status == _FINAL and current.round:
                self._save_model(current.round)
            self._write(Ending(status=status, reason=reason, sketch_seed=sketch_seed.hex()))
        if self._hold is not None:
            self._hold.release()

    def _require_unfinished(self) -> None:
        status = self.status()
        if status.status == _FINAL:
            raise RunError(
                f"continuing the run {self.run_id} needs an unfinished one",
                came=f"one that completed {status.round} rounds",
                action="start a new run; --reputation-from carries its reputation over",
            )

    def _continue(self, recorded: RunHeader, given: RunHeader) -> Resumption | None:
        renewed = continued(recorded, given)
        last = self.last_round()
        if last is None:
            # Nothing depends on the first start yet, its secrets are gone with its process.
            self._write(given)
            return None
        checkpoint = self.checkpoints.read(last.round, expected_hash=last.model_hash)
        _require_seed(checkpoint, renewed)
        evaluated = frozenset((each.round, each.source) for each in self.evaluations())
        self._write(renewed)
        return Resumption(
            header=renewed, state=last.state, checkpoint=checkpoint, evaluated=evaluated
        )

    def _require_next(self, round_number: int, checkpoint: Checkpoint) -> None:
        expected = self.status().round + 1
        if round_number != expected or checkpoint.round != expected:
            raise JournalError(
                f"the journal of {self.run_id} needs round {expected} next",
                came=f"round {round_number} with checkpoint {checkpoint.round}",
                action="make sure that one process only runs this run",
            )

    def _keep(
        self,
        round_number: int,
        updates: Mapping[str, Mapping[str, NDArray[Any]]],
        base: Mapping[str, NDArray[Any]] | None,
    ) -> None:
        self.updates.write(round_number, updates)
        if base is not None:
            write_model(self.updates.base_path(round_number), base)

    def _to_be_published(self, round_number: int) -> bool:
        """Say whether a publisher, which made the folder, has yet to read a checkpoint."""
        publications = FolderPublications(self.folder.publications)
        return publications.folder.is_dir() and not publications.has(round_number)

    def _save(self, checkpoint: Checkpoint) -> None:
        self.checkpoints.write(checkpoint)

    def _save_model(self, round_number: int) -> None:
        write_model(self.folder.model, self.checkpoints.read(round_number).model)


def _finite(metrics: Mapping[str, float], round_number: int) -> dict[str, float]:
    """Return the metrics that JSON can hold; a loss of NaN must not end a run."""
    left_out = [name for name, value in metrics.items() if not math.isfinite(value)]
    if left_out:
        names = ", ".join(repr(name)[:40] for name in left_out[:5])
        logging.getLogger("flwr").warning(
            "round %d: not finite, left out of the journal: %s", round_number, names
        )
    return {name: float(value) for name, value in metrics.items() if name not in left_out}


def _require_seed(checkpoint: Checkpoint, header: RunHeader) -> None:
    if (
        checkpoint.sketch_seed
        and commitment(checkpoint.sketch_seed) != header.sketch_commitment
    ):
        raise CheckpointError(
            "a checkpoint needs the sketch seed that the run committed to",
            came="another seed",
            action="restore the file from a backup, or start a new run",
        )
