"""When a sender believes a block, waits, and pays more."""

from __future__ import annotations

from dataclasses import dataclass

from parity_flwr.errors import ConfigError

GWEI = 10**9


@dataclass(frozen=True, kw_only=True)
class SenderSettings:
    """When a sender believes a block, waits, and pays more.

    ``confirmations`` counts blocks above the one that must stay; None takes the chain's own
    tag ``finalized``. A transaction that no block took for ``stuck_blocks`` is replaced by
    one that offers 12.5 % more, up to ``fee_cap`` wei per gas. ``window`` transactions may
    be under way at once. With ``halt`` nothing new is signed after one failed.
    """

    confirmations: int | None = 2
    stuck_blocks: int = 3
    fee_cap: int = 500 * GWEI
    window: int = 8
    gas_margin_percent: int = 20
    halt: bool = True

    def __post_init__(self) -> None:
        limits = {
            "confirmations": (self.confirmations or 0, 0, 10_000),
            "stuck_blocks": (self.stuck_blocks, 1, 10_000),
            "fee_cap": (self.fee_cap, 1, 10**15),
            "window": (self.window, 1, 64),
            "gas_margin_percent": (self.gas_margin_percent, 0, 1000),
        }
        for name, (value, low, high) in limits.items():
            if not low <= value <= high:
                raise ConfigError(
                    f"{name} of a sender needs to be from {low} to {high}",
                    came=str(value),
                    action="change it",
                )
