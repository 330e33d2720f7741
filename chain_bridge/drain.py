"""The thread that empties the outbox while training goes on."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from parity_flwr.chain_bridge.sender import Sender
from parity_flwr.errors import JournalError, NodeError, ParityError

_LOG = "flwr"


class Drain:
    """Steps a sender in the background; whoever queues never waits for a network.

    Parameters
    ----------
    sender : Sender
    refill : callable or None, keyword-only
        Called before each step, to queue what the journal has that the outbox has not.
    poll_s : float, keyword-only
        How often to look while something is under way.
    longest_s : float, keyword-only
        How long to leave a node alone that keeps failing; the pause doubles up to this.
    """

    def __init__(
        self,
        sender: Sender,
        *,
        refill: Callable[[], None] | None = None,
        poll_s: float = 1.0,
        longest_s: float = 30.0,
    ) -> None:
        self.trouble = ""
        self._sender = sender
        self._refill = refill
        self._poll_s = poll_s
        self._longest_s = longest_s
        self._pause_s = poll_s
        self._stopping = False
        self._changed = threading.Condition()
        self._woken = False
        self._idle = False
        self._thread = threading.Thread(target=self._run, name="parity-drain", daemon=True)

    def start(self) -> None:
        """Begin; what a crash left in the outbox is taken up first."""
        self._thread.start()

    def wake(self) -> None:
        """Say that there is something new; returns at once."""
        with self._changed:
            self._woken, self._idle = True, False
            self._changed.notify_all()

    def wait(self, *, timeout_s: float) -> bool:
        """Wait until all is settled; return whether all is."""
        with self._changed:
            done = self._changed.wait_for(
                lambda: self._idle or bool(self.trouble), timeout=timeout_s
            )
        return done and not self.trouble

    def finish(self, *, timeout_s: float) -> bool:
        """Wait until all is settled, then stop; return whether all is.

        What is left stays in the outbox and is taken up at the next start.
        """
        self.wake()
        done = self.wait(timeout_s=timeout_s)
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        self._thread.join()
        return done

    def _run(self) -> None:
        try:
            while not self._stopping:
                self._pause(self._once())
        except ParityError as error:
            self._give_up(str(error))
        except Exception as error:  # noqa: BLE001 (a thread's boundary: it must not end unseen)
            self._give_up(f"an unexpected {type(error).__name__}: {error}"[:300])

    def _once(self) -> float | None:
        """Do one step; return how long to pause, None until somebody wakes us."""
        try:
            if self._refill is not None:
                self._refill()
            progress = self._sender.step()
        except (NodeError, JournalError) as error:
            return self._longer(error)
        if progress.settled:
            return None
        if halted := self._sender.halted():
            self._give_up(halted)
            return None
        if progress.moved:
            self._pause_s = self._poll_s
            return 0.0
        return self._longer(progress.failure) if progress.failure else self._poll_s

    def _pause(self, seconds: float | None) -> None:
        with self._changed:
            if seconds is None and not self._woken:
                self._idle = True
                self._changed.notify_all()
            self._changed.wait_for(lambda: self._woken or self._stopping, timeout=seconds)
            self._woken = False

    def _longer(self, error: ParityError) -> float:
        if self._pause_s == self._poll_s:
            logging.getLogger(_LOG).warning("chain: %s; the queue waits", error)
        pause, self._pause_s = self._pause_s, min(2 * self._pause_s, self._longest_s)
        return pause

    def _give_up(self, trouble: str) -> None:
        if trouble != self.trouble:
            logging.getLogger(_LOG).error("chain: %s; nothing more is sent", trouble)
        with self._changed:
            self.trouble = trouble
            self._changed.notify_all()
