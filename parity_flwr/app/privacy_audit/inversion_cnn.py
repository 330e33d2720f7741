"""Gradient inversion of a small convolutional network: an image whose gradients fit.

No layer gives the input away in closed form here, so the attacker searches for the image whose
gradients point as the update does (Zhu, Liu, Han 2019: L-BFGS, sigmoids, wide weights; cosine
distance as in Geiping et al. 2020, which does not mind clipping; the label is read off the last
bias, Zhao et al. 2020). One start and few steps: a patient attacker gets at least as much.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from parity_flwr.app.datasets import digits
from parity_flwr.app.privacy_audit.inversion import Inversion, bare_update, psnr, shown_update
from parity_flwr.app.privacy_audit.settings import Audited, Promise, Seeds
from parity_flwr.clients import Examples

if TYPE_CHECKING:
    from torch import nn

Values = NDArray[Any]
_IMAGES = 3
_SIDE, _CHANNELS, _CLASSES = 8, 12, 10
_STARTS, _STEPS = 1, 60


def invert_cnn(mechanism: Audited, promise: Promise, seeds: Seeds) -> Inversion:
    """Attack one client with one image, without and with the mechanism; means of 3 digits.

    Raises
    ------
    MissingExtraError
        If torch or scikit-learn is not installed.
    """
    x, y = digits()
    start = victim_arrays(seed=0)
    found: list[list[float]] = []
    for i in range(_IMAGES):
        one = Examples(x[i : i + 1], y[i : i + 1])
        bare = bare_update(victim, start, one)
        seed = seeds(f"inversion-cnn-{i}")
        shown = shown_update(victim, mechanism, promise, start, one, bare, seed)
        after = psnr(x[i], searched(start, shown))
        found.append([_before(i), after, psnr(x[i], x.mean(axis=0))])
    before, after, blind = np.mean(found, axis=0).tolist()
    return Inversion(before=before, after=after, blind=blind)


@lru_cache(maxsize=_IMAGES)
def _before(i: int) -> float:
    """Return how well digit i is read from its bare update; no mechanism is in it."""
    x, y = digits()
    start = victim_arrays(seed=0)
    bare = bare_update(victim, start, Examples(x[i : i + 1], y[i : i + 1]))
    return psnr(x[i], searched(start, bare))


def victim() -> nn.Module:
    """Return the network: two convolutions of 3 x 3, sigmoids, a linear layer."""
    from torch import nn

    half = _SIDE // 2
    return nn.Sequential(
        nn.Unflatten(1, (1, _SIDE, _SIDE)),
        nn.Conv2d(1, _CHANNELS, 3, padding=1, stride=2),
        nn.Sigmoid(),
        nn.Conv2d(_CHANNELS, _CHANNELS, 3, padding=1),
        nn.Sigmoid(),
        nn.Flatten(),
        nn.Linear(_CHANNELS * half * half, _CLASSES),
    )


def victim_arrays(*, seed: int) -> list[NDArray[np.float32]]:
    """Return its weights, uniform in [-0.5, 0.5] as in the attack's paper."""
    rng = np.random.default_rng(seed)
    shapes = [tuple(each.shape) for each in victim().parameters()]
    return [(rng.random(shape) - 0.5).astype(np.float32) for shape in shapes]


def searched(arrays: list[Values], gradients: list[Values]) -> NDArray[np.float64]:
    """Return the image in [0, 1] whose gradients fit best, shape (64,), of a few starts.

    Parameters
    ----------
    arrays : list of ndarray
        The network's weights.
    gradients : list of ndarray
        What was seen of its gradients, up to a factor.
    """
    import torch

    network = victim()
    with torch.no_grad():
        for parameter, array in zip(network.parameters(), arrays, strict=True):
            parameter.copy_(torch.from_numpy(np.array(array, np.float32)))
    seen = torch.cat([torch.from_numpy(np.array(g, np.float32)).ravel() for g in gradients])
    label = int(np.argmin(gradients[-1]))  # its logit alone is pulled up
    found = [_descended(network, seen, label, start) for start in range(_STARTS)]
    return min(found, key=lambda each: each[0])[1]


def _descended(
    network: nn.Module, seen: Any, label: int, start: int
) -> tuple[float, NDArray[np.float64]]:
    """Return the distance reached from one start, and the image."""
    import torch

    rng = np.random.default_rng(start)
    guess = torch.from_numpy(rng.random((1, _SIDE * _SIDE)).astype(np.float32))
    guess.requires_grad_()
    target, parameters = torch.tensor([label]), list(network.parameters())
    search = torch.optim.LBFGS([guess], max_iter=_STEPS, line_search_fn="strong_wolfe")

    def distance() -> torch.Tensor:
        search.zero_grad()
        loss = torch.nn.functional.cross_entropy(network(guess), target)
        found = torch.autograd.grad(loss, parameters, create_graph=True)
        flat = torch.cat([each.ravel() for each in found])
        apart = 1 - torch.nn.functional.cosine_similarity(flat, seen, dim=0)
        apart.backward()  # type: ignore[no-untyped-call]
        return apart.detach()

    search.step(distance)  # type: ignore[no-untyped-call]
    reached = float(distance())
    image = guess.detach().numpy()[0].astype(np.float64)
    return reached, np.clip(np.nan_to_num(image), 0.0, 1.0)
