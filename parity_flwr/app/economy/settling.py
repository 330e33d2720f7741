"""What settles a federation's rounds besides the core's books."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeAlias

from parity_flwr.app.economy.books import Books
from parity_flwr.app.economy.market import Market
from parity_flwr.core.economy.settlement import Settlement
from parity_flwr.core.records import RoundRecord


class Settler(Protocol):
    """Settles one federation, round by round."""

    def settle(self, record: RoundRecord, settlement: Settlement, books: Books) -> None:
        """Settle a round that the books have just entered."""
        ...

    def finish(self, books: Books) -> dict[str, Any]:
        """Pay everybody, compare with the books and return what was done, as plain data.

        Raises
        ------
        RunError
            If an amount is not the books', to the base unit.
        """
        ...

    def close(self) -> None:
        """Let go of what it holds."""
        ...


SettlerMaker: TypeAlias = Callable[[Sequence[str], Market], Settler]
"""Makes the settler of one federation from its identities and the market."""
