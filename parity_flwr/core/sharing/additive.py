"""P-23, additive sharing: n shares that sum to the secret, modulo p."""

from __future__ import annotations

from collections.abc import Sequence

from parity_flwr.core.sharing.field import (
    PRIME_256,
    Draw,
    draw_below,
    require_element,
    require_holders,
)
from parity_flwr.errors import ConfigError


def additive_shares(
    secret: int, *, count: int, draw: Draw, modulus: int = PRIME_256
) -> list[int]:
    """Return ``count`` shares whose sum is the secret, modulo ``modulus``.

    P-23 (Parity, Eq. 23): s = sum_i s_i mod p. Any count - 1 of them are uniform and say
    nothing about it. One lost share loses the secret; a wrong share cannot be noticed.

    Parameters
    ----------
    secret : int
        From 0 to under the modulus.
    count : int
        Number of holders, from 2.
    draw : Draw
        Cryptographic randomness.
    modulus : int
        p; any modulus from 2 on does here.

    Raises
    ------
    ConfigError
        If a number is out of range.
    """
    require_holders(count, least=2)
    require_element(secret, modulus)
    shares = [draw_below(modulus, draw) for _ in range(count - 1)]
    return [*shares, (secret - sum(shares)) % modulus]


def additive_sum(shares: Sequence[int], *, modulus: int = PRIME_256) -> int:
    """Return the secret of all its shares; sums of shares give the sum of secrets.

    Examples
    --------
    >>> additive_sum([3, 9, 4], modulus=11)
    5
    """
    if not shares:
        raise ConfigError("a sum needs shares", came="none", action="collect the shares")
    for share in shares:
        require_element(share, modulus)
    return sum(shares) % modulus
