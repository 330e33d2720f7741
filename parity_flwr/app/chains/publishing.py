"""Publishing a run's rounds while it trains, whichever process trains."""

from __future__ import annotations

import importlib
import logging
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self

from parity_flwr.app.chains.choice import ChainChoice
from parity_flwr.app.chains.members import SignerOf
from parity_flwr.app.chains.opened import OpenedChain, open_node
from parity_flwr.app.chains.opening import ChainSession, open_session
from parity_flwr.app.environment import Environment
from parity_flwr.app.journal.opening import open_journal
from parity_flwr.app.runs.folder import RunFolder
from parity_flwr.app.runs.outcome import has_journal
from parity_flwr.chain_bridge.evm import require_evm
from parity_flwr.core.economy.claims import RewardConfig
from parity_flwr.core.records import RoundRecord
from parity_flwr.errors import JournalError, NodeError, ParityError

WAIT_S = 60.0
"""How long the end of a run waits for the chain; what is left stays in the outbox."""

_POLL_S = 0.5


class Publishing:
    """Publishes what a run's journal gains, from entering the context to leaving it.

    The journal is the queue: a thread of this process looks at it twice a second, so the
    strategy may run here, in Ray's processes or in a SuperLink's. Training waits for
    nothing. Implements :class:`parity_flwr.core.protocols.Ledger` too, for a strategy in
    this process.

    Parameters
    ----------
    choice : ChainChoice
    locate : callable, keyword-only
        Returns the run's folder, None as long as that is not known.
    resume : RunFolder or None, keyword-only
        The run that is continued.
    signer_of : callable, keyword-only
        The keys that the engine derived for its clients, on the embedded chain.
    wait_s : float, keyword-only
        How long to wait at the end.

    Raises
    ------
    ConfigError, ChainError
        On entering: no node, no contracts, no key, or another chain.
    MissingExtraError
        On entering: the extra ``chain`` is not installed.
    """

    def __init__(
        self,
        choice: ChainChoice,
        *,
        locate: Callable[[], RunFolder | None],
        resume: RunFolder | None = None,
        environment: Environment | None = None,
        signer_of: SignerOf = lambda name: None,
        wait_s: float = WAIT_S,
    ) -> None:
        self.choice = choice
        self._locate = locate
        self._resume = resume
        self._environment = environment or Environment.read()
        self._signer_of = signer_of
        self._wait_s = wait_s
        self._stack = ExitStack()
        self._node: OpenedChain | None = None
        self._session: ChainSession | None = None
        self._trouble = ""
        self._warned = ""
        self._round = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="parity-publish", daemon=True)

    def __enter__(self) -> Self:
        if self.choice.embedded:
            require_evm()
        else:
            self._node = open_node(self.choice, self._environment, run=self._resume)
        run = self._locate()
        if run is not None and run.path.is_dir():
            run.to_be_published()
        # Flower imports it while our thread already uses SQLAlchemy, which breaks both.
        importlib.import_module("sqlalchemy.orm")
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.finish(timeout_s=self._wait_s if kind is None else 0.0)

    def publish(self, record: RoundRecord) -> None:
        """Say that a round is in the journal; never waits for disk or network."""
        if self._session is not None:
            self._session.publisher.publish(record)

    def finish(self, *, timeout_s: float) -> bool:
        """Wait until every round is in a block that stays, then stop; return whether all are.

        What is left stays in the outbox: ``parity chain drain`` or a resumed run goes on.
        """
        if self._stop.is_set():
            return not self._trouble
        deadline = time.monotonic() + timeout_s
        self._stop.set()
        self._thread.join()
        with self._stack:
            while self._is_wanted() and time.monotonic() < deadline:
                self._look()
                if self._is_wanted():
                    time.sleep(min(_POLL_S, max(0.0, deadline - time.monotonic())))
            session = self._session
            if session is None:
                return False
            left = max(0.0, deadline - time.monotonic())
            return session.publisher.finish(timeout_s=left)

    @property
    def rewards(self) -> RewardConfig:
        """What rounds pay, with the stakes that count; of a new run, once entered."""
        chosen = self.choice.rewards
        return self._node.stakes.counted(chosen) if self._node is not None else chosen

    @property
    def trouble(self) -> str:
        """Why nothing more is published; empty while all goes well."""
        session = self._session
        return self._trouble or (session.publisher.trouble if session is not None else "")

    def outcome(self) -> dict[str, Any]:
        """Return what became of the rounds, as plain data; call it after the end."""
        session = self._session
        counts = session.outbox.counts() if session is not None else {}
        done = counts.pop("final", 0)
        return {
            "chain": "embedded" if self.choice.embedded else "node",
            "chain_id": session.deployment.chain_id if session is not None else None,
            "ledger": session.deployment.ledger if session is not None else None,
            "transactions": done,
            "waiting": sum(counts.values()),
            "trouble": self.trouble,
        }

    def _is_wanted(self) -> bool:
        """Say whether a run has begun that is not being published yet."""
        run = self._locate()
        begun = run is not None and has_journal(run)
        return begun and self._session is None and not self._trouble

    def _run(self) -> None:
        while not self._stop.wait(_POLL_S) and not self._trouble:
            self._look()

    def _look(self) -> None:
        try:
            if self._session is None:
                self._session = self._open()
            else:
                self._wake(self._session)
        except (NodeError, JournalError) as error:
            if str(error) != self._warned:
                logging.getLogger("flwr").warning("chain: %s; looking again", error)
            self._warned = str(error)
        except ParityError as error:
            self._give_up(str(error))
        except Exception as error:  # noqa: BLE001 (a thread's boundary: it must not end unseen)
            self._give_up(f"an unexpected {type(error).__name__}: {error}"[:300])

    def _give_up(self, trouble: str) -> None:
        self._trouble = trouble
        logging.getLogger("flwr").error("chain: %s; nothing is published", trouble)

    def _open(self) -> ChainSession | None:
        run = self._locate()
        if run is None or not has_journal(run):
            return None
        run.to_be_published()
        with ExitStack() as stack:  # an attempt that fails leaves nothing open
            session = open_session(
                run,
                self.choice,
                environment=self._environment,
                stack=stack,
                node=self._node,
                signer_of=self._signer_of,
            )
            if session is not None:
                self._journal = open_journal(run)
                session.publisher.start()
                self._stack.push(stack.pop_all())
        return session

    def _wake(self, session: ChainSession) -> None:
        """Wake the thread that sends if there is something new; it may be sparing a node."""
        last = self._journal.last_round()
        if last is not None and last.round != self._round:
            self._round = last.round
            session.publisher.publish(last)
