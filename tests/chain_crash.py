"""A sender that kills itself with SIGKILL in one of six states of its outbox."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NoReturn

from chain_cases import NOW, payment, sending, sql_outbox
from parity_flwr.app.journal.outbox import SqlOutbox
from parity_flwr.chain_bridge.connecting import connect
from parity_flwr.chain_bridge.wallet import Wallet
from parity_flwr.core.anchoring import OutboxState

STATES = ("queued", "signed", "taken", "sent", "seen", "mined")
PAYMENTS = 3


def die() -> NoReturn:
    """End this process as the kernel's out-of-memory killer does."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("still alive")


def pay(folder: str, where: str, key: str, state: str, calls: int) -> None:
    """Queue and send the payments; die in the given state, at its n-th occurrence."""
    wallet = Wallet.from_hex(key)
    with ExitStack() as stack:
        chain = connect(where, folder=Path(folder) / "chain")
        stack.callback(getattr(chain, "close", lambda: None))
        outbox = sql_outbox(Path(folder) / "run")
        if state:
            _arm(outbox, chain, state, calls)
        sender = stack.enter_context(
            sending(chain, outbox, Path(folder), settings=NOW, wallet=wallet)
        )
        for number in range(PAYMENTS):
            sender.submit(payment(number))
        sender.settle(timeout_s=120)


def survive(folder: Path, where: str, key: str, state: str, calls: int) -> bool:
    """Run until all is paid: once with a death, once without; return whether it died."""
    # A fork has everything imported already; the kill is as real as any.
    context = multiprocessing.get_context("fork")
    codes = []
    for now in (state, ""):
        child = context.Process(target=pay, args=(str(folder), where, key, now, calls))
        child.start()
        child.join()
        codes.append(child.exitcode)
    assert codes[1] == 0, f"the second run ended with {codes[1]}"
    return codes[0] == -signal.SIGKILL


def _arm(outbox: SqlOutbox, chain: Any, state: str, calls: int) -> None:
    left = iter(range(calls - 1))

    def due() -> bool:
        return next(left, None) is None

    if state == "queued":
        _after(outbox, "add", lambda *_, **__: due())
    elif state == "signed":
        _after(outbox, "sign", lambda *_, **__: due())
    elif state == "taken":
        _after(chain, "send_raw", lambda *_, **__: due())
    else:
        wanted = OutboxState.SENT if state == "sent" else OutboxState.MINED

        def reached(_: int, reached_state: OutboxState, **__: object) -> bool:
            return reached_state is wanted and due()

        (_before if state == "seen" else _after)(outbox, "advance", reached)


def _after(target: Any, name: str, deadly: Callable[..., bool]) -> None:
    original: Callable[..., Any] = getattr(target, name)

    def dying(*args: Any, **kwargs: Any) -> Any:
        result = original(*args, **kwargs)
        if deadly(*args, **kwargs):
            die()
        return result

    setattr(target, name, dying)


def _before(target: Any, name: str, deadly: Callable[..., bool]) -> None:
    original: Callable[..., Any] = getattr(target, name)

    def dying(*args: Any, **kwargs: Any) -> Any:
        if deadly(*args, **kwargs):
            die()
        return original(*args, **kwargs)

    setattr(target, name, dying)
