"""A real federation with cheats in it, as the records that a journal would hold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from parity_flwr.app.compare.contenders import DEFAULT
from parity_flwr.app.compare.reputation import Reputable
from parity_flwr.app.compare.simulation import Run
from parity_flwr.app.compare.task import Task
from parity_flwr.core.encoding import model_hash
from parity_flwr.core.records import RoundRecord
from parity_flwr.errors import RunError


@dataclass(frozen=True, kw_only=True)
class PlayedRound:
    """One round and the model's accuracy after it, on part of the test set."""

    record: RoundRecord
    accuracy: float


def play(task: Task, *, attack: str, fraction: float) -> Iterator[PlayedRound]:
    """Train round after round under the default strategy; the attackers cheat in each.

    ``attack`` "none" plays the same federation with the same participants, all honest.
    Replies are not signed and none is lost: what happens is training, lies and judgement.

    Raises
    ------
    RunError
        If the model stops being finite, which the default strategy prevents.
    """
    run = Run(task, strategy=DEFAULT, attack=attack, fraction=fraction)
    contender = run.contender
    if not isinstance(contender, Reputable):
        raise TypeError("the default strategy is one with reputation")
    for number in range(1, task.federation.rounds + 1):
        before = _hash(run.model)
        run.step(number)
        if contender.state.round != number or contender.last is None:
            raise RunError(
                f"round {number} needs a finite model",
                came="NaN or infinity",
                action="lower the learning rate",
            )
        facts, decision = contender.last
        record = RoundRecord(
            round=number,
            base_hash=before,
            model_hash=_hash(run.model),
            facts=facts,
            decision=decision,
            state=contender.state,
        )
        yield PlayedRound(record=record, accuracy=run.some_accuracy())


def cheaters(task: Task, fraction: float) -> tuple[str, ...]:
    """Return the identities that cheat, as the records name them."""
    return tuple(f"client-{k}" for k in task.attackers(fraction))


def _hash(model: NDArray[np.float32]) -> str:
    return model_hash({"model": model})
