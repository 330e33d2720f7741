"""A stopwatch around the four phases of a strategy's round."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from flwr.serverapp.strategy import Strategy

PHASES = ("configure_train", "aggregate_train", "configure_evaluate", "aggregate_evaluate")


@dataclass(frozen=True)
class Phase:
    """One call: CPU seconds of the whole process, and when it began and ended."""

    round: int
    name: str
    cpu_s: float
    began_s: float  # by the monotonic clock
    ended_s: float


@dataclass
class Stopwatch:
    """Collects a strategy's calls in the order in which they ended."""

    phases: list[Phase] = field(default_factory=list)

    def watch(self, strategy: Strategy) -> None:
        """Time the four phases of this one object from now on."""
        for name in PHASES:
            setattr(strategy, name, self._around(name, getattr(strategy, name)))

    def plain(self) -> list[dict[str, Any]]:
        """Return the calls as plain data."""
        return [asdict(phase) for phase in self.phases]

    def _around(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def timed(server_round: int, *given: Any) -> Any:
            began, cpu = time.monotonic(), time.process_time()
            answer = call(server_round, *given)
            if name.startswith("configure"):
                answer = list(answer)  # messages may be made only as they are taken
            used, ended = time.process_time() - cpu, time.monotonic()
            self.phases.append(Phase(server_round, name, used, began, ended))
            return answer

        return timed
