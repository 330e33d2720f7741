"""What the server learns about a failure on a client: the exception's class name."""

from __future__ import annotations

import logging

from flwr.app import Context, Error, Message
from flwr.clientapp.typing import ClientAppCallable

CLIENT_RAISED = 2
"""Flower's ErrorCode.CLIENT_APP_RAISED_EXCEPTION."""


def guard_mod(message: Message, context: Context, call_next: ClientAppCallable) -> Message:
    """Turn any exception into an error reply that holds its class name and nothing else.

    Flower sends the exception's text, local paths included, to the server. Here the text
    and the traceback stay in the client's own log. Put this mod first, so that it covers
    the others.

    Examples
    --------
    >>> from flwr.clientapp import ClientApp
    >>> app = ClientApp(mods=[guard_mod])
    """
    try:
        return call_next(message, context)
    except Exception as error:  # the process boundary towards the server
        logging.getLogger("flwr").exception("The client failed on its own side")
        return refusal(message, type(error).__name__)


def refusal(message: Message, reason: str) -> Message:
    """Build the error reply to a message."""
    return Message(Error(code=CLIENT_RAISED, reason=reason), reply_to=message)
