"""The grid's attacks on matrices of updates.

Each is a function of a :class:`Scene` that returns the attackers' rows, shape (f, d). Where
:mod:`parity_flwr.clients.attacks` has the attack too, both send the same.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from parity_flwr.app.compare.scene import Matrix, Scene
from parity_flwr.core.distances import squared_distances
from parity_flwr.core.rows import MatrixRows

FLIP_SCALE = 4.0
NOISE_RATIO = 10.0
ALIE_DEVIATIONS = 1.5
IPM_EPSILON = 0.5
ON_OFF_PERIOD = 5
FREE_RIDER_SHARE = 0.1  # of the honest norm: noise that looks like a little work


def honest(scene: Scene) -> Matrix:
    """Send what training gave."""
    return scene.own


def sign_flip(scene: Scene) -> Matrix:
    """Send -4 times the honest update."""
    return np.asarray(np.float32(-FLIP_SCALE) * scene.own, np.float32)


def noise(scene: Scene) -> Matrix:
    """Send a random direction of 10 times the own update's length."""
    lengths = np.linalg.norm(scene.own, axis=1, keepdims=True)
    directions = scene.noise()
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    return np.asarray(np.float32(NOISE_RATIO) * lengths * directions, np.float32)


def alie(scene: Scene) -> Matrix:
    """Send mean - 1.5 deviations: a little is enough (Baruch et al. 2019)."""
    return scene.repeated(scene.mean - np.float32(ALIE_DEVIATIONS) * scene.deviation)


def alie_noise(scene: Scene) -> Matrix:
    """ALIE under honest-looking noise, so that no two attackers are alike."""
    spread = scene.deviation
    shifted = scene.mean - np.float32(1.2) * spread
    return np.asarray(shifted + np.float32(0.7) * spread * scene.noise(), np.float32)


def ipm(scene: Scene) -> Matrix:
    """Inner product manipulation: -0.5 times the mean (Xie et al. 2019)."""
    return scene.repeated(np.float32(-IPM_EPSILON) * scene.mean)


def loud_pairs(scene: Scene) -> Matrix:
    """Identical pairs: -5 times the mean and an offset of the pair's own."""
    offset = np.float32(0.5 * scene.norm)
    loud = np.float32(-5) * scene.mean
    return _paired(scene, lambda pair: np.asarray(loud + offset * pair, np.float32))


def quiet_pairs(scene: Scene) -> Matrix:
    """Identical pairs of honest length, against the mean."""
    against = -scene.mean / max(float(np.linalg.norm(scene.mean)), 1e-12)

    def craft(pair: Matrix) -> Matrix:
        vector = against + np.float32(0.3) * pair
        return np.asarray(vector * np.float32(scene.norm / np.linalg.norm(vector)), np.float32)

    return _paired(scene, craft)


def disguise(scene: Scene) -> Matrix:
    """-3 times the mean, each with the residual of another honest client."""
    rng = np.random.default_rng([scene.seed, scene.round])
    chosen = rng.choice(len(scene.honest), len(scene.attackers), replace=True)
    return np.asarray(scene.honest[chosen] - np.float32(4) * scene.mean, np.float32)


def min_max(scene: Scene) -> Matrix:
    """As far along -deviation as no honest client is from another (Shejwalkar 2021).

    max_i ||h_i - m|| <= max_ij ||h_i - h_j|| for m = mean + g v is a quadratic inequality in
    g for each i, so that g follows without a search.
    """
    squared = _pairwise(scene.honest)
    return scene.repeated(scene.mean - _reach(scene, float(squared.max())) * scene.deviation)


def min_sum(scene: Scene) -> Matrix:
    """As far along -deviation as the sum of squared distances stays an honest one's."""
    bound = float(_pairwise(scene.honest).sum(axis=1).max())
    apart = _squared_norms(scene.honest - scene.mean).sum()
    length = len(scene.honest) * float(_squared_norms(scene.deviation[None])[0])
    # sum_i ||h_i - mean - g v||^2 = apart + n g^2 ||v||^2: the cross terms sum to 0
    far = np.sqrt(max(bound - float(apart), 0.0) / max(length, 1e-30))
    return scene.repeated(scene.mean - np.float32(far) * scene.deviation)


def mimic(scene: Scene) -> Matrix:
    """All send what one honest client sends, always the same one (Karimireddy 2022)."""
    chosen = np.random.default_rng([scene.seed]).integers(len(scene.honest))
    return scene.repeated(scene.honest[chosen])


def on_off(scene: Scene) -> Matrix:
    """Earn trust for a third of the run; then flip signs for 5 rounds in every 10."""
    since = scene.round - on_off_start(scene.rounds)
    on = since >= 0 and (since // ON_OFF_PERIOD) % 2 == 0
    return sign_flip(scene) if on else scene.own


def on_off_start(rounds: int) -> int:
    """Return the first round in which on-off attackers strike."""
    return rounds // 3 + 1


def free_rider(scene: Scene) -> Matrix:
    """Send noise of a tenth of the honest length instead of work."""
    return np.asarray(np.float32(free_rider_noise(scene)) * scene.noise(), np.float32)


def free_rider_noise(scene: Scene) -> float:
    """Return the standard deviation of a free rider's noise."""
    return FREE_RIDER_SHARE * scene.norm / float(np.sqrt(scene.updates.shape[1]))


def drift_3(scene: Scene) -> Matrix:
    """White-box drift: the own honest update and -3 times the mean."""
    return np.asarray(scene.own - np.float32(3) * scene.mean, np.float32)


def drift_1_5(scene: Scene) -> Matrix:
    """White-box drift: the own honest update and -1.5 times the mean."""
    return np.asarray(scene.own - np.float32(1.5) * scene.mean, np.float32)


def drift_deviation(scene: Scene) -> Matrix:
    """White-box drift: the own honest update less one deviation."""
    return np.asarray(scene.own - scene.deviation, np.float32)


def _paired(scene: Scene, craft: Callable[[Matrix], Matrix]) -> Matrix:
    """Let neighbours send the same; an odd one joins the last pair, one alone is honest."""
    rows = scene.own.copy()
    pairs = len(rows) // 2
    for pair in range(pairs):
        stop = len(rows) if pair == pairs - 1 else 2 * pair + 2
        rows[2 * pair : stop] = craft(scene.shared_noise(pair))
    return rows


def _reach(scene: Scene, bound: float) -> np.float32:
    """Return the largest g with ||h_i - mean + g deviation||^2 <= bound for all i."""
    centred = scene.honest - scene.mean
    length = max(float(_squared_norms(scene.deviation[None])[0]), 1e-30)
    along = (centred @ scene.deviation).astype(np.float64)
    inside = along**2 - length * (_squared_norms(centred) - bound)
    return np.float32(max(((np.sqrt(np.maximum(inside, 0)) - along) / length).min(), 0.0))


def _squared_norms(rows: Matrix) -> NDArray[np.float64]:
    return np.asarray(np.einsum("ij,ij->i", rows, rows, dtype=np.float64))


def _pairwise(rows: Matrix) -> NDArray[np.float64]:
    return squared_distances(MatrixRows(rows))
