"""A torch classifier as a NumPyClient, the same bits on every engine.

torch is imported when a client is made, not with this module.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from flwr.app import Context
from flwr.client import NumPyClient
from numpy.typing import NDArray

from parity_flwr.clients.attacks.labels import attacked_targets
from parity_flwr.clients.messages import partition_of
from parity_flwr.clients.torch_model import (
    Examples,
    Travels,
    default_loss,
    derive_seed,
    isolated,
    load_arrays,
    model_arrays,
    score,
    travelling,
)
from parity_flwr.clients.torch_state import (
    load_local,
    load_optimizer,
    save_local,
    save_optimizer,
)
from parity_flwr.core.wire import ROUND
from parity_flwr.errors import ConfigError

if TYPE_CHECKING:
    import torch
    from torch import nn

    from parity_flwr.clients.torch_model import Loss, ModelFactory

    OptimizerFactory = Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer]

Scalar = bool | bytes | float | int | str
PROXIMAL_MU = "proximal-mu"
"""The key with which Flower's FedProx sends its coefficient."""


@dataclass(frozen=True, kw_only=True)
class LocalTraining:
    """How a client trains in one round.

    ``steps``, if given, counts batches and replaces ``epochs``. ``loss`` is a mean over the
    batch (default: cross-entropy, for numbers the squared error); ``optimizer`` makes one
    from the parameters that are trained (default: SGD at ``learning_rate``). ``threads``
    belongs to the result's last bits.

    ``travels`` says which arrays are sent: "all", "trainable" ones, or a function of the
    name. What does not travel stays with the client, in its Context, and starts the same
    everywhere. ``keep_optimizer`` keeps moments there too from round to round.

    ``device`` is "cpu", or "auto" for a GPU where there is one; ``precision`` "float32",
    "bfloat16" (mixed: the model itself stays in float32), or "auto" for bfloat16 on a GPU.
    A GPU's results are not bit for bit those of another.

    Raises
    ------
    ConfigError
        If a number is out of range.
    """

    seed: int = 0
    epochs: int = 1
    steps: int | None = None
    batch_size: int = 32
    learning_rate: float = 0.1
    loss: Loss | None = None
    optimizer: OptimizerFactory | None = None
    threads: int = 1
    travels: Travels = "all"
    keep_optimizer: bool = False
    device: Literal["cpu", "auto"] = "cpu"
    precision: Literal["float32", "bfloat16", "auto"] = "float32"

    def __post_init__(self) -> None:
        steps = 0 if self.steps is None else self.steps
        lowest = {"seed": 0, "epochs": 0, "batch_size": 1, "threads": 1}
        values = {name: getattr(self, name) for name in lowest} | {"steps": steps}
        for name, value in values.items():
            if value < lowest.get(name, 0):
                raise ConfigError(
                    f"{name} needs a number from {lowest.get(name, 0)}",
                    came=repr(value),
                    action=f"change {name}",
                )
        choices = {"device": ("cpu", "auto"), "precision": ("float32", "bfloat16", "auto")}
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise ConfigError(
                    f"{name} needs one of {', '.join(allowed)}",
                    came=repr(getattr(self, name)),
                    action=f"change {name}",
                )
        if not 0 < self.learning_rate < float("inf"):
            raise ConfigError(
                "learning_rate needs a number above 0",
                came=repr(self.learning_rate),
                action="change learning_rate",
            )


