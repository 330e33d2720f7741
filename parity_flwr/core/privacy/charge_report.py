"""What a client says that it charged: it travels with the reply that was paid for."""

from __future__ import annotations

from dataclasses import dataclass

from parity_flwr.core.canonical import dumps, loads
from parity_flwr.core.privacy.ledger import Charge
from parity_flwr.errors import JournalError

MAX_CHARGES = 64
"""No reply reports more; whoever has more keeps the rest for the next one."""

_MAX_BYTES = 64 << 10
_MOST_STEPS = 10**7  # of one round
_LEAST = 1e-6


@dataclass(frozen=True)
class ChargeReport:
    """Charges in the order they were made."""

    charges: tuple[Charge, ...]

    def pack(self) -> bytes:
        """Return the report as canonical JSON."""
        return dumps(self)

    @classmethod
    def unpack(cls, data: bytes) -> ChargeReport:
        """Return what :meth:`pack` wrote.

        Raises
        ------
        JournalError
            It is too large, malformed, or holds too many charges, or absurd ones.
        ConfigError
            A charge in it cannot be.

        Examples
        --------
        >>> charge = Charge(run="r", round=1, noise_multiplier=2.0)
        >>> ChargeReport.unpack(ChargeReport((charge,)).pack()).charges[0] == charge
        True
        """
        if len(data) > _MAX_BYTES:
            raise _refused(f"{len(data)} bytes")
        report = loads(data, cls)
        if len(report.charges) > MAX_CHARGES:
            raise _refused(f"{len(report.charges)} charges")
        for each in report.charges:  # what takes an accountant hours, or overflows it
            if each.count > _MOST_STEPS or not _LEAST <= each.noise_multiplier <= 1 / _LEAST:
                raise _refused(f"{each.count} steps, noise {each.noise_multiplier:g}")
        return report


def _refused(came: str) -> JournalError:
    return JournalError(
        f"a report needs at most {MAX_CHARGES} charges that can be, in {_MAX_BYTES} bytes",
        came=came,
        action="look at this client",
    )
