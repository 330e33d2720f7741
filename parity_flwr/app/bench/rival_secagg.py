"""Flower's own SecAgg+ beside ours: its workflow over its client mod, both sides timed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from flwr.app import ConfigRecord, Context, Message, RecordDict
from flwr.client.mod import secaggplus_mod
from flwr.clientapp import ClientApp
from flwr.common import (
    Code,
    FitIns,
    FitRes,
    Parameters,
    Status,
    ndarrays_to_parameters,
    parameters_to_ndarrays,
)
from flwr.compat.common import recorddict_compat as compat
from flwr.server.compat.grid_client_proxy import GridClientProxy
from flwr.server.compat.legacy_context import LegacyContext
from flwr.server.strategy import FedAvg
from flwr.server.workflow import SecAggPlusWorkflow
from numpy.typing import NDArray

from parity_flwr.app.bench.metered import RoundMeter
from parity_flwr.app.engines.inprocess import FIRST_NODE_ID, InProcessGrid
from parity_flwr.errors import RunError

_THRESHOLD = 0.67  # of the shares, as ours


class _Keeping(FedAvg):
    """Asks everybody and keeps the mean; no aggregation of its own to be timed."""

    def __init__(self, proxies: Sequence[GridClientProxy]) -> None:
        super().__init__()
        self._proxies = proxies
        self.mean: NDArray[np.float64] | None = None

    def configure_fit(
        self, server_round: int, parameters: Parameters, client_manager: Any
    ) -> Any:
        """Send the model to everybody."""
        return [(proxy, FitIns(parameters, {})) for proxy in self._proxies]

    def aggregate_fit(self, server_round: int, results: Any, failures: Any) -> Any:
        """Keep what came out, the same in every result."""
        self.mean = parameters_to_ndarrays(results[0][1].parameters)[0]
        return None, {}


class FlowerSecagg:
    """One round of SecAgg+ among clients that have trained already.

    After :meth:`run`, ``meter`` says what it cost.

    Parameters
    ----------
    updates : sequence of ndarray of float32, shape (d,)
        One for each client; all weigh alike.
    shares : int
        Neighbours of each client, itself included; odd, or all.
    """

    def __init__(self, updates: Sequence[NDArray[np.float32]], *, shares: int) -> None:
        self._updates = updates
        self._shares = shares
        self.meter = RoundMeter()

    def run(self) -> NDArray[np.float64]:
        """Return the mean of the updates; RunError if the workflow gives up."""
        with InProcessGrid(self._app(), len(self._updates)) as grid:
            proxies = [GridClientProxy(node, grid, 1) for node in grid.get_node_ids()]
            strategy = _Keeping(proxies)
            workflow = SecAggPlusWorkflow(self._shares, _THRESHOLD, max_weight=1.0)
            context = self._context(strategy)
            with self.meter.over(grid) as metered:
                workflow(metered, context)
        if strategy.mean is None:
            raise RunError("SecAgg+ needs to end well", came="no sum", action="see its log")
        return strategy.mean

    def _context(self, strategy: FedAvg) -> LegacyContext:
        parameters = ndarrays_to_parameters([np.zeros(1, np.float32)])
        state = RecordDict(
            {
                "config": ConfigRecord({"current_round": 1}),
                "parameters": compat.parameters_to_arrayrecord(parameters, True),
            }
        )
        plain = Context(run_id=1, node_id=1, node_config={}, state=state, run_config={})
        return LegacyContext(plain, strategy=strategy)

    def _app(self) -> ClientApp:
        app = ClientApp(mods=[self.meter.watch, secaggplus_mod])

        @app.train()
        def train(message: Message, context: Context) -> Message:
            update = self._updates[context.node_id - FIRST_NODE_ID]
            parameters = ndarrays_to_parameters([update])
            result = FitRes(Status(Code.OK, ""), parameters, 1, {})
            return Message(compat.fitres_to_recorddict(result, True), reply_to=message)

        return app
