"""The secret that the clients share and the server never sees.

Thirty-two random bytes. Everything else is derived from them with HKDF (RFC 5869), one label
for each use, so that no key is used twice and none has to travel.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from parity_flwr.core.integrity import length_prefixed, text_bytes
from parity_flwr.errors import ConfigError, DataError

SECRET_BYTES = 32
KEY_ID_BYTES = 16
_NONCE_BYTES = 12
_TAG_BYTES = 16

SEALED_OVERHEAD = _NONCE_BYTES + _TAG_BYTES
"""By how much sealed bytes are longer than what they hold."""


@dataclass(frozen=True)
class GroupSecret:
    """One secret for all clients of a federation.

    Whoever holds it can decrypt every update: a client that gives it to the server ends the
    confidentiality of all.

    Parameters
    ----------
    value : bytes
        32 bytes from a cryptographic generator.

    Examples
    --------
    >>> secret = GroupSecret(bytes(32))
    >>> secret.open(secret.seal(b"model", label="run 1"), label="run 1")
    b'model'
    """

    value: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.value, bytes) or len(self.value) != SECRET_BYTES:
            raise ConfigError(
                "a group secret needs 32 bytes", came="something else", action="make a new one"
            )

    @classmethod
    def generate(cls) -> GroupSecret:
        """Draw a new secret from the operating system's generator."""
        return cls(secrets.token_bytes(SECRET_BYTES))

    def derive(self, label: bytes, length: int) -> bytes:
        """Return bytes that belong to one use."""
        info = b"parity-flwr/group-secret/v1/" + label
        return HKDF(SHA512(), length, None, info).derive(self.value)

    @property
    def id(self) -> bytes:
        """16 public bytes that tell secrets apart and say nothing else."""
        return self.derive(b"id", KEY_ID_BYTES)

    def seal(self, plain: bytes, *, label: str) -> bytes:
        """Encrypt and authenticate so that the same bytes give the same bytes.

        Several clients must return equal bytes for a majority to be counted. The nonce is a
        keyed hash of what is sealed (as in SIV): it repeats only with the whole message,
        and the one thing that shows is that two messages are equal.
        """
        key, nonce_key, named = self._sealing(label)
        keyed = hashlib.blake2b(plain, key=nonce_key, person=b"parity nonce")
        nonce = keyed.digest()[:_NONCE_BYTES]
        return nonce + ChaCha20Poly1305(key).encrypt(nonce, plain, named)

    def open(self, sealed: bytes, *, label: str) -> bytes:
        """Return what was sealed under this label.

        Raises
        ------
        DataError
            If it was changed, or sealed with another secret or label.
        """
        key, _, named = self._sealing(label)
        nonce, rest = bytes(sealed[:_NONCE_BYTES]), bytes(sealed[_NONCE_BYTES:])
        try:
            if len(nonce) == _NONCE_BYTES:
                return ChaCha20Poly1305(key).decrypt(nonce, rest, named)
        except InvalidTag:
            pass
        raise DataError(
            "a sealed model needs this group's secret and no change",
            came="another secret, label or content",
            action="ask for it again",
        )

    def _sealing(self, label: str) -> tuple[bytes, bytes, bytes]:
        named = length_prefixed(b"seal", text_bytes(label, name="label"))
        keys = self.derive(named, 64)
        return keys[:32], keys[32:], named
