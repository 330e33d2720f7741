"""A Grid that calls the ClientApp in this process: no Ray, no network, the same messages."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Self

from flwr.app import Context, Message, RecordDict
from flwr.app.error import Error
from flwr.app.user_config import UserConfigValue
from flwr.clientapp import ClientApp
from flwr.common.constant import ErrorCode
from flwr.proto.node_pb2 import NodeInfo
from flwr.serverapp import Grid
from flwr.supercore.run import Run

from parity_flwr.app.engines.client_state import pack, unpack
from parity_flwr.app.engines.isolation import copy_content, copy_instruction
from parity_flwr.app.engines.task_identity import task_identity
from parity_flwr.errors import ConfigError

FIRST_NODE_ID = 1000
ClientErrorHook = Callable[[int, BaseException], None]
_MAX_REASON = 500


class InProcessGrid(Grid):
    """``num_clients`` clients in this process, each with a Context of its own.

    Use it as a context manager: Flower's messages need a task identity, which is global,
    and is put back at the end. Node ids are 1000, 1001, ... in the order of the
    partitions. The clients run one after the other in the order of the messages; time is
    virtual, so that a run repeats bit for bit on any machine.

    Parameters
    ----------
    client_app : ClientApp
        Called once for each message.
    num_clients : int
        At least 1.
    run_config, node_config : mapping, optional
        What every client finds in its context; ``partition-id``, ``num-partitions`` and
        ``parity-engine`` are added to the node's.
    run_id : int
        Flower's id of the run.
    delays : mapping of int to float, optional
        Virtual response time in seconds by partition; 0 for the others.
    on_client_error : callable, optional
        Gets the partition and the exception that its ClientApp raised. The server only
        learns the exception's type: its text may hold paths and data.

    Examples
    --------
    >>> with InProcessGrid(ClientApp(), 3) as grid:
    ...     list(grid.get_node_ids())
    [1000, 1001, 1002]
    """

    def __init__(
        self,
        client_app: ClientApp,
        num_clients: int,
        *,
        run_config: Mapping[str, UserConfigValue] | None = None,
        node_config: Mapping[str, UserConfigValue] | None = None,
        run_id: int = 1,
        delays: Mapping[int, float] | None = None,
        on_client_error: ClientErrorHook | None = None,
    ) -> None:
        if num_clients < 1:
            raise ConfigError(
                "a federation needs at least 1 client",
                came=str(num_clients),
                action="raise the number of clients",
            )
        self._client_app = client_app
        self._run = Run.create_empty(run_id)
        self._delays = dict(delays or {})
        self._on_client_error = on_client_error
        self._contexts = {
            FIRST_NODE_ID + partition: Context(
                run_id=run_id,
                node_id=FIRST_NODE_ID + partition,
                node_config={
                    **(node_config or {}),
                    "partition-id": partition,
                    "num-partitions": num_clients,
                    "parity-engine": "inprocess",
                },
                state=RecordDict(),
                run_config=dict(run_config or {}),
            )
            for partition in range(num_clients)
        }
        self._sent = 0
        self._replies: dict[str, Message] = {}
        self._identity: AbstractContextManager[None] | None = None

    def __enter__(self) -> Self:
        self._identity = task_identity(self._run.run_id)
        self._identity.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        identity, self._identity = self._identity, None
        if identity is not None:
            identity.__exit__(kind, error, trace)

    def set_run(self, run: Run) -> None:
        """Set the run that this grid works for."""
        self._run = run

    @property
    def run(self) -> Run:
        """The run that this grid works for."""
        return self._run

    def create_message(
        self,
        content: RecordDict,
        message_type: str,
        dst_node_id: int,
        group_id: str,
        ttl: float | None = None,
    ) -> Message:
        """Return a new message (the signature is Flower's)."""
        return Message(content, dst_node_id, message_type, ttl=ttl, group_id=group_id)

    def get_node_ids(self) -> list[int]:
        """Return the node ids, in the order of the partitions."""
        return list(self._contexts)

    def get_nodes(self) -> list[NodeInfo]:
        """Return the nodes. They have no key: nobody outside this process can join."""
        return [
            NodeInfo(node_id=node, name=f"client-{node - FIRST_NODE_ID}")
            for node in self._contexts
        ]

    def response_time(self, node_id: int) -> float:
        """Return the virtual seconds that the node takes to answer."""
        return self._delays.get(node_id - FIRST_NODE_ID, 0.0)

    def push_messages(self, messages: Iterable[Message]) -> list[str]:
        """Deliver the messages and keep the replies for :meth:`pull_messages`."""
        return [self._deliver(message, timeout=None) for message in list(messages)]

    def pull_messages(self, message_ids: Iterable[str]) -> list[Message]:
        """Return the replies to these messages; each can be pulled once."""
        found = (self._replies.pop(message_id, None) for message_id in message_ids)
        return [reply for reply in found if reply is not None]

    def send_and_receive(
        self, messages: Iterable[Message], *, timeout: float | None = None
    ) -> list[Message]:
        """Deliver each message and return the replies in that order.

        Real clients work side by side, so ``timeout`` holds for each of them: a reply
        that took longer, in virtual or in real time, is missing. A call that never
        returns cannot be cut short in one process.
        """
        sent = [self._deliver(message, timeout=timeout) for message in list(messages)]
        return self.pull_messages(sent)

    def save_client_state(self) -> bytes:
        """Return the state of all clients, without pickle."""
        return pack({node: context.state for node, context in self._contexts.items()})

    def load_client_state(self, data: bytes) -> None:
        """Restore what :meth:`save_client_state` returned; all of it or nothing.

        Raises
        ------
        CheckpointError
            The bytes are not the state of these clients.
        """
        for node, state in unpack(data, nodes=self._contexts).items():
            self._contexts[node].state = state

    def _deliver(self, message: Message, *, timeout: float | None) -> str:
        """Give the message an id, run its client, and file a reply that came in time."""
        self._sent += 1
        message_id = f"{self._run.run_id:x}-{self._sent:x}"
        message.metadata.__dict__["_message_id"] = message_id  # as Flower's own grids do
        started = time.perf_counter()
        reply = self._answer(message)
        delay = self.response_time(message.metadata.dst_node_id)
        took = max(time.perf_counter() - started, delay)
        if reply is not None and (timeout is None or took <= timeout):
            reply.metadata.__dict__["_message_id"] = f"{message_id}-reply"
            # The difference of the two stamps is what a strategy sees as response time.
            reply.metadata.created_at = message.metadata.created_at + delay
            self._replies[message_id] = reply
        return message_id

    def _answer(self, message: Message) -> Message | None:
        context = self._contexts.get(message.metadata.dst_node_id)
        if context is None:
            return _error(message, ErrorCode.NODE_UNAVAILABLE, "no such node")
        try:
            return _sealed(message, self._client_app(copy_instruction(message), context))
        except (Exception, SystemExit) as error:  # noqa: BLE001 - the ClientApp is foreign
            if self._on_client_error is not None:
                self._on_client_error(context.node_id - FIRST_NODE_ID, error)
            reason = f"the ClientApp raised {type(error).__name__}"
            return _error(message, ErrorCode.CLIENT_APP_RAISED_EXCEPTION, reason)


def _sealed(message: Message, reply: Message | None) -> Message | None:
    """Return the reply with metadata that the client had no hand in."""
    if reply is None:
        return None
    if not isinstance(reply, Message):
        raise TypeError(f"a ClientApp must return a Message, not {type(reply).__name__}")
    if reply.has_error():
        return _error(message, int(reply.error.code), str(reply.error.reason or ""))
    return Message(copy_content(reply.content), reply_to=message)


def _error(message: Message, code: int, reason: str) -> Message:
    return Message(Error(code=code, reason=reason[:_MAX_REASON]), reply_to=message)