class TorchClient(NumPyClient):
    """Train and evaluate a torch classifier on local examples.

    The result of a round is a function of (seed, round, partition), the arrays received
    and the data: batches, dropout and initialisation draw from that seed on a fixed number
    of threads, and the process's own random state is left as it was. Labels are flipped
    if, and only if, the node's own configuration says so (an attack; see
    :class:`parity_flwr.clients.attacks.LabelFlip`): no message can ask for it.

    Parameters
    ----------
    factory : callable
        Makes the ``nn.Module``.
    train, test : Examples
        Local data.
    context : Context
        The node's context: partition id and attack flag are read from its configuration.
    training : LocalTraining
        How to train.

    Raises
    ------
    MissingExtraError
        If torch is not installed.

    Examples
    --------
    >>> import numpy as np
    >>> from flwr.app import Context, RecordDict
    >>> from parity_flwr.clients.torch_model import initial_arrays
    >>> from parity_flwr.clients.torch_networks import mlp
    >>> data = Examples(np.eye(4, dtype=np.float32), np.arange(4))
    >>> context = Context(1, 1, {"partition-id": 0}, RecordDict(), {})
    >>> client = TorchClient(mlp(4, classes=4), train=data, test=data, context=context)
    >>> arrays = list(initial_arrays(mlp(4, classes=4), seed=0).values())
    >>> trained, examples, metrics = client.fit(arrays, {"server-round": 1})
    >>> len(trained), examples, list(metrics)
    (4, 4, ['train-loss'])
    """

    def __init__(
        self,
        factory: ModelFactory,
        *,
        train: Examples,
        test: Examples,
        context: Context,
        training: LocalTraining | None = None,
    ) -> None:
        targets = attacked_targets(train.y, context, regression=train.regression)
        self._train = Examples(train.x, targets)
        self._test = test
        self._partition = partition_of(context) or 0
        self._training = training or LocalTraining()
        with isolated(seed=derive_seed(self._training.seed)):
            self._model = factory().to(self._device())
        self._context = context

    def get_parameters(self, config: dict[str, Scalar]) -> list[NDArray[Any]]:
        """Return the model's arrays in the order of its state dict."""
        return list(model_arrays(self._model, self._training.travels).values())

    def fit(
        self, parameters: list[NDArray[Any]], config: dict[str, Scalar]
    ) -> tuple[list[NDArray[Any]], int, dict[str, Scalar]]:
        """Train from these arrays; return the new ones, n_k and the mean loss on the way."""
        with self._seeded(config):
            self._load(parameters)
            train_loss = self._run(float(config.get(PROXIMAL_MU, 0.0)))
        save_local(self._context, self._model, travelling(self._model, self._training.travels))
        return self.get_parameters({}), len(self._train), {"train-loss": train_loss}

    def evaluate(
        self, parameters: list[NDArray[Any]], config: dict[str, Scalar]
    ) -> tuple[float, int, dict[str, Scalar]]:
        """Return loss, number of test examples and accuracy, or R^2, of these arrays."""
        with self._seeded(config):
            self._load(parameters)
            loss, accuracy = score(self._model, self._test, loss=self._training.loss)
        name = "r2" if self._test.regression else "accuracy"
        return loss, len(self._test), {name: accuracy}

    def _load(self, parameters: list[NDArray[Any]]) -> None:
        load_local(self._context, self._model)
        load_arrays(self._model, parameters, self._training.travels)

    def _device(self) -> str:
        import torch

        gpu = self._training.device == "auto" and torch.cuda.is_available()
        return "cuda" if gpu else "cpu"

    def _casting(self) -> AbstractContextManager[Any]:
        """Return the context in which mixed precision is on, if it is to be."""
        import torch

        device = self._device()
        mixed = self._training.precision == "bfloat16" or (
            self._training.precision == "auto" and device == "cuda"
        )
        return torch.autocast(device, dtype=torch.bfloat16, enabled=mixed)

    def _seeded(self, config: dict[str, Scalar]) -> AbstractContextManager[None]:
        seed = derive_seed(self._training.seed, int(config.get(ROUND, 0)), self._partition)
        return isolated(seed=seed, threads=self._training.threads)

    def _run(self, proximal: float) -> float:
        """Run all batches and return the mean loss over their examples."""
        import torch

        device = self._device()
        x = torch.tensor(self._train.x, device=device)
        y = torch.tensor(self._train.y, device=device)
        criterion = self._training.loss or default_loss(self._train)
        optimizer = self._optimizer()
        start = [parameter.detach().clone() for parameter in self._model.parameters()]
        total, seen = 0.0, 0
        self._model.train()
        for batch in self._batches():
            optimizer.zero_grad()
            with self._casting():
                loss = criterion(self._model(x[batch]), y[batch])
            total, seen = total + loss.item() * len(batch), seen + len(batch)
            (loss + self._pull(start, proximal)).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        if self._training.keep_optimizer:
            save_optimizer(self._context, optimizer)
        return total / max(seen, 1)

    def _optimizer(self) -> torch.optim.Optimizer:
        import torch

        trained = [each for each in self._model.parameters() if each.requires_grad]
        optimizer = (
            torch.optim.SGD(trained, lr=self._training.learning_rate)
            if self._training.optimizer is None
            else self._training.optimizer(trained)
        )
        if self._training.keep_optimizer:
            load_optimizer(self._context, optimizer)
        return optimizer

    def _pull(self, start: list[torch.Tensor], mu: float) -> torch.Tensor | float:
        """Return FedProx's (mu / 2) * |w - w_start|^2 (Li et al. 2020, Eq. 2)."""
        if mu == 0.0:
            return 0.0
        pairs = zip(self._model.parameters(), start, strict=True)
        return mu / 2 * sum(((new - old) ** 2).sum() for new, old in pairs)

    def _batches(self) -> Iterator[torch.Tensor]:
        """Yield the indices of each batch: a new permutation for every epoch."""
        import torch

        if not len(self._train):
            return iter(())
        endless = self._training.steps is not None
        epochs = itertools.count() if endless else range(self._training.epochs)
        size = self._training.batch_size
        batches = (torch.split(torch.randperm(len(self._train)), size) for _ in epochs)
        return itertools.islice(itertools.chain.from_iterable(batches), self._training.steps)
