"""What a reputation strategy remembers between rounds, and how it gets into the journal."""

from __future__ import annotations

import dataclasses
import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import entry_points, version
from typing import Any

import numpy as np
from flwr.serverapp import Grid
from numpy.typing import NDArray

from parity_flwr.core.config import TrustConfig
from parity_flwr.core.encoding import model_hash
from parity_flwr.core.modes import mode_name
from parity_flwr.core.protocols import ClientStateStore, Journal, Ledger
from parity_flwr.core.records import (
    Checkpoint,
    EvaluationRecord,
    ReputationState,
    Resumption,
    RoundRecord,
    RoundStatus,
    RunHeader,
)
from parity_flwr.core.sketch import commitment
from parity_flwr.core.wire import REPUTATION_FROM, RESUME

JOURNAL_GROUP = "parity_flwr.journal"
"""Entry-point group whose ``default`` opens the journal of a run, if there is one."""


class Automatic:
    """The journal that the environment offers: the type of :data:`AUTOMATIC`."""

    def __repr__(self) -> str:
        return "AUTOMATIC"


AUTOMATIC = Automatic()
"""Journal in ``$PARITY_RUN_DIR``, else in a new run under ``$PARITY_HOME``."""


def open_journal(
    journal: Journal | Automatic | None, *, run_config: Mapping[str, object] | None = None
) -> Journal | None:
    """Return the journal to write to, None for none.

    ``run_config`` is what the run's submitter overrode: with "parity-resume" or
    "parity-reputation-from" in it, the entry point is called with both as keywords.
    """
    if not isinstance(journal, Automatic):
        return journal
    asked = _asked(run_config or {})
    for entry in entry_points(group=JOURNAL_GROUP, name="default"):
        opened: Journal | None = entry.load()(**asked)
        return opened
    return None


def _asked(run_config: Mapping[str, object]) -> dict[str, str]:
    names = {"resume": RESUME, "reputation_from": REPUTATION_FROM}
    found = {name: str(run_config.get(key) or "") for name, key in names.items()}
    return found if any(found.values()) else {}


def sketch_seed(seed: int | None) -> bytes:
    """Return the secret seed of a run's update sketches: 32 bytes.

    With a run seed it follows from it, so that the run can be repeated; the run seed is the
    server's and no client learns it. Without one it is drawn.
    """
    if seed is None:
        return secrets.token_bytes(32)
    return hashlib.sha256(b"parity-flwr sketch seed" + str(seed).encode()).digest()


