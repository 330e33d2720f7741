"""A small network on a table, in plain numpy, whose rounds are as short as one likes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from parity_flwr.app.compare.contender import Setting, Submissions
from parity_flwr.app.compare.reputation import Reputable
from parity_flwr.core.config import TrustConfig

Array = NDArray[np.float64]
Layers = list[tuple[Array, Array]]

FEATURES, WIDTHS, BATCH, RATE = 8, (64, 32), 32, 0.05


class Plateau:
    """Ten clients with 100 rows each; the last ``liars`` of them send the opposite.

    The first layers begin like torch's, with small numbers: for the first hundred steps the
    gradient grows with every step.
    """

    def __init__(self, *, seed: int, steps: int, liars: int = 0, clients: int = 10) -> None:
        self._rng = np.random.default_rng(seed)
        self._steps, self._honest = steps, clients - liars
        self._x = self._rng.normal(size=(clients, 100, FEATURES))
        risk = self._x[..., 0] + self._x[..., 1] + 0.3 * self._rng.normal(size=(clients, 100))
        self._y = (risk > 0).astype(int)
        self._shapes = list(zip((FEATURES, *WIDTHS), (*WIDTHS, 2), strict=True))
        bounds = [wide**-0.5 for wide, _ in self._shapes]
        drawn = [
            self._rng.uniform(-bound, bound, wide * narrow + narrow)
            for bound, (wide, narrow) in zip(bounds, self._shapes, strict=True)
        ]
        self.model = np.concatenate(drawn)
        setting = Setting(
            clients=clients,
            assumed=max(1, liars),
            seed=seed,
            attackers=np.arange(clients) >= self._honest,
        )
        self.contender = Reputable(setting, TrustConfig())
        self.excluded: list[NDArray[np.bool_]] = []

    def run(self, rounds: int) -> float:
        """Train and return the model's accuracy on everybody's rows."""
        for number in range(1, rounds + 1):
            updates = np.stack([self._train(k) for k in range(len(self._x))])
            updates[self._honest :] *= -1
            judged = self.contender(
                Submissions(
                    round=number,
                    updates=updates.astype(np.float32),
                    examples=np.full(len(updates), 100),
                    root_update=lambda: np.zeros(0, np.float32),
                )
            )
            self.model = self.model + judged.change
            assert judged.excluded is not None
            self.excluded.append(judged.excluded)
        outputs = self._forward(self._layers(self.model), self._x.reshape(-1, FEATURES))[-1]
        return float(np.mean(outputs.argmax(axis=1) == self._y.ravel()))

    def _layers(self, vector: Array) -> Layers:
        layers: Layers = []
        for wide, narrow in self._shapes:
            matrix, bias, vector = np.split(vector, [wide * narrow, wide * narrow + narrow])
            layers.append((matrix.reshape(wide, narrow), bias))
        return layers

    def _forward(self, layers: Layers, x: Array) -> list[Array]:
        seen = [x]
        for matrix, bias in layers[:-1]:
            seen.append(np.maximum(seen[-1] @ matrix + bias, 0.0))
        return [*seen, seen[-1] @ layers[-1][0] + layers[-1][1]]

    def _train(self, client: int) -> Array:
        vector = self.model.copy()
        for _ in range(self._steps):
            rows = self._rng.choice(100, BATCH, replace=False)
            vector -= RATE * self._gradient(
                vector, self._x[client, rows], self._y[client, rows]
            )
        return vector - self.model

    def _gradient(self, vector: Array, x: Array, y: NDArray[np.int_]) -> Array:
        layers = self._layers(vector)
        *seen, outputs = self._forward(layers, x)
        powers = np.exp(outputs - outputs.max(axis=1, keepdims=True))
        error = (powers / powers.sum(axis=1, keepdims=True) - np.eye(2)[y]) / len(y)
        parts: list[Array] = []
        for (matrix, _), inputs in zip(reversed(layers), reversed(seen), strict=True):
            parts += [error.sum(axis=0), (inputs.T @ error).ravel()]
            error = (error @ matrix.T) * (inputs > 0)
        return np.concatenate(parts[::-1])
