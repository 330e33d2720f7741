"""One run of the grid: batched training, an attack, a strategy, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict

import numpy as np
from numpy.typing import NDArray

from parity_flwr.app.compare.attack_names import ATTACKS, GridAttack
from parity_flwr.app.compare.contender import Contender, Judgement, Setting, Submissions
from parity_flwr.app.compare.contenders import CONTENDERS
from parity_flwr.app.compare.detection import area_under_curve, first_rounds, rounds_to
from parity_flwr.app.compare.perceptron import Vector
from parity_flwr.app.compare.scene import Matrix, Scene
from parity_flwr.app.compare.task import Task
from parity_flwr.app.compare.training import Batches, accuracy, train_together

if TYPE_CHECKING:
    import torch

ASSUMED_SHARE = 0.2
CONVERGED = 0.9  # of the final accuracy
_LAST_EVALUATIONS = (0, 2, 4)  # rounds before the end; their mean is the final accuracy


class Detection(TypedDict, total=False):
    """The fields of an outcome that only a strategy with reputation has."""

    auc: float | None
    fell: tuple[int | None, ...]
    honest_excluded_ever: tuple[int, ...]
    honest_excluded_end: tuple[int, ...]
    attackers_share: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What one run ended with. Accuracies are shares of the test set.

    ``fell`` holds for each attacker the first round after which it had no weight any more,
    None for never, in the order of ``attackers``; ``attackers_share`` what they had together
    of each round.
    """

    accuracy: float  # mean over the last rounds, whole test set
    curve: tuple[float, ...]  # after every round, on part of the test set
    rounds_to_90: int | None  # first round with 90 % of the final accuracy
    attackers: tuple[int, ...]
    auc: float | None = None  # of reputation as a detector, at the end
    fell: tuple[int | None, ...] | None = None
    honest_excluded_ever: tuple[int, ...] | None = None
    honest_excluded_end: tuple[int, ...] | None = None
    attackers_share: tuple[float, ...] | None = None


def simulate(task: Task, *, strategy: str, attack: str, fraction: float) -> Outcome:
    """Run one cell; a function of its arguments, bit for bit on the same machine.

    Runs torch on one thread: sums are split by thread.
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return Run(task, strategy=strategy, attack=attack, fraction=fraction).finish()
    finally:
        torch.set_num_threads(before)


class Run:
    """The state of one run."""

    def __init__(self, task: Task, *, strategy: str, attack: str, fraction: float) -> None:
        self.task = task
        self.model = task.start.copy()
        self._attack: GridAttack = ATTACKS[attack]
        self._attackers = task.attackers(fraction)
        self._bad = np.zeros(len(task.parts), bool)
        self._bad[self._attackers] = True
        self._contender: Contender = CONTENDERS[strategy](
            Setting(
                clients=len(task.parts),
                assumed=max(len(self._attackers), int(ASSUMED_SHARE * len(task.parts))),
                seed=task.seed,
                attackers=self._bad,
            )
        )
        self._curve: list[float] = []
        self._late: list[float] = []
        self._judgements: list[Judgement] = []
        self._buffer: torch.Tensor | None = None

    @property
    def contender(self) -> Contender:
        """The strategy, with what it remembers."""
        return self._contender

    def finish(self) -> Outcome:
        """Run all rounds."""
        rounds = self.task.federation.rounds
        for number in range(1, rounds + 1):
            self.step(number)
            self._evaluate(rounds - number)
        final = float(np.mean(self._late))
        return Outcome(
            accuracy=final,
            curve=tuple(round(value, 4) for value in self._curve),
            rounds_to_90=rounds_to(self._curve, CONVERGED * final),
            attackers=tuple(self._attackers.tolist()),
            **self._detection(),
        )

    def step(self, number: int) -> None:
        """Run one round; a model that is not finite any more stays as it is."""
        if not np.isfinite(self.model).all():
            return
        updates = self._attacked(self.train(number), number)
        if not np.isfinite(updates).all():
            self.model = np.full_like(self.model, np.nan)
            return
        judgement = self._contender(
            Submissions(
                round=number,
                updates=updates,
                examples=self._claims(),
                root_update=lambda: self._train_root(number),
            )
        )
        self._judgements.append(judgement)
        with np.errstate(over="ignore", invalid="ignore"):
            self.model = self.model + judgement.change

    def train(self, number: int) -> Matrix:
        """Train everybody honestly, on flipped labels where the attack says so."""
        task, batches = self.task, self.task.batches(number)
        labels = task.y_train[batches.rows]
        if self._attack.flips_labels:
            labels[:, self._attackers] = task.classes - 1 - labels[:, self._attackers]
        return self._descend(batches, labels)

    def _train_root(self, number: int) -> Matrix:
        batches = self.task.root_batches(number)
        (update,) = self._descend(batches, self.task.y_train[batches.rows])
        return np.asarray(update)

    def _descend(self, batches: Batches, labels: torch.Tensor) -> Matrix:
        return train_together(
            self.task.model,
            self.model,
            inputs=self._inputs(batches.rows),
            labels=labels,
            shares=batches.shares,
            learning_rate=self.task.federation.learning_rate,
        )

    def _inputs(self, rows: torch.Tensor) -> torch.Tensor:
        """Gather the inputs of a round into the same memory every time."""
        import torch

        size = (rows.numel(), self.task.x_train.shape[1])
        if self._buffer is None or self._buffer.shape[0] < size[0]:
            self._buffer = torch.empty(size)
        chosen = self._buffer[: size[0]]
        torch.index_select(self.task.x_train, 0, rows.view(-1), out=chosen)
        return chosen.view(*rows.shape, -1)

    def _attacked(self, updates: Matrix, number: int) -> Matrix:
        if self._attackers.size == 0:
            return updates
        scene = Scene(
            updates, self._attackers, number, self.task.federation.rounds, self.task.seed
        )
        crafted = self._attack.craft(scene)
        updates[self._attackers] = crafted
        return updates

    def _claims(self) -> NDArray[np.int64]:
        examples = self.task.examples
        if self._attack.claims:
            examples[self._attackers] = int(self._attack.claims * examples.sum())
        return examples

    def some_accuracy(self) -> float:
        """Return the model's accuracy on the first ``curve_examples`` of the test set."""
        task, some = self.task, self.task.federation.curve_examples
        return self._accuracy(task.x_test[:some], task.y_test[:some])

    def _evaluate(self, left: int) -> None:
        task = self.task
        self._curve.append(self.some_accuracy())
        if left in _LAST_EVALUATIONS:
            self._late.append(self._accuracy(task.x_test, task.y_test))

    def _accuracy(self, x: torch.Tensor, y: torch.Tensor) -> float:
        vector: Vector = self.model
        return accuracy(self.task.model, vector, x, y)

    def _detection(self) -> Detection:
        last = self._judgements[-1] if self._judgements else None
        if last is None or last.reputation is None or last.excluded is None:
            return Detection()
        excluded = [j.excluded for j in self._judgements if j.excluded is not None]
        first = first_rounds(excluded)
        honest = np.flatnonzero(~self._bad).tolist()
        return Detection(
            auc=area_under_curve(last.reputation, self._bad),
            fell=tuple(first[k] for k in self._attackers),
            honest_excluded_ever=tuple(k for k in honest if first[k] is not None),
            honest_excluded_end=tuple(k for k in honest if last.excluded[k]),
            attackers_share=self._attackers_share(),
        )

    def _attackers_share(self) -> tuple[float, ...]:
        shares = [each.shares for each in self._judgements if each.shares is not None]
        return tuple(round(float(each[self._bad].sum()), 4) for each in shares)
