"""Who holds the key: all clients, by a secret given beforehand or agreed among them.

Either way every client holds the whole key. One that hands it to the server, or is the
server, opens every update of the run. With a separate decryptor
(:mod:`parity_flwr.clients.decryptor`) no client can; where nobody may be able to, use secure
aggregation.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from logging import WARNING
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from flwr.app import ConfigRecord, Context
from flwr.common import log
from numpy.typing import NDArray

from parity_flwr.clients.signing import SignerSource, resolve_signer
from parity_flwr.core.encryption.bfv import BfvCipher
from parity_flwr.core.encryption.group_secret import GroupSecret
from parity_flwr.core.encryption.key_wrapping import (
    check_peers,
    make_offer,
    new_private_key,
    unwrap_secret,
    wrap_secret,
)
from parity_flwr.core.encryption.plan import BfvPlan
from parity_flwr.core.encryption.terms import HE_RECORD, RUN_ID
from parity_flwr.core.keyfile import read_key_file
from parity_flwr.core.signatures import Signer
from parity_flwr.errors import ConfigError, DataError

_SECRET, _PRIVATE = "secret", "private-key"


@runtime_checkable
class KeyHolder(Protocol):
    """Where a client has the group's secret from."""

    def secret(self, context: Context, run_id: str) -> GroupSecret | None:
        """Return the run's secret, None if this client does not hold it yet."""
        ...

    def offer(self, context: Context, run_id: str) -> bytes:
        """Return a signed public key to which the secret may be sent."""
        ...

    def wrap(self, context: Context, run_id: str, offers: list[bytes]) -> list[bytes]:
        """Return the secret wrapped for each offer; make it if there is none."""
        ...

    def unwrap(self, context: Context, run_id: str, box: bytes) -> GroupSecret:
        """Take the secret out of a box and keep it."""
        ...

    def encryptor(self, context: Context, run_id: str, plan: BfvPlan) -> Encryptor:
        """Return what encrypts this client's updates; DataError without a key."""
        ...


@runtime_checkable
class Encryptor(Protocol):
    """Encrypts vectors of integers under a named key."""

    key_id: bytes

    def encrypt(self, integers: NDArray[np.int64]) -> bytes:
        """Return the encrypted vector."""
        ...


@runtime_checkable
class KeyPublisher(Protocol):
    """A decryptor: gives its public key."""

    def publish(self, context: Context, run_id: str, plan: BfvPlan) -> bytes:
        """Return the signed public key for these parameters."""
        ...


@runtime_checkable
class KeyAdopter(Protocol):
    """A client that encrypts for a decryptor."""

    def adopt(self, context: Context, run_id: str, announcement: bytes) -> bytes:
        """Keep the decryptor's public key for the run and return its id."""
        ...


class _Symmetric:
    """A holder of the secret encrypts with it."""

    def secret(self, context: Context, run_id: str) -> GroupSecret | None:
        raise NotImplementedError

    def encryptor(self, context: Context, run_id: str, plan: BfvPlan) -> Encryptor:
        """Return what encrypts with the secret; DataError without one."""
        if plan.public_key:
            raise ConfigError(
                "clients that share a secret encrypt with it",
                came="a round for a decryptor's public key",
                action="give the clients DecryptorsKey",
            )
        secret = self.secret(context, run_id)
        if secret is None:
            raise DataError(
                "the round's secret is needed", came="none", action="share it first"
            )
        return BfvCipher(plan, secret)


