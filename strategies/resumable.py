"""A strategy whose run is journalled, can be resumed, and ends with a verdict."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from logging import INFO, WARNING

from flwr.app import ArrayRecord, ConfigRecord, MetricRecord
from flwr.common import log
from flwr.serverapp import Grid
from flwr.serverapp.strategy import Result, Strategy

from parity_flwr.core.encoding import model_hash
from parity_flwr.core.privacy.rounds import CLIENT_PRIVACY
from parity_flwr.core.protocols import ClientStateStore, Journal
from parity_flwr.core.records import Resumption
from parity_flwr.errors import RunError
from parity_flwr.strategies.arrays import read_arrays, write_arrays
from parity_flwr.strategies.bookkeeping import Automatic, Bookkeeper, open_journal
from parity_flwr.strategies.client_charges import state_spending
from parity_flwr.strategies.composition import refuse_foreign_around
from parity_flwr.strategies.inner_state import load_state

EvaluateFunction = Callable[[int, ArrayRecord], MetricRecord | None]


class Resumable(Strategy):
    """The part of a strategy that opens the journal, resumes and closes it.

    Flower's loop counts rounds from 1 in every process; ``offset`` is what was done before.
    """

    def __init__(
        self, book: Bookkeeper, *, inner: Strategy, journal: Journal | Automatic | None
    ) -> None:
        self.book = book
        self.offset = 0
        self._inner = inner
        self._journal = journal
        self._begun = False

    def begin(
        self, arrays: ArrayRecord, grid: Grid, *, num_rounds: int = 0
    ) -> Resumption | None:
        """Open the journal once; return where it stopped if it holds rounds already."""
        if self._begun:
            return None
        refuse_foreign_around(self)
        self._begun = True
        resumption = self.book.begin(
            open_journal(self._journal, run_config=_overrides(grid)),
            names=(type(self).__name__, type(self._inner).__name__),
            rounds=num_rounds,
            initial_hash=model_hash(read_arrays(arrays)),
            flower_run_id=_run_id(grid),
        )
        if resumption is not None:
            self._resume(resumption, grid)
        return resumption

    def _resume(self, resumption: Resumption, grid: Grid) -> None:
        self.offset = resumption.checkpoint.round
        load_state(self._inner, resumption.checkpoint.inner)
        saved = resumption.checkpoint.client_state
        if saved is not None and isinstance(grid, ClientStateStore):
            grid.load_client_state(saved)
        log(INFO, "Resuming after round %d", self.offset)

    def start(
        self,
        grid: Grid,
        initial_arrays: ArrayRecord,
        num_rounds: int = 3,
        timeout: float = 3600,
        train_config: ConfigRecord | None = None,
        evaluate_config: ConfigRecord | None = None,
        evaluate_fn: EvaluateFunction | None = None,
    ) -> Result:
        """Run the remaining rounds (Flower's own loop) and close the journal.

        With a journal that holds rounds already, the model, the server optimiser, reputation
        and, in process, the clients' state are put back first; ``initial_arrays`` must be
        the ones the run was started with.
        """
        resumption = self.begin(initial_arrays, grid, num_rounds=num_rounds)
        arrays = initial_arrays
        if resumption is not None:
            arrays = write_arrays(resumption.checkpoint.model)
        evaluate_config = evaluate_config or ConfigRecord()
        try:
            if resumption is not None:
                self._catch_up(grid, arrays, evaluate_config, timeout)
            result = super().start(
                grid,
                arrays,
                max(0, num_rounds - self.offset),
                timeout,
                train_config,
                evaluate_config,
                self._recorded(evaluate_fn),
            )
        except BaseException as error:
            with suppress(RunError):  # a journal that fails twice must not hide why
                self.book.finish("failed", f"{type(error).__name__}: {error}")
            raise
        return self._close(result, arrays)

    def _catch_up(
        self, grid: Grid, arrays: ArrayRecord, config: ConfigRecord, timeout: float
    ) -> None:
        """Evaluate on the clients what the interrupted run did not get to.

        Again, though not into the journal, where the grid holds the clients' state: the
        checkpoint is older than that evaluation, which may have changed it.
        """
        done = (self.offset, "clients") in self.book.evaluated
        if done and not isinstance(grid, ClientStateStore):
            return
        messages = list(self.configure_evaluate(0, arrays, config, grid))
        if messages:
            self.aggregate_evaluate(0, grid.send_and_receive(messages, timeout=timeout))

    def _recorded(self, evaluate_fn: EvaluateFunction | None) -> EvaluateFunction | None:
        if evaluate_fn is None:
            return None

        def evaluate(server_round: int, arrays: ArrayRecord) -> MetricRecord | None:
            metrics = evaluate_fn(server_round + self.offset, arrays)
            self.book.evaluate(server_round + self.offset, "server", metrics or {})
            return metrics

        return evaluate

    def _close(self, result: Result, arrays: ArrayRecord) -> Result:
        if not result.arrays:
            result.arrays = arrays
        failure = self.book.failure
        if failure:
            log(WARNING, "The model is the initial one: %s", failure)
        promise = self.book.extra.get(CLIENT_PRIVACY, {})
        state_spending(self.book.journal, promise, round=self.book.state.round)
        self.book.finish("failed" if failure else "completed", failure)
        for name in (
            "train_metrics_clientapp",
            "evaluate_metrics_clientapp",
            "evaluate_metrics_serverapp",
        ):
            by_round = getattr(result, name)
            setattr(result, name, {r + self.offset: m for r, m in by_round.items()})
        return result


def _overrides(grid: Grid) -> Mapping[str, object]:
    run = grid.run
    return run.override_config if run is not None else {}


def _run_id(grid: Grid) -> int | None:
    run = grid.run
    return run.run_id if run is not None else None
