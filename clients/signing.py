"""Signed updates: a reply binds run, round, base model, update and number of examples."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from flwr.app import Context, Message, MessageType
from flwr.clientapp.typing import ClientAppCallable

from parity_flwr.clients.messages import (
    IDENTITY_QUERY,
    NUM_EXAMPLES,
    arrays_of,
    category,
    config_of,
    partition_of,
    with_parity,
)
from parity_flwr.core.encoding import model_hash
from parity_flwr.core.signatures import Ed25519Signer, Signer, update_payload
from parity_flwr.core.wire import PUBLIC_KEY, ROUND, RUN, SIGNATURE
from parity_flwr.errors import ConfigError

SignerSource: TypeAlias = Signer | Path | Callable[[Context], Signer]
"""A signer, the path of an Ed25519 private key (PEM, mode 0600), or a choice by context."""


def resolve_signer(source: SignerSource, context: Context) -> Signer:
    """Return the signer that a source stands for on this node."""
    if isinstance(source, Path):
        return Ed25519Signer.from_file(source)
    return source(context) if callable(source) else source


def derived_signers(secret: bytes) -> Callable[[Context], Signer]:
    """Derive one key for each partition: SHA-256(secret, partition-id) as Ed25519 seed.

    For simulations and demos, where one process plays all clients; a real node keeps a key
    file of its own.
    """

    def derive(context: Context) -> Signer:
        partition = partition_of(context)
        if partition is None:
            raise ConfigError(
                "a derived key needs the partition id",
                came="a node configuration without partition-id",
                action="set it, or give the node a key file",
            )
        return derived_signer(secret, partition)

    return derive


def derived_signer(secret: bytes, partition: int) -> Ed25519Signer:
    """Return the key that :func:`derived_signers` gives a partition."""
    label = b"parity-flwr derived signer\x00" + partition.to_bytes(8, "big")
    return Ed25519Signer.from_seed(hashlib.sha256(label + secret).digest())


class SigningMod:
    """Sign replies to train messages, and give the public key with the identity.

    The signature is over :func:`parity_flwr.core.signatures.update_payload` of the run
    ("parity-run" in the configuration), the round ("server-round"), the hash of the arrays
    received, the hash of the arrays returned and "num-examples"; it stands in the reply's
    ConfigRecord "parity" beside "public-key". A message without "parity-run" is from a
    strategy that checks no signatures: its reply stays unsigned. So does a reply without
    one array record or an integer "num-examples", which no strategy accepts anyway.

    The mod must see the reply as it leaves: put it before every mod that changes the reply
    (identity, attacks, privacy, the adapter); :func:`parity_flwr.clients.parity_mods` does.

    Parameters
    ----------
    signer : Signer or Path or callable
        A signer, a key file, or a function of the node's context.

    Examples
    --------
    >>> from parity_flwr.core.signatures import Ed25519Signer
    >>> mod = SigningMod(Ed25519Signer.from_seed(bytes(32)))
    """

    def __init__(self, signer: SignerSource) -> None:
        self._signer = signer

    def __call__(
        self, message: Message, context: Context, call_next: ClientAppCallable
    ) -> Message:
        """Call the next mod and sign what comes back."""
        if message.metadata.message_type == IDENTITY_QUERY:
            return self._introduce(call_next(message, context), context)
        if category(message) != MessageType.TRAIN or RUN not in config_of(message):
            return call_next(message, context)
        base_hash = model_hash(arrays_of(message))  # before a client could change them
        reply = call_next(message, context)
        return self._sign(message, reply, base_hash, context)

    def _introduce(self, reply: Message, context: Context) -> Message:
        if reply.has_error():
            return reply
        return with_parity(
            reply, {PUBLIC_KEY: resolve_signer(self._signer, context).public_key}
        )

    def _sign(
        self, message: Message, reply: Message, base_hash: str, context: Context
    ) -> Message:
        if reply.has_error():
            return reply
        examples = _num_examples(reply)
        if examples is None or len(reply.content.array_records) != 1:
            return reply
        signer = resolve_signer(self._signer, context)
        config = config_of(message)
        payload = update_payload(
            run_id=str(config[RUN]),
            round=_round(config.get(ROUND)),
            base_hash=base_hash,
            update_hash=model_hash(arrays_of(reply)),
            num_examples=examples,
        )
        signed = {PUBLIC_KEY: signer.public_key, SIGNATURE: signer.sign(payload)}
        return with_parity(reply, signed)


def _num_examples(reply: Message) -> int | None:
    for record in reply.content.metric_records.values():
        value = record.get(NUM_EXAMPLES)
        if isinstance(value, int):
            return value
    return None


def _round(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise ConfigError(
        f"a signature needs the integer '{ROUND}' in the configuration",
        came=repr(value),
        action="use a strategy that sends it",
    )
