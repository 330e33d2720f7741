"""Run an app's ServerApp up to its first message to a client, in a process of its own.

Started by :mod:`parity_flwr.app.checking.probing` as ``python -m ... RESULT``, with the app,
its overrides and the number of clients as JSON on standard input. No client is called and
nothing is trained; what the app prints goes wherever its output goes.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
from flwr.app import Array, ArrayRecord, Context, Message, RecordDict
from flwr.clientapp import ClientApp
from flwr.common.constant import SUPERLINK_NODE_ID
from flwr.serverapp.strategy import Strategy

from parity_flwr.app.checking.memory import peak_bytes
from parity_flwr.app.engines.failure import is_input_error, root_cause
from parity_flwr.app.engines.flower_app import FlowerApp, loaded, read_app
from parity_flwr.app.engines.inprocess import InProcessGrid
from parity_flwr.errors import ParityError
from parity_flwr.strategies import DPFedAvg, Reputation
from parity_flwr.strategies.resumable import Resumable

_PATIENCE = 5  # looks at the nodes without a message; Flower waits a second between two


class Stopped(BaseException):
    """The ServerApp came to its first message, or waits for nodes that never come."""


class ProbeGrid(InProcessGrid):
    """A grid that ends the run where the first message would leave the server."""

    def __init__(self, *, clients: int, run_config: Mapping[str, Any]) -> None:
        super().__init__(ClientApp(), clients, run_config=run_config)
        self.found: dict[str, Any] = {}
        self._looks = 0

    def get_node_ids(self) -> list[int]:
        """Return the nodes; whoever looks again and again waits for more of them."""
        self._looks += 1
        if self._looks > _PATIENCE:
            self.found = {"waits": True, **_strategy_facts(sys._getframe(1))}
            raise Stopped
        return super().get_node_ids()

    def push_messages(self, messages: Iterable[Message]) -> list[str]:
        """Note the messages and stop."""
        self._note(list(messages), sys._getframe(1))
        raise Stopped

    def send_and_receive(
        self, messages: Iterable[Message], *, timeout: float | None = None
    ) -> list[Message]:
        """Note the messages and stop."""
        self._note(list(messages), sys._getframe(1))
        raise Stopped

    def _note(self, messages: list[Message], caller: FrameType) -> None:
        content = messages[0].content if messages else RecordDict()
        sent = [array for record in content.array_records.values() for array in record.values()]
        self.found = {
            "messages": len(messages),
            **_model_facts(sent),
            **_strategy_facts(caller),  # knows the model too, which a survey does not carry
        }


def _model_facts(arrays: Iterable[Array]) -> dict[str, Any]:
    sizes = [(math.prod(array.shape), np.dtype(array.dtype).itemsize) for array in arrays]
    return {
        "parameters": sum(count for count, _ in sizes),
        "model_bytes": sum(count * width for count, width in sizes),
        "arrays": len(sizes),
    }


def _strategy_facts(frame: FrameType | None) -> dict[str, Any]:
    """Return the strategy whose ``start`` is furthest out, and for how many rounds.

    Flower gives a ServerApp no way to say this before it runs; the stack knows.
    """
    found: dict[str, Any] = {}
    while frame is not None:
        own = frame.f_locals.get("self")
        if frame.f_code.co_name == "start" and isinstance(own, Strategy):
            inner = getattr(own, "_inner", None)
            rounds = frame.f_locals.get("num_rounds")
            model = frame.f_locals.get("initial_arrays")
            found = {
                **(_model_facts(model.values()) if isinstance(model, ArrayRecord) else {}),
                "strategy": type(own).__name__,
                "journalled": isinstance(own, Resumable),
                "remembers": isinstance(own, Reputation),
                "inner": type(inner).__name__ if inner is not None else None,
                "rounds": rounds if isinstance(rounds, int) else None,
                **(_privacy_facts(own, int(rounds or 0)) if isinstance(own, DPFedAvg) else {}),
            }
        frame = frame.f_back
    return found


def _privacy_facts(strategy: DPFedAvg, rounds: int) -> dict[str, Any]:
    """Return what central privacy promises, and what so many rounds would spend of it."""
    privacy, ledger = strategy.privacy, strategy.ledger
    multiplier = strategy.multiplier
    most = ledger.affordable(privacy.charge("", 1, multiplier=multiplier), most=rounds)
    for number in range(1, most + 1):
        ledger = ledger.charged(privacy.charge("", number, multiplier=multiplier))
    return {
        "privacy": {
            "epsilon": privacy.epsilon,
            "delta": privacy.delta,
            "clip": privacy.clip,
            "would_spend": ledger.spent(),
            "rounds_covered": most,
        }
    }


def probe(app: FlowerApp, *, clients: int) -> dict[str, Any]:
    """Return what the app's server sends first, and what that took.

    Raises
    ------
    EngineError
        The app cannot be imported.
    """
    with (
        loaded(app) as (server_app, _),
        ProbeGrid(clients=clients, run_config=app.run_config) as grid,
    ):
        context = Context(
            run_id=1,
            node_id=SUPERLINK_NODE_ID,
            node_config={},
            state=RecordDict(),
            run_config=dict(app.run_config),
        )
        try:
            server_app(grid, context)
        except Stopped:
            pass
        except (Exception, SystemExit) as error:  # noqa: BLE001 - foreign code
            return {"failed": root_cause(error), "input_error": is_input_error(error)}
        found = grid.found
    return {**found, "server_bytes": peak_bytes()}


def main(result: Path) -> None:
    """Probe what standard input names and write what was found as JSON."""
    asked = json.load(sys.stdin)
    try:
        app = read_app(Path(asked["app"]), asked["overrides"])
        found = probe(app, clients=asked["clients"])
    except ParityError as error:
        found = {"refused": [error.needed, error.came, error.action]}
    result.write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
