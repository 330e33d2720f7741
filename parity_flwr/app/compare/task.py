"""One federation of the grid: data, division, model and attackers, a function of the seed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from parity_flwr.app.compare.data import Samples
from parity_flwr.app.compare.perceptron import Perceptron, Vector
from parity_flwr.app.compare.training import Batches, LocalSteps, draw_batches
from parity_flwr.app.partition import Parts, dirichlet, iid
from parity_flwr.app.partition_skew import (
    label_skew,
    minority,
    quantity_skew,
    sequential,
    stratified,
)
from parity_flwr.errors import ConfigError

if TYPE_CHECKING:
    import torch

_ROOT, _PARTS, _MODEL, _ATTACKERS = range(1, 5)  # keep the seed's random streams apart


@dataclass(frozen=True, kw_only=True)
class Federation:
    """What all cells of a comparison share.

    ``dataset`` names a bundled set or a file; ``root_examples`` are taken from the training
    set before it is divided; ``curve_examples`` of the test set make the accuracy of every
    round, the whole of it that of the last rounds.
    """

    dataset: str
    clients: int = 20
    rounds: int = 60
    steps: int = 5
    batch_size: int = 32
    learning_rate: float = 0.1
    hidden: int = 32
    min_size: int = 64
    root_examples: int = 200
    curve_examples: int = 1000

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if isinstance(value, int | float) and not value > 0:
                raise ConfigError(
                    f"{name} needs a number above 0", came=repr(value), action=f"change {name}"
                )

    @property
    def local(self) -> LocalSteps:
        """How every client trains."""
        return LocalSteps(
            steps=self.steps, batch_size=self.batch_size, learning_rate=self.learning_rate
        )


def _sequential(
    labels: NDArray[np.int64], *, parts: int, rng: np.random.Generator, min_size: int
) -> Parts:
    return sequential(labels, parts=parts)


def _evenly(
    divide: Callable[..., Parts],
    labels: NDArray[np.int64],
    *,
    parts: int,
    rng: np.random.Generator,
    min_size: int,
) -> Parts:
    return divide(labels, parts=parts, rng=rng)


PARTITIONS: Final[Mapping[str, Callable[..., Parts]]] = MappingProxyType(
    {
        "iid": partial(_evenly, iid),
        "dirichlet": partial(dirichlet, alpha=0.5),
        "dirichlet_0.2": partial(dirichlet, alpha=0.2),
        "dirichlet_0.1": partial(dirichlet, alpha=0.1),
        "label_skew": partial(_evenly, partial(label_skew, classes=3)),
        "stratified": partial(_evenly, stratified),
        "sequential": _sequential,
        "quantity": partial(quantity_skew, alpha=0.5),
        "minor": partial(_evenly, minority),
        "patho": partial(_evenly, partial(label_skew, classes=2)),
    }
)
"""Name -> division of labels among clients: (labels, parts=, rng=, min_size=) -> Parts."""


@dataclass(frozen=True, eq=False)
class Task:
    """A federation that is ready to train.

    Parameters
    ----------
    federation : Federation
        Its constants.
    samples : Samples
        Data; ``x_train`` and the like as tensors are in the other fields.
    parts : tuple of tensors of int64
        Each client's rows of ``x_train``.
    root : tensor of int64
        The server's own rows.
    order : ndarray of int64, shape (n,)
        Who attacks first: the attackers of a fraction are the beginning.
    start : ndarray of float32, shape (d,)
        The model that round 1 sends out.
    """

    federation: Federation
    seed: int
    model: Perceptron
    x_train: torch.Tensor
    y_train: torch.Tensor
    x_test: torch.Tensor
    y_test: torch.Tensor
    classes: int
    parts: tuple[torch.Tensor, ...]
    root: torch.Tensor
    order: NDArray[np.int64]
    start: Vector
    _drawn: dict[int, Batches] = field(default_factory=dict, repr=False)

    def batches(self, server_round: int) -> Batches:
        """Return what everybody trains on in a round; drawn once for all strategies."""
        if server_round not in self._drawn:
            self._drawn[server_round] = draw_batches(
                self.parts,
                clients=range(len(self.parts)),
                seed=self.seed,
                server_round=server_round,
                local=self.federation.local,
            )
        return self._drawn[server_round]

    def root_batches(self, server_round: int) -> Batches:
        """Return what the server trains on, as if it were one more client."""
        return draw_batches(
            [self.root],
            clients=[len(self.parts)],
            seed=self.seed,
            server_round=server_round,
            local=self.federation.local,
        )

    @property
    def examples(self) -> NDArray[np.int64]:
        """n_k of every client."""
        return np.array([len(part) for part in self.parts], np.int64)

    def attackers(self, fraction: float) -> NDArray[np.intp]:
        """Return the rows of the attackers at a fraction of them, ascending."""
        return np.sort(self.order[: round(fraction * len(self.order))])


def build_task(federation: Federation, samples: Samples, *, partition: str, seed: int) -> Task:
    """Draw root examples, division, attackers and model, each from a stream of its own."""
    import torch

    root, rest = _split_root(federation, len(samples.y_train), seed)
    rng = np.random.default_rng([seed, _PARTS])
    parts = PARTITIONS[partition](
        samples.y_train[rest], parts=federation.clients, rng=rng, min_size=federation.min_size
    )
    model = Perceptron(
        inputs=samples.x_train.shape[1], hidden=federation.hidden, classes=samples.classes
    )
    return Task(
        federation=federation,
        seed=seed,
        model=model,
        x_train=torch.from_numpy(samples.x_train),
        y_train=torch.from_numpy(samples.y_train),
        x_test=torch.from_numpy(samples.x_test),
        y_test=torch.from_numpy(samples.y_test),
        classes=samples.classes,
        parts=tuple(torch.from_numpy(rest[part]) for part in parts),
        root=torch.from_numpy(root),
        order=np.random.default_rng([seed, _ATTACKERS]).permutation(federation.clients),
        start=model.initial(np.random.default_rng([seed, _MODEL])),
    )


def _split_root(
    federation: Federation, count: int, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the rows of the root examples, and the others in the order of the data."""
    size = federation.root_examples
    if size >= count:
        raise ConfigError(
            f"root examples need to be fewer than the {count} of the training set",
            came=f"{size}",
            action="lower root_examples",
        )
    chosen = np.random.default_rng([seed, _ROOT]).permutation(count)
    return np.sort(chosen[:size]), np.sort(chosen[size:])


def describe(federation: Federation) -> dict[str, Any]:
    """Return the constants as plain data."""
    return asdict(federation)
