"""How much of a stake an offence costs (P-31, P-32)."""

from __future__ import annotations

from parity_flwr.core.economy.amounts import (
    HIGHEST_REPUTATION,
    MILLION,
    require_amount,
    require_integer,
)

HIGHEST_FACTOR = 3 * HIGHEST_REPUTATION // 2
"""The reputation factor 1.5 at R = 0, in thousandths of a millionth."""


def reputation_factor(reputation: int) -> int:
    """Return 1.5 - R/1000 in thousandths of a millionth, 5e8 to 1.5e9 (P-32).

    *Decided*: low reputation costs more, and earned trust never makes cheating free. The
    paper names the factor and does not define it.

    Parameters
    ----------
    reputation : int
        R in millionths of a point.

    Examples
    --------
    >>> reputation_factor(0), reputation_factor(1_000_000_000)
    (1500000000, 500000000)
    """
    return HIGHEST_FACTOR - require_integer("reputation", reputation, 0, HIGHEST_REPUTATION)


def slash_amount(stake: int, *, base_penalty: int, severity: int, reputation: int) -> int:
    """Return min(stake, base_penalty severity factor), base units, rounded down.

    P-32 (Parity, Eq. 32), as the registry computes it on chain: one division at the end.

    Parameters
    ----------
    stake, base_penalty : int
        Base units.
    severity : int
        Millionths, 0 to 1 000 000.
    reputation : int
        R before the offence, millionths of a point.

    Raises
    ------
    ConfigError
        If a number is out of its range.

    Examples
    --------
    >>> slash_amount(1000, base_penalty=400, severity=500_000, reputation=500_000_000)
    200
    """
    require_amount("stake", stake)
    require_amount("base_penalty", base_penalty)
    require_integer("severity", severity, 0, MILLION)
    due = base_penalty * severity * reputation_factor(reputation)
    return min(stake, due // (MILLION * HIGHEST_REPUTATION))
