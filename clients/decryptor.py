"""A key that no training client holds: one party decrypts, the others encrypt for it.

The decryptor is a node of the federation that never trains. A client that colludes with the
server learns nothing more; the decryptor that does, everything. Clients encrypt with its
public key: twice the bytes of a shared secret, and larger noise.
"""

from __future__ import annotations

from dataclasses import dataclass

from flwr.app import Context

from parity_flwr.clients.key_holding import Encryptor, keep, kept
from parity_flwr.clients.signing import SignerSource, resolve_signer
from parity_flwr.core.encryption.bfv import BfvCipher, BfvPublicCipher
from parity_flwr.core.encryption.group_secret import GroupSecret
from parity_flwr.core.encryption.key_wrapping import announce_key, check_announcement
from parity_flwr.core.encryption.plan import BfvPlan
from parity_flwr.errors import ConfigError, DataError

_SECRET, _PUBLIC = "secret", "public"


class _Alone:
    """Neither side of a decryptor's key shares secrets with anybody."""

    def offer(self, context: Context, run_id: str) -> bytes:
        """Refuse: there is nothing to agree on."""
        raise _not_shared()

    def wrap(self, context: Context, run_id: str, offers: list[bytes]) -> list[bytes]:
        """Refuse: the secret does not leave its holder."""
        raise _not_shared()

    def unwrap(self, context: Context, run_id: str, box: bytes) -> GroupSecret:
        """Refuse: nobody sends a secret here."""
        raise _not_shared()


def _not_shared() -> ConfigError:
    return ConfigError(
        "a decryptor's key is not shared",
        came="a strategy for a shared secret",
        action="set key_holder=KeyHolding.DECRYPTOR in its Encryption",
    )


@dataclass(frozen=True)
class OwnKey(_Alone):
    """The decryptor's side: its key is made for the run and stays in its state.

    Parameters
    ----------
    signer : Signer or Path or callable
        Signs the public key, so that the server cannot put its own in its place.

    Examples
    --------
    >>> from parity_flwr.clients import EncryptionMod
    >>> from parity_flwr.core.signatures import Ed25519Signer
    >>> mod = EncryptionMod(OwnKey(Ed25519Signer.from_seed(bytes(32))))
    """

    signer: SignerSource

    def secret(self, context: Context, run_id: str) -> GroupSecret | None:
        """Return the run's secret; make it the first time."""
        value = kept(context, run_id).get(_SECRET)
        if isinstance(value, bytes):
            return GroupSecret(value)
        secret = GroupSecret.generate()
        keep(context, run_id, {_SECRET: secret.value})
        return secret

    def encryptor(self, context: Context, run_id: str, plan: BfvPlan) -> Encryptor:
        """Refuse: who decrypts must not train."""
        raise ConfigError(
            "a decryptor trains nothing", came="a train message", action="name it in Encryption"
        )

    def publish(self, context: Context, run_id: str, plan: BfvPlan) -> bytes:
        """Return the signed public key for these parameters."""
        secret = self.secret(context, run_id)
        if secret is None or not plan.public_key:
            raise _not_shared()
        public = BfvCipher(plan, secret).public_key()
        return announce_key(
            public, secret.id, resolve_signer(self.signer, context), run_id=run_id
        )


@dataclass(frozen=True)
class DecryptorsKey(_Alone):
    """The clients' side: they believe one decryptor, known beforehand.

    Parameters
    ----------
    decryptor : bytes
        The Ed25519 public key of its identity, 32 bytes, not from the server.
    """

    decryptor: bytes

    def __post_init__(self) -> None:
        if not isinstance(self.decryptor, bytes) or len(self.decryptor) != 32:
            raise ConfigError(
                "a decryptor needs an Ed25519 public key of 32 bytes",
                came="something else",
                action="give its identity's public key",
            )

    def secret(self, context: Context, run_id: str) -> GroupSecret | None:
        """Return None: this client can decrypt nothing."""
        return None

    def adopt(self, context: Context, run_id: str, announcement: bytes) -> bytes:
        """Keep the decryptor's public key for the run and return its id.

        Raises
        ------
        DataError
            If it is not that decryptor's for this run.
        """
        key_id, _ = check_announcement(announcement, decryptor=self.decryptor, run_id=run_id)
        keep(context, run_id, {_PUBLIC: announcement})
        return key_id

    def encryptor(self, context: Context, run_id: str, plan: BfvPlan) -> Encryptor:
        """Return what encrypts for the decryptor; DataError before :meth:`adopt`."""
        announcement = kept(context, run_id).get(_PUBLIC)
        if not isinstance(announcement, bytes) or not plan.public_key:
            raise DataError(
                "the decryptor's public key is needed", came="none", action="publish it first"
            )
        key_id, public = check_announcement(
            announcement, decryptor=self.decryptor, run_id=run_id
        )
        return BfvPublicCipher(plan, public, key_id=key_id)
