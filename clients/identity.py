"""Who a client says it is: the answer to "query.parity_identity" and a record in replies.

A partition id is a claim. Strategies believe it in-process and in simulation only; in a
deployment identity comes from the node's registered key.
"""

from __future__ import annotations

from flwr.app import ConfigRecord, Context, Message, MessageType, RecordDict
from flwr.clientapp import ClientApp
from flwr.clientapp.typing import ClientAppCallable

from parity_flwr.clients.messages import IDENTITY_QUERY, category, partition_of, with_parity
from parity_flwr.clients.signing import SignerSource, resolve_signer
from parity_flwr.core.wire import IDENTITY_ACTION, PARITY_RECORD, PARTITION_ID, PUBLIC_KEY
from parity_flwr.errors import ConfigError


def identity_mod(message: Message, context: Context, call_next: ClientAppCallable) -> Message:
    """Answer the identity query and name the partition in replies to train messages.

    Without "partition-id" in the node's configuration the "parity" record stays empty.
    :class:`~parity_flwr.clients.signing.SigningMod`, put before this mod, adds the public
    key to both.

    Examples
    --------
    >>> app = ClientApp(mods=[identity_mod])
    """
    if message.metadata.message_type == IDENTITY_QUERY:
        return _answer(message, context)
    reply = call_next(message, context)
    if category(message) != MessageType.TRAIN or reply.has_error():
        return reply
    return with_parity(reply, _claim(context))


def identify(app: ClientApp, *, signer: SignerSource | None = None) -> None:
    """Answer the identity query on an app made of functions.

    Flower refuses a query that no function is registered for before any mod sees it, so
    that apps with ``@app.train()`` need this beside :func:`identity_mod`.

    Raises
    ------
    ConfigError
        If the app was made with a ``client_fn`` (use :func:`identity_mod` there) or has
        such a function already.

    Examples
    --------
    >>> app = ClientApp(mods=[identity_mod])
    >>> identify(app)
    """

    def answer(message: Message, context: Context) -> Message:
        reply = _answer(message, context)
        if signer is None:
            return reply
        return with_parity(reply, {PUBLIC_KEY: resolve_signer(signer, context).public_key})

    try:
        app.query(IDENTITY_ACTION)(answer)
    except ValueError as error:
        raise ConfigError(
            "identify needs an app made of functions that does not answer this query yet",
            came="an app with a client_fn, or a second registration",
            action="call identify once, or put identity_mod among the mods of the client_fn",
        ) from error


def _answer(message: Message, context: Context) -> Message:
    return Message(
        RecordDict({PARITY_RECORD: ConfigRecord({**_claim(context)})}), reply_to=message
    )


def _claim(context: Context) -> dict[str, int]:
    partition = partition_of(context)
    return {} if partition is None else {PARTITION_ID: partition}
