"""A torch classifier trained with example-level differential privacy (DP-SGD)."""

from __future__ import annotations

import math
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from flwr.app import Context
from numpy.typing import NDArray

from parity_flwr.clients.client_ledger import ClientLedger
from parity_flwr.clients.dp_gradients import ClippedSums, Clipping, Method, clipped_sums
from parity_flwr.clients.torch_client import PROXIMAL_MU, LocalTraining, Scalar, TorchClient
from parity_flwr.clients.torch_model import Examples, load_arrays
from parity_flwr.core.privacy.accounting import calibrated_multiplier
from parity_flwr.core.privacy.ledger import Budget, Charge, Ledger, Unit
from parity_flwr.core.privacy.noise import gaussian
from parity_flwr.core.privacy.parameters import (
    checked_count,
    checked_delta,
    checked_epsilon,
    positive,
)
from parity_flwr.core.privacy.stream import RandomStream
from parity_flwr.core.wire import ROUND, RUN

if TYPE_CHECKING:
    import torch

    from parity_flwr.clients.torch_model import ModelFactory


@dataclass(frozen=True, kw_only=True)
class ExamplePrivacy:
    """What a client promises each of its training examples.

    Adversary: everybody else, the server included, who sees every update. Unit: one example
    of this client, added or removed; the number of examples counts as public.

    Parameters
    ----------
    epsilon, delta : float
        The budget over all rounds; delta below 1 / examples.
    clip : float
        Longest gradient of one example.
    rounds : int
        How many rounds are planned: the noise is calibrated for them.
    clipping : Clipping
        All parameters together, or each by itself.
    method : Method
        How clipped gradients are summed; by default what the model allows.
    physical_batch : int
        Examples at a time where gradients are stored.
    noise_multiplier : float, optional
        sigma / clip instead of the calibrated one.
    ledger_file : Path, optional
        Where the ledger outlives the SuperNode; ``Context.state`` otherwise.
    """

    epsilon: float
    delta: float
    rounds: int
    clip: float = 1.0
    clipping: Clipping = Clipping.FLAT
    method: Method = Method.AUTO
    physical_batch: int = 8
    noise_multiplier: float | None = None
    ledger_file: Path | None = None

    def __post_init__(self) -> None:
        checked_epsilon(self.epsilon)
        checked_delta(self.delta)
        checked_count("rounds", self.rounds)
        checked_count("physical_batch", self.physical_batch)
        positive("clip", self.clip)
        if self.noise_multiplier is not None:
            positive("noise_multiplier", self.noise_multiplier)

    @property
    def budget(self) -> Budget:
        """The budget of the client's ledger."""
        return Budget(epsilon=self.epsilon, delta=self.delta, unit=Unit.EXAMPLE)


