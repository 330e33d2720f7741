"""What a check comes to: a forecast, what is not known, and what stands in the way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from parity_flwr.app.checking.forecast import Federation, disk_forecast
from parity_flwr.app.checking.gas import chain_forecast
from parity_flwr.app.checking.memory import available_bytes
from parity_flwr.app.environment import Environment
from parity_flwr.app.runs.running import RunRequest
from parity_flwr.app.runs.size import shown_size
from parity_flwr.app.tabular.preparing import TabularRequest
from parity_flwr.errors import ParityError

_Found = TypeVar("_Found")


@dataclass
class Check:
    """Collects what a check finds.

    Parameters
    ----------
    configuration : dict
        As it was resolved.
    forecast : dict
        By "privacy", "memory", "disk", "chain" and "engine"; what is missing is not known.
    problems : list
        Why the run would not come to its end; empty if it would.
    warnings : list of str
        What may go wrong.
    unknown : list of str
        What a check cannot know here.
    """

    configuration: dict[str, Any] = field(default_factory=dict)
    forecast: dict[str, Any] = field(default_factory=dict)
    problems: list[dict[str, str]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)

    def attempt(self, find: Callable[[], _Found]) -> _Found | None:
        """Return what ``find`` does, or note why it cannot and return None."""
        try:
            return find()
        except ParityError as error:
            self.refuse(error)
            return None

    def refuse(self, error: ParityError) -> None:
        """Note why a run would fail."""
        problem = {"needed": error.needed, "came": error.came, "action": error.action}
        if problem not in self.problems:
            self.problems.append(problem)

    def foresee(self, federation: Federation, request: RunRequest | TabularRequest) -> None:
        """Add what disk and chain would see of a federation."""
        environment, choice = Environment.read(), request.chain
        disk = self.forecast["disk"] = disk_forecast(
            federation,
            keep_updates=request.keep_updates,
            published=choice is not None,
            cap=request.disk_cap,
            home=environment.home,
        )
        if disk["bytes"] > disk["free_bytes"]:
            self.problems.append(
                {
                    "needed": f"a run needs about {shown_size(disk['bytes'])} of disk",
                    "came": f"{shown_size(disk['free_bytes'])} free",
                    "action": "free some space, or move PARITY_HOME",
                }
            )
        if choice is not None:
            self.forecast["chain"] = self.attempt(
                lambda: chain_forecast(
                    choice,
                    clients=federation.clients,
                    rounds=federation.rounds,
                    environment=environment,
                )
            )

    def remember(self, *, server: int, client: int, workers: int, basis: str) -> None:
        """Add the memory of a server and of ``workers`` processes that play clients."""
        available = available_bytes()
        total = server + workers * client
        self.forecast["memory"] = {
            "server_bytes": server,
            "client_bytes": client,
            "workers": workers,
            "total_bytes": total,
            "available_bytes": available,
            "basis": basis,
        }
        if available is not None and total > available:
            self.warnings.append(
                f"about {shown_size(total)} of memory would be needed, and "
                f"{shown_size(available)} is free"
            )

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        names = ("privacy", "memory", "disk", "chain", "engine")
        return {
            "runs": not self.problems,
            "configuration": self.configuration,
            **{name: self.forecast.get(name) for name in names},
            "problems": self.problems,
            "warnings": self.warnings,
            "unknown": self.unknown,
        }
