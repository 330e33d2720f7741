"""How large a committee must be for the liars that a population may hold (P-16)."""

from __future__ import annotations

from fractions import Fraction
from math import comb

from parity_flwr.errors import ConfigError


def blocking_probability(population: int, liars: int, *, size: int) -> Fraction:
    """Return the chance that a drawn committee cannot accept a good result, exactly.

    Members of equal weight, drawn without replacement; liars with a third of the committee
    or more keep the honest from 3 * score > 2 * total (P-14 to P-16). Below 4 members one
    liar is enough.

    Raises
    ------
    ConfigError
        If not 0 <= liars <= population or not 1 <= size <= population.

    Examples
    --------
    >>> round(float(blocking_probability(100, 30, size=10)), 2)
    0.35
    """
    if not (0 <= liars <= population and 1 <= size <= population):
        raise ConfigError(
            "a committee needs 0 <= liars <= population and 1 <= size <= population",
            came=f"population={population}, liars={liars}, size={size}",
            action="change these numbers",
        )
    enough = -(-size // 3) if size >= 4 else 1
    draws = sum(
        comb(liars, k) * comb(population - liars, size - k)
        for k in range(enough, min(liars, size) + 1)
    )
    return Fraction(draws, comb(population, size))


def committee_size(population: int, liars: int, *, risk: Fraction) -> int:
    """Return the smallest committee that is blocked with at most this probability.

    Raises
    ------
    ConfigError
        If no committee is that safe, or a number is out of its range.
    """
    for size in range(4, population + 1):
        if blocking_probability(population, liars, size=size) <= risk:
            return size
    raise ConfigError(
        f"a committee needs fewer liars for a risk of {float(risk):g}",
        came=f"{liars} liars among {population}",
        action="accept more risk or assume fewer liars",
    )