@dataclass(frozen=True)
class ProvisionedSecret(_Symmetric):
    """A secret that all clients were given beforehand, never through the server.

    Parameters
    ----------
    source : GroupSecret or Path
        The secret, or a file of mode 0600 with its 32 bytes in hex.

    Examples
    --------
    >>> ProvisionedSecret(GroupSecret.generate())
    ProvisionedSecret(source=GroupSecret())
    """

    source: GroupSecret | Path

    def secret(self, context: Context, run_id: str) -> GroupSecret | None:
        """Return it."""
        if isinstance(self.source, GroupSecret):
            return self.source
        text = read_key_file(self.source).decode("ascii", "replace").strip()
        if len(text) != 64 or not set(text) <= set("0123456789abcdef"):
            raise ConfigError(
                "a group secret needs a file with 64 hex digits",
                came="another content",
                action="write the same secret for every client",
            )
        return GroupSecret(bytes.fromhex(text))

    def offer(self, context: Context, run_id: str) -> bytes:
        """Refuse: there is nothing to agree on."""
        raise _nothing_to_agree()

    def wrap(self, context: Context, run_id: str, offers: list[bytes]) -> list[bytes]:
        """Refuse: who was given no secret gets none."""
        raise _nothing_to_agree()

    def unwrap(self, context: Context, run_id: str, box: bytes) -> GroupSecret:
        """Refuse: a box from the network does not replace a given secret."""
        raise _nothing_to_agree()


def _nothing_to_agree() -> ConfigError:
    return ConfigError(
        "a provisioned secret needs all clients to have it",
        came="a client without it",
        action="give it the same file, or use AgreedSecret on all clients",
    )


@dataclass(frozen=True)
class AgreedSecret(_Symmetric):
    """A secret that one client makes for the run and sends to the others, wrapped for each.

    The server relays boxes that it cannot open. Offers and boxes are signed, and only those
    of ``peers`` are believed.

    Parameters
    ----------
    signer : Signer or Path or callable
        This client's identity, as for :class:`~parity_flwr.clients.SigningMod`.
    peers : collection of bytes
        The Ed25519 public keys of all clients, known beforehand and not from the server:
        a list from the server would let it add itself.
    """

    signer: SignerSource
    peers: Collection[bytes]

    def __post_init__(self) -> None:
        object.__setattr__(self, "peers", check_peers(self.peers))

    def secret(self, context: Context, run_id: str) -> GroupSecret | None:
        """Return what this client keeps in its state for the run."""
        value = kept(context, run_id).get(_SECRET)
        return GroupSecret(value) if isinstance(value, bytes) else None

    def offer(self, context: Context, run_id: str) -> bytes:
        """Return a new signed public key and keep its private half."""
        private = new_private_key()
        keep(context, run_id, {_PRIVATE: private})
        return make_offer(private, resolve_signer(self.signer, context), run_id=run_id)

    def wrap(self, context: Context, run_id: str, offers: list[bytes]) -> list[bytes]:
        """Return one box for each offer, empty for a stranger's: it must not stop the rest."""
        secret = self.secret(context, run_id)
        if secret is None:
            secret = GroupSecret.generate()
            keep(context, run_id, {_SECRET: secret.value})
        signer = resolve_signer(self.signer, context)
        return [self._wrap_one(secret, each, signer, run_id) for each in offers]

    def _wrap_one(
        self, secret: GroupSecret, offer: bytes, signer: Signer, run_id: str
    ) -> bytes:
        try:
            return wrap_secret(secret, offer, signer, peers=self.peers, run_id=run_id)
        except DataError as error:
            log(WARNING, "An offer got no box: %s", error)
            return b""

    def unwrap(self, context: Context, run_id: str, box: bytes) -> GroupSecret:
        """Return the secret and keep it; DataError if the box is no peer's."""
        private = kept(context, run_id).get(_PRIVATE)
        if not isinstance(private, bytes) or not private:
            raise ConfigError(
                "a box needs an offer that it answers", came="none", action="ask for an offer"
            )
        secret = unwrap_secret(box, private, peers=self.peers, run_id=run_id)
        keep(context, run_id, {_SECRET: secret.value, _PRIVATE: b""})  # an offer serves once
        return secret


def kept(context: Context, run_id: str) -> dict[str, Any]:
    """Return what this client keeps about encryption in this run, empty in a new one."""
    record = context.state.config_records.get(HE_RECORD)
    return dict(record) if record is not None and record.get(RUN_ID) == run_id else {}


def keep(context: Context, run_id: str, values: dict[str, Any]) -> None:
    """Keep more about this run in the client's state."""
    known = kept(context, run_id)
    context.state[HE_RECORD] = ConfigRecord({**known, RUN_ID: run_id, **values})
