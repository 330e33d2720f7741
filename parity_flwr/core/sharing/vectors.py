"""P-23 for vectors: every entry shared by itself modulo 2^31 - 1, in numpy.

For small vectors, such as linear models: each holder's share is as long as the vector
(8 bytes an entry while it is computed with, 4 on the wire as uint32).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from parity_flwr.core.sharing.field import MERSENNE_31, Draw, require_holders
from parity_flwr.core.sharing.shamir import interpolation_weights
from parity_flwr.errors import ConfigError, RunError

Residues = NDArray[np.int64]


def vector_shares(vector: Residues, *, count: int, draw: Draw) -> list[Residues]:
    """Return n-of-n shares of a vector: they sum to it modulo 2^31 - 1.

    Parameters
    ----------
    vector : ndarray of int64, shape (d,)
        Entries from 0 to 2^31 - 2.
    count : int
        Number of holders, from 2.
    draw : Draw
        Cryptographic randomness, about 4 d bytes for each holder.
    """
    require_holders(count, least=2)
    _require_residues(vector)
    shares = [uniform_residues(vector.size, draw) for _ in range(count - 1)]
    return [*shares, (vector - sum(shares, np.zeros_like(vector))) % MERSENNE_31]


def vector_sum(shares: Sequence[Residues]) -> Residues:
    """Return the sum of shares modulo 2^31 - 1: the vector, if they are all of its shares."""
    if not shares:
        raise ConfigError("a sum needs shares", came="none", action="collect the shares")
    total = np.zeros_like(shares[0])
    for share in shares:
        _require_residues(share, size=total.size)
        total = (total + share) % MERSENNE_31
    return total


def split_vector(
    vector: Residues, *, threshold: int, points: Sequence[int], draw: Draw
) -> dict[int, Residues]:
    """Return t-of-n shares of every entry, by point (see :func:`shamir.split`)."""
    require_holders(len(points))
    _require_residues(vector)
    interpolation_weights(points, modulus=MERSENNE_31)  # refuses unusable points
    if not 1 <= threshold <= len(points):
        raise ConfigError(
            f"a threshold needs an integer from 1 to {len(points)}",
            came=repr(threshold)[:40],
            action="lower it or add holders",
        )
    higher = [uniform_residues(vector.size, draw) for _ in range(threshold - 1)]
    shares = {}
    for point in points:
        value = np.zeros_like(vector)
        for coefficient in [*reversed(higher), vector]:
            value = (value * point + coefficient) % MERSENNE_31  # under 2^47 before
        shares[point] = value
    return shares


def combine_vector(shares: Mapping[int, Residues], *, threshold: int) -> Residues:
    """Return the vector of at least t shares, or of sums of shares the sum.

    Raises
    ------
    RunError
        If there are too few shares, or with more than t of them if they contradict.
    """
    if threshold < 1 or len(shares) < threshold:
        raise RunError(
            f"a vector needs {threshold} shares",
            came=f"{len(shares)}",
            action="wait for more holders or start again",
        )
    points = sorted(shares)
    size = shares[points[0]].size
    for share in shares.values():
        _require_residues(share, size=size)
    basis = points[:threshold]
    for point in points[threshold:]:
        if not np.array_equal(_interpolate(shares, basis, point), shares[point]):
            raise RunError(
                "the shares of one vector need to lie on one polynomial",
                came="at least one wrong share",
                action="find who sent it, and leave it out",
            )
    return _interpolate(shares, basis, 0)


def uniform_residues(size: int, draw: Draw) -> Residues:
    """Return uniform entries from 0 to 2^31 - 2, int64, shape (size,); no bias."""
    found = np.empty(0, np.int64)
    while found.size < size:
        raw = np.frombuffer(draw(4 * (size - found.size)), "<u4") >> 1
        found = np.concatenate([found, raw[raw < MERSENNE_31].astype(np.int64)])
    return found


def _interpolate(shares: Mapping[int, Residues], basis: Sequence[int], at: int) -> Residues:
    weights = interpolation_weights(basis, at=at, modulus=MERSENNE_31)
    total = np.zeros_like(shares[basis[0]])
    for weight, point in zip(weights, basis, strict=True):
        total = (total + shares[point] * weight) % MERSENNE_31  # under 2^62 before
    return total


def _require_residues(vector: Residues, *, size: int | None = None) -> None:
    valid = vector.dtype == np.int64 and vector.ndim == 1
    if valid and vector.size:
        valid = int(vector.min()) >= 0 and int(vector.max()) < MERSENNE_31
    if not valid or (size is not None and vector.size != size):
        raise ConfigError(
            "a shared vector needs int64 entries from 0 to 2^31 - 2 of one length",
            came=f"{vector.dtype}, shape {vector.shape}",
            action="quantise it first",
        )
