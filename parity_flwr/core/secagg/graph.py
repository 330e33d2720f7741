"""Who masks with whom: everybody, or a sparse random graph when there are many.

Bell et al. 2020 (SecAgg+): a Harary graph, a ring in which everybody is joined to the k/2
next on both sides, over a random order of the participants. The order follows from a hash of
everybody's fresh keys, so that nobody chooses it alone.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Final

import numpy as np
from numpy.typing import NDArray

from parity_flwr.core.keystream import keystream

COLLUDING: Final = 0.2
"""Share of the participants who may collude with the server in a sparse graph."""
DROPPING: Final = 0.3
"""Share who may drop out in a sparse graph before rounds begin to fail."""


def neighbours(count: int, *, degree: int, seed: bytes) -> tuple[tuple[int, ...], ...]:
    """Return each participant's neighbours by rank, ascending, without itself.

    Parameters
    ----------
    count : int
        n.
    degree : int
        k; 0, or n - 1 and more, joins everybody with everybody. An odd k counts as k + 1.
    seed : bytes
        32 bytes that fix the order.

    Examples
    --------
    >>> neighbours(3, degree=0, seed=bytes(32))
    ((1, 2), (0, 2), (0, 1))
    """
    half = (degree + 1) // 2
    if degree <= 0 or 2 * half >= count - 1:
        return tuple(tuple(k for k in range(count) if k != own) for own in range(count))
    order = ring_order(count, seed)
    found: list[tuple[int, ...]] = [()] * count
    for place, rank in enumerate(order):
        steps = [*range(-half, 0), *range(1, half + 1)]
        found[rank] = tuple(sorted(order[(place + step) % count] for step in steps))
    return tuple(found)


def weakest_cut(count: int, *, degree: int, seed: bytes, present: Collection[int]) -> int:
    """Return how many of those present stand in the two emptiest runs that cut the ring.

    Two runs of k/2 places, apart from each other, part the ring in two; the parts share no
    mask if everybody present in both runs colludes. With more present than can collude there,
    whoever drops out, nobody reads the sum of a part. ``count`` for a complete graph.

    Examples
    --------
    >>> weakest_cut(10, degree=4, seed=bytes(32), present=range(10))
    4
    """
    half = (degree + 1) // 2
    if degree <= 0 or 2 * half >= count - 1:
        return count
    order = np.array(ring_order(count, seed))
    there = np.isin(order, list(present)).astype(np.int64)
    runs = sum(np.roll(there, -step) for step in range(half))
    # A second run starts half + 1 places after the first, or more, and ends before it.
    others = _rolling_least(np.roll(runs, -half - 1), count - 2 * half - 1)
    return int((runs + others).min())


def _rolling_least(values: NDArray[np.int64], length: int) -> NDArray[np.int64]:
    """Return the least of ``length`` values from each place on, around the ring."""
    least, span = values, 1
    while 2 * span <= length:
        least = np.minimum(least, np.roll(least, -span))
        span *= 2
    return np.minimum(least, np.roll(least, span - length))


def ring_order(count: int, seed: bytes) -> list[int]:
    """Return the ring: a uniform order of 0 .. n - 1 (Fisher-Yates) from a seed."""
    # 64 bits for each draw: the bias is under n / 2^64.
    words = keystream(seed, 2 * count).astype("<u4").view("<u8").tolist()
    order = list(range(count))
    for last in range(count - 1, 0, -1):
        other = words[last] % (last + 1)
        order[last], order[other] = order[other], order[last]
    return order


def needed_degree(
    count: int,
    *,
    colluding: float = COLLUDING,
    dropping: float = DROPPING,
    security_bits: int = 80,
    failure_bits: int = 10,
) -> int:
    """Return the smallest even degree k that is safe for n participants, or n - 1.

    After Bell et al. 2020, section 4, with h = k + 1 holders of each secret, t = floor(h/2)
    + 1 needed, hypergeometric counts, and a union over all n participants (1, 3) or all n^2/2
    pairs of runs of k/2 places (2, 4). But for a chance of 2^-security_bits

    1. nobody has t colluders among its neighbours, and
    2. no two runs have t: then no cut that clients allow (:func:`weakest_cut` of t or more)
       is all colluders, whoever the server lets drop out;

    and when a share ``dropping`` drops out at random, but for 2^-failure_bits

    3. everybody keeps t holders, and
    4. every two runs keep t present.

    Examples
    --------
    >>> needed_degree(100), needed_degree(1000)
    (58, 210)
    """
    low, high = 1, (count - 1) // 2 + 1  # halves of k
    while low < high:
        middle = (low + high) // 2
        if _is_safe(count, 2 * middle, colluding, dropping, security_bits, failure_bits):
            high = middle
        else:
            low = middle + 1
    return min(2 * low, count - 1)


def _is_safe(
    count: int, degree: int, colluding: float, dropping: float, security: int, failure: int
) -> bool:
    threshold = (degree + 1) // 2 + 1
    bad, gone = math.ceil(colluding * count), math.ceil(dropping * count)
    pairs = count**2 / 2
    captured = count * _tail(count - 1, bad, degree, threshold)
    surrounded = pairs * _tail(count, bad, degree, threshold)
    stranded = count * _tail(count - 1, gone, degree, degree - threshold + 2)
    parted = pairs * _tail(count, gone, degree, degree - threshold + 1)
    return captured + surrounded <= 2.0**-security and stranded + parted <= 2.0**-failure


def _tail(population: int, marked: int, drawn: int, least: int) -> float:
    """Return the chance that a draw without replacement holds at least so many marked."""
    total = math.comb(population, drawn)
    ways = sum(
        math.comb(marked, k) * math.comb(population - marked, drawn - k)
        for k in range(least, min(marked, drawn) + 1)
    )
    return ways / total