@dataclass
class Bookkeeper:
    """Reputation, memory and journal of one run.

    Parameters
    ----------
    config : TrustConfig
        Constants.
    seed : int or None
        The run's seed.
    carried : ReputationState or None
        Reputation from an earlier run; None to take what the journal offers.
    ledger : Ledger or None
        Told of every round that the journal has.
    """

    config: TrustConfig
    seed: int | None = None
    carried: ReputationState | None = None
    ledger: Ledger | None = None
    journal: Journal | None = None
    run_id: str = ""
    state: ReputationState = field(default_factory=ReputationState)
    memory: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    secret: bytes = b""
    rounds: int = 0  # settled by this process
    accepted_rounds: int = 0
    moved_rounds: int = 0  # those of them that made a new model
    evaluated: set[tuple[int, str]] = field(default_factory=set)
    extra: Mapping[str, Any] = field(default_factory=dict)  # more of the header's config

    @property
    def baseline(self) -> bool:
        """Whether the inner strategy runs alone, for comparison."""
        return self.journal is not None and self.journal.baseline

    def begin(
        self,
        journal: Journal | None,
        *,
        names: tuple[str, str],
        rounds: int,
        initial_hash: str,
        flower_run_id: int | None = None,
    ) -> Resumption | None:
        """Open the run; return where it stopped if the journal holds rounds already.

        ``names`` are the strategy's and the inner strategy's class names; what stands in
        ``extra`` becomes part of the header's configuration.
        """
        offered = journal.carried if journal else None
        self.state = self.carried or offered or self.state
        self.journal, self.secret = journal, sketch_seed(self.seed)
        self.run_id = journal.run_id if journal else secrets.token_hex(8)
        if journal is None:
            return None
        header = RunHeader(
            strategy=names[0],
            inner=names[1],
            config=_plain({**dataclasses.asdict(self.config), **self.extra}),
            num_rounds=rounds,
            seed=self.seed,
            model_hash=initial_hash,
            sketch_commitment=commitment(self.secret),
            initial_state=self.state,
            environment={
                "mode": mode_name(self.config),
                **_environment(flower_run_id, baseline=journal.baseline),
            },
        )
        resumption = journal.begin(header)
        if resumption is not None:
            self._restore(resumption)
        return resumption

    def _restore(self, resumption: Resumption) -> None:
        self.state = resumption.state
        self.memory = dict(resumption.checkpoint.memory)
        self.secret = resumption.checkpoint.sketch_seed
        self.evaluated = set(resumption.evaluated)
        moved = model_hash(resumption.checkpoint.model) != resumption.header.model_hash
        self.rounds, self.accepted_rounds, self.moved_rounds = 1, int(moved), int(moved)

    def commit(
        self,
        record: RoundRecord,
        *,
        model: Mapping[str, NDArray[Any]],
        inner: Mapping[str, NDArray[Any]],
        memory: dict[str, NDArray[np.float64]],
        grid: Grid | None,
        updates: Mapping[str, Mapping[str, NDArray[Any]]],
        base: Mapping[str, NDArray[Any]],
    ) -> None:
        """Write the round to the journal, then make its state the current one.

        In that order: what could not be written did not happen.
        """
        if self.journal is not None:
            checkpoint = Checkpoint(
                round=record.round,
                model=model,
                inner=inner,
                memory=memory,
                sketch_seed=self.secret,
                client_state=_client_state(grid),
            )
            kept = self.journal.keep_updates
            self.journal.commit(
                record, checkpoint, updates if kept else None, base=base if kept else None
            )
            if self.ledger is not None:
                self.ledger.publish(record)
        self.state, self.memory = record.state, memory
        self.rounds += 1
        accepted = record.decision.status is RoundStatus.ACCEPTED
        self.accepted_rounds += accepted
        self.moved_rounds += accepted and not record.note

    def evaluate(self, round: int, source: str, metrics: Mapping[str, object]) -> None:
        """Write the metrics of an evaluation once; what is not a finite number is left out."""
        if self.journal is None or (round, source) in self.evaluated:
            return
        self.evaluated.add((round, source))
        self.journal.evaluate(
            EvaluationRecord(round=round, source=source, metrics=plain_metrics(metrics))
        )

    @property
    def failure(self) -> str:
        """Why the run has failed although it came to its end, empty if it has not."""
        if self.rounds == 0 or self.moved_rounds > 0:
            return ""
        if self.accepted_rounds == 0:
            return "no round was accepted"
        return "the inner strategy made no new model in any round"

    def finish(self, status: str, reason: str = "") -> None:
        """Close the journal. Only a completed run reveals the sketches' seed."""
        if self.journal is not None:
            revealed = self.secret if status == "completed" else b""
            self.journal.finish(status, reason, sketch_seed=revealed)


def _client_state(grid: Grid | None) -> bytes | None:
    return grid.save_client_state() if isinstance(grid, ClientStateStore) else None


def plain_metrics(metrics: Mapping[str, object]) -> dict[str, float]:
    """Return the finite numbers among the metrics as floats."""
    numbers = {k: float(v) for k, v in metrics.items() if isinstance(v, int | float)}
    return {name: value for name, value in numbers.items() if np.isfinite(value)}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(each) for each in value]
    return value


def _environment(flower_run_id: int | None, *, baseline: bool) -> dict[str, str]:
    found = {name: version(name) for name in ("parity-flwr", "flwr", "numpy")}
    run_id = "" if flower_run_id is None else str(flower_run_id)
    return {**found, "flower-run-id": run_id, **({"baseline": "1"} if baseline else {})}
