"""Canaries for each mechanism, and the score that the auditor gives each of them.

Canary i moves coordinate i alone, ten times farther than the clip allows: canaries do not
disturb each other, and a clip that does not clip is found as well.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from parity_flwr.app.privacy_audit.mechanisms import (
    central_release,
    example_release,
    local_privacy,
    local_release,
)
from parity_flwr.app.privacy_audit.settings import Audited, Promise, Seeds
from parity_flwr.clients import Examples, mlp

Scores = NDArray[np.float64]
Coins = NDArray[np.bool_]
Score = Callable[[Promise, Coins, Seeds], Scores]
_TOO_LONG = 10.0  # times the clip


def central_scores(promise: Promise, inside: Coins, seeds: Seeds) -> Scores:
    """Return each canary's share in the sum that clients with ``inside`` took part in."""
    count = len(inside)
    updates = np.eye(count, dtype=np.float32)[inside] * np.float32(_TOO_LONG * promise.clip)
    released = central_release(updates, promise=promise, clients=count, seed=seeds("central"))
    return released.astype(np.float64)


def local_scores(promise: Promise, inside: Coins, seeds: Seeds) -> Scores:
    """Return what each client's one number became; it sent plus the clip, or minus it.

    Any two updates are neighbours here, so that "out" is the opposite update.
    """
    found, privacy = np.empty(len(inside)), local_privacy(promise)
    for i, each in enumerate(inside.tolist()):
        update = np.array([1.0 if each else -1.0, 0.0], np.float32)
        update *= np.float32(_TOO_LONG * promise.clip)
        found[i] = local_release(update, privacy=privacy, seed=seeds(f"local-{i}"))[0]
    return found


def example_scores(promise: Promise, inside: Coins, seeds: Seeds) -> Scores:
    """Return each canary example's share in the gradients of a linear classifier.

    All have label 0 and the model is zero, so that example i pulls the weights of its pixel
    apart, by clip / sqrt(2) each.
    """
    count = len(inside)
    pixel = np.float32(10 * _TOO_LONG * max(1.0, promise.clip))  # dwarfs the bias's share
    x = np.eye(count, dtype=np.float32)[inside] * pixel
    zeros = [np.zeros((2, count), np.float32), np.zeros(2, np.float32)]
    weights, _ = example_release(
        mlp(count, hidden=(), classes=2),
        zeros,
        Examples(x, np.zeros(len(x), np.int64)),
        promise=promise,
        seed=seeds("example"),
    )
    return np.asarray((weights[1] - weights[0]) / np.sqrt(2), np.float64)


SCORES: dict[Audited, Score] = {
    Audited.CENTRAL: central_scores,
    Audited.LOCAL: local_scores,
    Audited.EXAMPLE: example_scores,
}
"""How each mechanism's canaries are scored: a high score means "in"."""
