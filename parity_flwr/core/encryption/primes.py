"""Primes in which a ring of degree N splits: p = 1 modulo 2N."""

from __future__ import annotations

from parity_flwr.errors import ConfigError

# With these bases Miller and Rabin's test is exact below 3.3 * 10^24 (Sorenson, Webster 2017).
_BASES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37)
_LIMIT = 1 << 60  # SEAL's plain modulus has at most 60 bits


def is_prime(number: int) -> bool:
    """Say whether a number below 2^81 is prime, exactly.

    Examples
    --------
    >>> [n for n in range(30) if is_prime(n)]
    [2, 3, 5, 7, 11, 13, 17, 19, 23, 29]
    """
    if number < 2:
        return False
    for small in _BASES:
        if number % small == 0:
            return number == small
    odd, halvings = number - 1, 0
    while odd % 2 == 0:
        odd, halvings = odd // 2, halvings + 1
    return all(_passes(base, number, odd, halvings) for base in _BASES)


def _passes(base: int, number: int, odd: int, halvings: int) -> bool:
    power = pow(base, odd, number)
    if power in (1, number - 1):
        return True
    for _ in range(halvings - 1):
        power = power * power % number
        if power == number - 1:
            return True
    return False


def batching_prime(at_least: int, *, degree: int) -> int:
    """Return the smallest prime >= ``at_least`` that is 1 modulo 2 * ``degree``.

    Raises
    ------
    ConfigError
        If it has more than 60 bits.

    Examples
    --------
    >>> batching_prime(10_000, degree=4096)
    40961
    """
    step = 2 * degree
    candidate = -(-(at_least - 1) // step) * step + 1
    while not is_prime(candidate):
        candidate += step
    if candidate >= _LIMIT:
        raise ConfigError(
            "a plain modulus needs 60 bits at most",
            came=f"{candidate.bit_length()} bits",
            action="lower the number of addends or of levels",
        )
    return candidate
