"""Gradient inversion: an image read back from the update of a client that holds only it.

For a first layer z = W x + b the gradients are dW = dz x^T and db = dz, so that every row of
dW is x times a number that db tells (Phong et al. 2018; Geiping et al. 2020). The rows
together give x by least squares: exactly without noise. With it, an attacker who knows more
about images could do better than these figures.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from parity_flwr.app.datasets import digits
from parity_flwr.app.privacy_audit.mechanisms import (
    central_release,
    context,
    example_release,
    local_privacy,
    local_release,
)
from parity_flwr.app.privacy_audit.settings import Audited, Promise, Seeds
from parity_flwr.clients import Examples, LocalTraining, TorchClient, initial_arrays, mlp

if TYPE_CHECKING:
    from torch import nn

    from parity_flwr.clients.torch_model import ModelFactory

Values = NDArray[Any]
_IMAGES = 5
_PIXELS, _HIDDEN, _CLASSES = 64, 32, 10
_MOST = 200.0  # decibels; an exact copy would have infinitely many


@dataclass(frozen=True, kw_only=True)
class Inversion:
    """Means over a few digits of 8 x 8 pixels, in dB (PSNR; high means recognisable).

    ``before`` is read from the bare update, ``after`` from what the mechanism lets out, and
    ``blind`` is the mean digit, which needs no update at all.
    """

    before: float
    after: float
    blind: float


def invert(mechanism: Audited, promise: Promise, seeds: Seeds) -> Inversion:
    """Attack one client with one image, without and with the mechanism.

    Raises
    ------
    MissingExtraError
        If torch or scikit-learn is not installed.
    """
    x, y = digits()
    start = list(initial_arrays(_victim, seed=0).values())
    found: list[list[float]] = []
    for i in range(_IMAGES):
        one = Examples(x[i : i + 1], y[i : i + 1])
        gradients = bare_update(_victim, start, one)
        seed = seeds(f"inversion-{i}")
        shown = shown_update(_victim, mechanism, promise, start, one, gradients, seed)
        guesses = (recovered(*gradients[:2]), recovered(*shown[:2]), x.mean(axis=0))
        found.append([psnr(x[i], each) for each in guesses])
    before, after, blind = np.mean(found, axis=0).tolist()
    return Inversion(before=before, after=after, blind=blind)


def recovered(weights: Values, bias: Values) -> Values:
    """Return the input of a linear layer from its gradients, (h, d) and (h,), in [0, 1].

    Examples
    --------
    >>> x, dz = np.array([0.25, 1.0]), np.array([2.0, -1.0, 0.5])
    >>> recovered(np.outer(dz, x), dz).tolist()
    [0.25, 1.0]
    """
    dz = np.asarray(bias, np.float64)
    strength = max(float(dz @ dz), np.finfo(np.float64).tiny)
    return np.clip(dz @ np.asarray(weights, np.float64) / strength, 0.0, 1.0)


def psnr(image: Values, copy: Values) -> float:
    """Return the peak signal-to-noise ratio of a copy in dB, at most 200; the peak is 1."""
    error = float(np.mean((np.asarray(image, np.float64) - copy) ** 2))
    return min(_MOST, -10 * math.log10(error)) if error > 0 else _MOST


def _victim() -> nn.Module:
    return mlp(_PIXELS, hidden=(_HIDDEN,), classes=_CLASSES)()


def bare_update(factory: ModelFactory, start: Sequence[Values], one: Examples) -> list[Values]:
    """Return the gradients that the update of an unprotected client is."""
    step = LocalTraining(steps=1, batch_size=1, learning_rate=1.0)
    client = TorchClient(factory, train=one, test=one, context=context(), training=step)
    trained, _, _ = client.fit(list(start), {})
    return [old - new for old, new in zip(start, trained, strict=True)]


def shown_update(
    factory: ModelFactory,
    mechanism: Audited,
    promise: Promise,
    start: Sequence[Values],
    one: Examples,
    gradients: list[Values],
    seed: bytes | None,
) -> list[Values]:
    """Return what an attacker sees of the gradients when the mechanism is on."""
    if mechanism is Audited.EXAMPLE:
        return example_release(factory, list(start), one, promise=promise, seed=seed)
    flat = np.concatenate([each.ravel() for each in gradients]).astype(np.float32)
    if mechanism is Audited.LOCAL:
        noisy = local_release(flat, privacy=local_privacy(promise), seed=seed)
    else:
        noisy = central_release(flat[None], promise=promise, clients=1, seed=seed)
    ends = np.cumsum([each.size for each in gradients])[:-1]
    parts = zip(np.split(noisy, ends), gradients, strict=True)
    return [part.reshape(each.shape) for part, each in parts]
