"""Columns as inputs by rules that come from noisy counts only.

Each client counts its own rows in public bins and adds Gaussian noise before anything leaves
it. A row is in one bin of each histogram, so that one row more or less moves all histograms
together by sqrt(their number) in the L2 norm. A level of a column of texts leaves a client
only if its noisy count is above a threshold that a level of one row passes with the
probability ``delta`` at most: it is not known beforehand which levels there are.
"""

from __future__ import annotations

import math
import secrets
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_flwr.app.tabular.features import (
    MOST_LEVELS,
    Encoder,
    LevelRule,
    NumberRule,
)
from parity_flwr.app.tabular.reading import RawTable
from parity_flwr.core.privacy.noise import gaussian
from parity_flwr.core.privacy.stream import RandomStream
from parity_flwr.errors import ConfigError

Counts = NDArray[np.float64]

LIMIT = 4.0
"""Standardised numbers are cut at so many deviations."""

_POWERS = 2.0 ** np.arange(-20, 42)
_EDGES = np.concatenate([-_POWERS[::-1], _POWERS])  # public: the same for all data
_FINE = 16  # equal bins of the range that was found
_SEEN = 5.5  # deviations of the noise above which a bin holds rows: wrong once in 1e5 runs
_HEARD = 2.0  # the same within the range that was found


def histograms(table: RawTable) -> int:
    """Return how many histograms the columns take: two for numbers, one for texts."""
    return sum(1 if each.dtype == object else 2 for each in table.columns.values())


def text_columns(table: RawTable) -> int:
    """Return how many columns hold texts."""
    return sum(each.dtype == object for each in table.columns.values())


@dataclass(frozen=True, kw_only=True)
class Noise:
    """The noise on every count of a client.

    Parameters
    ----------
    sigma : float
        Standard deviation.
    threshold : float
        Noisy count above which a level may be named.
    """

    sigma: float
    threshold: float

    @classmethod
    def of(cls, table: RawTable, *, multiplier: float, delta: float) -> Noise:
        """Return the noise of one release of this multiplier over all columns.

        ``delta`` is the probability with which any level of a single row may be named.
        """
        sigma = multiplier * math.sqrt(max(1, histograms(table)))
        texts = text_columns(table)
        if not texts:
            return cls(sigma=sigma, threshold=math.inf)
        rare = NormalDist().inv_cdf(delta / texts)
        return cls(sigma=sigma, threshold=1 - sigma * rare)


def private_encoder(clients: Sequence[RawTable], noise: Noise) -> Encoder:
    """Return the rules that follow from the clients' noisy counts.

    Raises
    ------
    ConfigError
        If no column can be told from the noise.
    """
    streams = [RandomStream(secrets.token_bytes(32)) for _ in clients]
    rules: dict[str, NumberRule | LevelRule] = {}
    dropped = []
    for name in clients[0].columns:
        parts = [each.columns[name] for each in clients]
        learn = _levels if parts[0].dtype == object else _numbers
        rule = learn(parts, noise, streams)
        if rule is None:
            dropped.append(name)
        else:
            rules[name] = rule
    if not rules:
        raise ConfigError(
            "a private encoding needs columns that its noise does not hide",
            came=f"noise of {noise.sigma:.3g} on every count, and no column above it",
            action="raise epsilon, or give more rows or fewer columns",
        )
    return Encoder(rules, tuple(dropped))


def _levels(
    parts: Sequence[NDArray[Any]], noise: Noise, streams: Sequence[RandomStream]
) -> LevelRule | None:
    named: dict[str, float] = {}
    for column, stream in zip(parts, streams, strict=True):
        counts = Counter(each for each in column.tolist() if each is not None)
        levels = sorted(counts)
        noisy = gaussian(stream, len(levels), sigma=noise.sigma)
        for level, more in zip(levels, noisy, strict=True):
            if counts[level] + more > noise.threshold:
                named[level] = named.get(level, 0.0) + counts[level] + float(more)
    ranked = sorted(named.items(), key=lambda item: (-item[1], item[0]))
    return LevelRule(tuple(level for level, _ in ranked[:MOST_LEVELS])) if ranked else None


def _numbers(
    parts: Sequence[NDArray[Any]], noise: Noise, streams: Sequence[RandomStream]
) -> NumberRule | None:
    spread = noise.sigma * math.sqrt(len(parts))
    coarse = pooled_counts(parts, _EDGES, noise, streams)
    seen = np.flatnonzero(coarse[:-1] > _SEEN * spread)
    if not len(seen):
        return None
    edges = np.linspace(_EDGES[seen[0]], _EDGES[seen[-1] + 1], _FINE + 1)
    fine = pooled_counts(parts, edges, noise, streams)[:-1]
    weights = np.where(fine > _HEARD * spread, fine, 0.0)
    middles, width = (edges[1:] + edges[:-1]) / 2, float(edges[1] - edges[0])
    if not weights.any():
        weights = np.ones(_FINE)
    mean = float(np.average(middles, weights=weights))
    variance = float(np.average((middles - mean) ** 2, weights=weights)) + width**2 / 12
    return NumberRule(mean, math.sqrt(variance), bool(coarse[-1] > _SEEN * spread), LIMIT)


def pooled_counts(
    parts: Sequence[NDArray[Any]],
    edges: NDArray[np.floating[Any]],
    noise: Noise,
    streams: Sequence[RandomStream],
) -> Counts:
    """Return the sum of the clients' noisy histograms; the last number counts the missing."""
    total = np.zeros(len(edges))
    for column, stream in zip(parts, streams, strict=True):
        known = column[~np.isnan(column)]
        inside = np.clip(np.searchsorted(edges, known, side="right") - 1, 0, len(edges) - 2)
        counts = np.bincount(inside, minlength=len(edges)).astype(np.float64)
        counts[-1] = len(column) - len(known)
        total += counts + gaussian(stream, len(counts), sigma=noise.sigma)
    return total