class DPTorchClient(TorchClient):
    """A :class:`TorchClient` that trains by DP-SGD (Abadi et al. 2016).

    Every step draws its batch by Poisson sampling, clips each example's gradient, and adds
    Gaussian noise; batches and noise come from a cryptographic stream, so that a run is not
    repeatable. Each round is charged before it is trained to a ledger that lives in
    ``Context.state`` (or a file) and not in this object, which Flower makes anew for every
    message. When the budget is spent, ``fit`` raises ``BudgetError`` and returns nothing.

    "train-loss" is not reported: it comes from the data without noise. ``evaluate`` is about
    the test examples, which nothing here protects.

    Parameters
    ----------
    factory : callable
        Makes the ``nn.Module``; :func:`private_model` replaces layers that cannot stay.
    train, test, context, training
        As in :class:`TorchClient`. ``training.batch_size`` is the expected batch.
    privacy : ExamplePrivacy
        The promise.
    noise_seed : bytes, optional
        For tests only.

    Raises
    ------
    ConfigError
        If a layer is not supported, delta is 1 / examples or more, or there are none.
    """

    def __init__(
        self,
        factory: ModelFactory,
        *,
        train: Examples,
        test: Examples,
        context: Context,
        privacy: ExamplePrivacy,
        training: LocalTraining | None = None,
        noise_seed: bytes | None = None,
    ) -> None:
        super().__init__(factory, train=train, test=test, context=context, training=training)
        checked_delta(privacy.delta, units=max(1, len(train)))
        self._privacy = privacy
        self._ledger = ClientLedger(privacy.budget, context, privacy.ledger_file)
        self._noise_seed = noise_seed
        self._sums: ClippedSums = clipped_sums(
            self._model,
            clip=privacy.clip,
            clipping=privacy.clipping,
            method=privacy.method,
            physical_batch=privacy.physical_batch,
            loss=self._training.loss,
        )

    @property
    def ledger(self) -> Ledger:
        """What was charged so far."""
        return self._ledger.ledger

    @property
    def sampling(self) -> float:
        """Probability with which an example is in a batch."""
        return min(1.0, self._training.batch_size / max(1, len(self._train)))

    @property
    def steps(self) -> int:
        """Steps of one round."""
        if self._training.steps is not None:
            return self._training.steps
        return self._training.epochs * math.ceil(1 / self.sampling)

    def fit(
        self, parameters: list[NDArray[Any]], config: dict[str, Scalar]
    ) -> tuple[list[NDArray[Any]], int, dict[str, Scalar]]:
        """Charge the round, train from these arrays, return the new ones and n_k.

        Raises
        ------
        BudgetError
            The budget does not cover the round.
        """
        load_arrays(self._model, parameters)
        if self.steps and len(self._train):
            multiplier = self._multiplier()
            self._ledger.charge(self._charge(config, multiplier))
            with self._seeded(config):  # dropout alone draws from this
                self._descend(multiplier, proximal=float(config.get(PROXIMAL_MU, 0.0)))
        return self.get_parameters({}), len(self._train), {}

    def _multiplier(self) -> float:
        """Return sigma / clip: as charged before, as given, or calibrated for all rounds."""
        if self._privacy.noise_multiplier is not None:
            return float(self._privacy.noise_multiplier)
        charged = self.ledger.charges
        if charged and (charged[0].sampling, charged[0].count) == (self.sampling, self.steps):
            return charged[0].noise_multiplier
        return calibrated_multiplier(
            self._privacy.epsilon,
            delta=self._privacy.delta,
            count=self._privacy.rounds * self.steps,
            sampling=self.sampling,
        )

    def _charge(self, config: dict[str, Scalar], multiplier: float) -> Charge:
        run, round_ = str(config.get(RUN, "")), int(config.get(ROUND, 0))
        return Charge(
            run=run,
            round=round_,
            client=f"client-{self._partition}",
            noise_multiplier=multiplier,
            sampling=self.sampling,
            count=self.steps,
            unit=Unit.EXAMPLE,
            release=self._ledger.next_release(run, round_),
        )

    def _descend(self, multiplier: float, *, proximal: float) -> None:
        import torch

        x, y = torch.tensor(self._train.x), torch.tensor(self._train.y)
        seed = self._noise_seed or secrets.token_bytes(32)
        noise = RandomStream(seed, label="noise")
        optimizer = self._optimizer()
        trained = [each for each in self._model.parameters() if each.requires_grad]
        start = [each.detach().clone() for each in trained]
        expected = self.sampling * len(self._train)
        self._model.train()
        for batch in self._poisson_batches(RandomStream(seed, label="batches")):
            sums = self._sums.add(x[batch], y[batch])
            for parameter, total, before in zip(trained, sums, start, strict=True):
                noisy = total + self._noise_like(total, noise, multiplier)
                pull = proximal * (parameter.detach() - before)  # FedProx: no data in it
                parameter.grad = noisy / expected + pull
            optimizer.step()

    def _noise_like(
        self, total: torch.Tensor, stream: RandomStream, multiplier: float
    ) -> torch.Tensor:
        import torch

        sigma = multiplier * self._privacy.clip
        noise = gaussian(stream, total.numel(), sigma=sigma).reshape(tuple(total.shape))
        return torch.from_numpy(noise).to(total)

    def _poisson_batches(self, stream: RandomStream) -> Iterator[torch.Tensor]:
        """Yield each step's batch: every example with the same probability, in secret."""
        import torch

        for _ in range(self.steps):
            taken = stream.uniforms(len(self._train)) < self.sampling
            yield torch.from_numpy(np.flatnonzero(taken))
