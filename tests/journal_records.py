"""Rounds as a strategy would write them, without a strategy: facts drawn from a seed."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from parity_flwr.app.journal import SqlJournal
from parity_flwr.app.runs.folder import RunFolder
from parity_flwr.core.config import TrustConfig
from parity_flwr.core.encoding import model_hash
from parity_flwr.core.records import (
    Action,
    Checkpoint,
    EvaluationRecord,
    ReplyFacts,
    ReputationState,
    RoundFacts,
    RoundRecord,
    RunHeader,
    Verdict,
)
from parity_flwr.core.rounds import decide

SECRET = bytes(range(32))
CLIENTS = ("alice", "bob", "carol", "dave", "<b>mallory</b>")
CONFIG = TrustConfig()


def model_of(round_number: int) -> dict[str, np.ndarray[Any, Any]]:
    """Return the model after a round, told apart by its numbers."""
    rng = np.random.default_rng(round_number)
    return {
        "layer/0.weight": rng.normal(size=(3, 4)).astype(np.float32),
        "bias": np.array(float(round_number)),
        "steps": np.array([round_number], dtype=np.int64),
    }


def header(num_rounds: int = 5, **changes: Any) -> RunHeader:
    """Return the header of the run that :func:`rounds` gives."""
    whole = RunHeader(
        strategy="ReputationFedAvg",
        inner="FedAvg",
        config=dataclasses.asdict(CONFIG),
        num_rounds=num_rounds,
        seed=7,
        model_hash=model_hash(model_of(0)),
        sketch_commitment=hashlib.sha256(SECRET).hexdigest(),
        environment={"engine": "test"},
    )
    return dataclasses.replace(whole, **changes)


def replies(round_number: int) -> tuple[ReplyFacts, ...]:
    """Return one reply a client: four that pass, one that the gate refuses."""
    rng = np.random.default_rng(100 + round_number)
    names = sorted(CLIENTS)
    facts = [
        ReplyFacts(
            identity=name,
            verdict=Verdict.ACCEPTED,
            node_id=2**63 + index,
            update_hash=hashlib.sha256(f"{name}{round_number}".encode()).hexdigest(),
            num_examples=10 + index,
            norm=float(rng.uniform(1, 2)),
            rho=float(rng.uniform(1, 2)),
            deviation=float(rng.uniform(0, 1)),
            figures={"cosine": float(rng.normal())},
        )
        for index, name in enumerate(names)
    ]
    refused = ReplyFacts(
        identity=names[0], verdict=Verdict.QUARANTINED, reason="NaN\0 in \N{SNOWMAN}", node_id=1
    )
    return (refused, *facts[1:])


def record(
    round_number: int, state: ReputationState, actions: tuple[Action, ...] = ()
) -> RoundRecord:
    """Return the record of one round, decided as a strategy decides it."""
    facts = RoundFacts(round=round_number, replies=replies(round_number), actions=actions)
    after, decision = decide(state, facts, CONFIG)
    return RoundRecord(
        round=round_number,
        base_hash=model_hash(model_of(round_number - 1)),
        model_hash=model_hash(model_of(round_number)),
        facts=facts,
        decision=decision,
        state=after,
        metrics={"loss": 1 / round_number},
    )


def checkpoint(round_number: int) -> Checkpoint:
    """Return the checkpoint that goes with a round."""
    return Checkpoint(
        round=round_number,
        model=model_of(round_number),
        inner={"momentum": np.full(3, round_number, dtype=np.float32)},
        memory={"../alice": np.arange(4.0)},
        sketch_seed=SECRET,
        client_state=b"state" * round_number,
    )


def play(journal: SqlJournal, num_rounds: int = 5) -> ReputationState:
    """Run or resume a run to its last round, as a strategy does; return the state."""
    resumption = journal.begin(header(num_rounds))
    state = resumption.state if resumption else ReputationState()
    done = resumption.checkpoint.round if resumption else 0
    for round_number in range(done + 1, num_rounds + 1):
        whole = record(round_number, state, journal.actions())
        journal.commit(whole, checkpoint(round_number))
        journal.evaluate(
            EvaluationRecord(
                round=round_number, source="server", metrics={"accuracy": round_number / 10}
            )
        )
        state = whole.state
    return state


def journal_in(path: Path, **options: Any) -> SqlJournal:
    """Return the journal of a run in the folder ``path``."""
    folder = RunFolder(path)
    return SqlJournal(folder.journal_url, folder.id, folder, **options)


def finished(path: Path, num_rounds: int = 3) -> RunFolder:
    """Return the folder of a completed run with a ban in its second round."""
    journal = journal_in(path)
    play(journal, 1)
    journal.add_action(Action(kind="ban", identity="bob", reason="said so"))
    play(journal, num_rounds)
    journal.finish("completed", sketch_seed=SECRET)
    return journal.folder


def leaves(folder: Path) -> Iterator[Path]:
    """Yield every file below a folder."""
    return (path for path in sorted(folder.rglob("*")) if path.is_file())
