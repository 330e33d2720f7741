"""Who masks with whom: everybody, or a sparse random graph when there are many.

Bell et al. 2020 (SecAgg+): a Harary graph, a ring in which everybody is joined to the k/2
next on both sides, over a random order of the participants. The order follows from a hash of
everybody's fresh keys, so that nobody chooses it alone.
"""

from __future__ import annotations

import math
from typing import Final

from parity_flwr.core.secagg.stream import keystream

COLLUDING: Final = 0.2
"""Share of the participants who may collude with the server in a sparse graph."""
DROPPING: Final = 0.2
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
    order = _permutation(count, seed)
    found: list[tuple[int, ...]] = [()] * count
    for place, rank in enumerate(order):
        steps = [*range(-half, 0), *range(1, half + 1)]
        found[rank] = tuple(sorted(order[(place + step) % count] for step in steps))
    return tuple(found)


def _permutation(count: int, seed: bytes) -> list[int]:
    """Return a uniform order of 0 .. n - 1 (Fisher-Yates) from a seed."""
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

    With h = k + 1 holders of each secret and t = floor(h/2) + 1 needed (Bell et al. 2020,
    section 4): but for a chance of 2^-security_bits nobody has t colluders among its
    neighbours, and the graph of the others stays connected; but for 2^-failure_bits
    everybody keeps t holders. Both bounds are for all n participants together, for
    hypergeometric counts.

    Examples
    --------
    >>> needed_degree(100), needed_degree(1000)
    (70, 196)
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
    captured = count * _tail(count - 1, bad, degree, threshold)
    stranded = count * _tail(count - 1, gone, degree, degree - threshold + 2)
    # Two runs of k/2 neighbours on the ring, all colluding or gone, cut it in two.
    cut = count**2 / 2 * ((bad + gone) / count) ** degree
    return captured + cut <= 2.0**-security and stranded <= 2.0**-failure


def _tail(population: int, marked: int, drawn: int, least: int) -> float:
    """Return the chance that a draw without replacement holds at least so many marked."""
    total = math.comb(population, drawn)
    ways = sum(
        math.comb(marked, k) * math.comb(population - marked, drawn - k)
        for k in range(least, min(marked, drawn) + 1)
    )
    return ways / total
