"""P-23 with drop-outs: Shamir's sharing, any t of n shares give the secret (Shamir 1979)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import accumulate
from operator import mul
from typing import Final

from parity_flwr.core.sharing.field import (
    MOST_HOLDERS,
    PRIME_256,
    Draw,
    draw_below,
    require_element,
    require_holders,
)
from parity_flwr.errors import ConfigError, RunError

SHARE_BYTES: Final = 32
"""A share modulo :data:`PRIME_256` on the wire, big-endian."""


def split(
    secret: int,
    *,
    threshold: int,
    points: Sequence[int],
    draw: Draw,
    modulus: int = PRIME_256,
) -> dict[int, int]:
    """Return each holder's share: the values of a random polynomial of degree t - 1.

    f(0) is the secret and f(x) the share of the holder with the public point x. Any t - 1
    shares are uniform and say nothing about the secret.

    Parameters
    ----------
    secret : int
        From 0 to under the modulus.
    threshold : int
        t, from 1 to the number of points.
    points : sequence of int
        Distinct, from 1 to 65 536.
    draw : Draw
        Cryptographic randomness.
    modulus : int
        A prime above every point.

    Raises
    ------
    ConfigError
        If a number is out of range.

    Examples
    --------
    >>> split(5, threshold=2, points=[1, 2, 3], draw=lambda n: bytes([0x30]) * n, modulus=11)
    {1: 8, 2: 0, 3: 3}
    """
    require_holders(len(points))
    require_element(secret, modulus)
    _require_points(points, modulus)
    if not 1 <= threshold <= len(points):
        raise ConfigError(
            f"a threshold needs an integer from 1 to {len(points)}",
            came=repr(threshold)[:40],
            action="lower it or add holders",
        )
    coefficients = [secret, *(draw_below(modulus, draw) for _ in range(threshold - 1))]
    return {point: _value(coefficients, point, modulus) for point in points}


def combine(shares: Mapping[int, int], *, threshold: int, modulus: int = PRIME_256) -> int:
    """Return the secret of at least t shares, by point.

    With more than t of them all must lie on one polynomial, so that up to
    ``len(shares) - t`` wrong ones are noticed (not told apart). With exactly t a wrong share
    gives a wrong secret: whoever needs more compares it with a commitment.

    Raises
    ------
    RunError
        If there are too few shares, or they contradict each other.
    ConfigError
        If a point or a share is out of range.
    """
    _require_points(tuple(shares), modulus)
    for share in shares.values():
        require_element(share, modulus)
    if threshold < 1 or len(shares) < threshold:
        raise RunError(
            f"a secret needs {threshold} shares",
            came=f"{len(shares)}",
            action="wait for more holders or start again",
        )
    points = sorted(shares)
    basis = points[:threshold]
    for point in points[threshold:]:
        if _interpolate(shares, basis, point, modulus) != shares[point]:
            raise RunError(
                "the shares of one secret need to lie on one polynomial",
                came="at least one wrong share",
                action="find who sent it, and leave it out",
            )
    return _interpolate(shares, basis, 0, modulus)


def interpolation_weights(
    points: Sequence[int], *, at: int = 0, modulus: int = PRIME_256
) -> list[int]:
    """Return Lagrange's weights for shares: their points start from 1."""
    _require_points(points, modulus)
    return extension_weights(points, at=[at], modulus=modulus)[0]


def extension_weights(
    points: Sequence[int], *, at: Sequence[int], modulus: int = PRIME_256
) -> list[list[int]]:
    """Return for each place Lagrange's weights: f(at) = sum_i weight_i f(point_i) mod p.

    They depend on the points alone, so that one list serves every secret with these
    holders. Values known at t points fix a polynomial of degree t - 1 everywhere: with the
    secret at 0 and t - 1 shares that are uniform already, the other holders' shares follow,
    and are as good as those of :func:`split`.

    Parameters
    ----------
    points : sequence of int
        Distinct, from 0 to 65 536.
    at : sequence of int
        Where the values are wanted.

    Examples
    --------
    >>> extension_weights([0, 1], at=[2], modulus=11)  # f(2) = 2 f(1) - f(0)
    [[10, 2]]
    """
    _require_points(points, modulus, least=0)
    below = [
        math.prod(own - other for other in points if other != own) % modulus for own in points
    ]
    inverses = _inverses(below, modulus)
    return [
        [part * inverse % modulus for part, inverse in zip(above, inverses, strict=True)]
        for above in (_products_without([place - each for each in points]) for place in at)
    ]


def _products_without(factors: Sequence[int]) -> list[int]:
    """Return the product of all factors but one, for each one."""
    before = [*accumulate(factors[:-1], mul, initial=1)]
    after = [*accumulate(reversed(factors[1:]), mul, initial=1)][::-1]
    return [one * other for one, other in zip(before, after, strict=True)]


def _inverses(values: Sequence[int], modulus: int) -> list[int]:
    """Return the inverses with a single inversion (Montgomery's trick)."""
    before = [1]
    for value in values:
        before.append(before[-1] * value % modulus)
    rest, found = pow(before.pop(), -1, modulus), []
    for value, product in zip(reversed(values), reversed(before), strict=True):
        found.append(rest * product % modulus)
        rest = rest * value % modulus
    return found[::-1]


def share_bytes(share: int) -> bytes:
    """Return a share modulo :data:`PRIME_256` as 32 bytes."""
    return share.to_bytes(SHARE_BYTES, "big")


def share_from_bytes(data: bytes) -> int:
    """Read what :func:`share_bytes` wrote; ConfigError for anything else."""
    value = int.from_bytes(data, "big") if isinstance(data, bytes) else -1
    if value < 0 or len(data) != SHARE_BYTES or value >= PRIME_256:
        raise ConfigError(
            f"a share needs {SHARE_BYTES} bytes below its modulus",
            came="other bytes",
            action="refuse what was received",
        )
    return value


def _value(coefficients: Sequence[int], point: int, modulus: int) -> int:
    """Return the polynomial's value, by Horner's rule."""
    value = 0
    for coefficient in reversed(coefficients):
        value = (value * point + coefficient) % modulus
    return value


def _interpolate(shares: Mapping[int, int], basis: Sequence[int], at: int, modulus: int) -> int:
    weights = interpolation_weights(basis, at=at, modulus=modulus)
    return sum(w * shares[x] for w, x in zip(weights, basis, strict=True)) % modulus


def _require_points(points: Sequence[int], modulus: int, *, least: int = 1) -> None:
    limit = min(MOST_HOLDERS, modulus - 1)
    valid = all(type(point) is int and least <= point <= limit for point in points)
    if not valid or len(set(points)) != len(points):
        raise ConfigError(
            f"points need distinct integers from {least} to {limit}",
            came=repr(list(points))[:60],
            action="number the holders",
        )
