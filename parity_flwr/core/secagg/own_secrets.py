"""A participant's secrets of one session, all derived from 32 random bytes."""

from __future__ import annotations

from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import (
    X25519PrivateKey,
    X25519PublicKey,
)
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from parity_flwr.core.secagg.messages import PAIR_BYTES
from parity_flwr.core.secagg.stream import derive_key
from parity_flwr.core.sharing.shamir import SHARE_BYTES, share_bytes, share_from_bytes
from parity_flwr.errors import ConfigError

_NONCE: Final = bytes(12)  # every sealing key seals once

SharePair = tuple[int, int]
"""A share of the self mask's seed, and one of the private mask key."""


class Secrets:
    """What a participant must not tell: derived from one root, shown in no repr.

    Parameters
    ----------
    root : bytes
        32 random bytes.
    """

    def __init__(self, root: bytes) -> None:
        self.mask_private = derive_key(root, b"mask key")
        self.seed = derive_key(root, b"self mask")
        self._mask = X25519PrivateKey.from_private_bytes(self.mask_private)
        self._wrap = X25519PrivateKey.from_private_bytes(derive_key(root, b"wrap key"))

    @property
    def mask_key(self) -> bytes:
        """The public key for pairwise masks."""
        return self._mask.public_key().public_bytes_raw()

    @property
    def wrap_key(self) -> bytes:
        """The public key for sealing shares."""
        return self._wrap.public_key().public_bytes_raw()

    def pair_key(self, theirs: bytes, transcript: bytes) -> bytes:
        """Return the key of the mask shared with the owner of a public mask key."""
        return pair_key(self._mask, theirs, transcript)

    def seal(
        self, pair: SharePair, *, to: tuple[int, bytes], own: int, transcript: bytes
    ) -> bytes:
        """Encrypt a pair of shares for one peer, given as (participant, wrap key)."""
        key = self._sealing_key(to[1], transcript, own, to[0])
        return ChaCha20Poly1305(key).encrypt(
            _NONCE, share_bytes(pair[0]) + share_bytes(pair[1]), None
        )

    def unseal(
        self, data: bytes, *, source: tuple[int, bytes], own: int, transcript: bytes
    ) -> SharePair | None:
        """Decrypt what a peer sealed; None if it did not seal this, or no two shares."""
        key = self._sealing_key(source[1], transcript, source[0], own)
        try:
            plain = ChaCha20Poly1305(key).decrypt(_NONCE, data, None)
            if len(plain) != PAIR_BYTES:
                return None
            return (
                share_from_bytes(plain[:SHARE_BYTES]),
                share_from_bytes(plain[SHARE_BYTES:]),
            )
        except (InvalidTag, ConfigError):
            return None

    def _sealing_key(self, theirs: bytes, transcript: bytes, source: int, to: int) -> bytes:
        secret = _exchange(self._wrap, theirs)
        ends = (source.to_bytes(8, "big"), to.to_bytes(8, "big"))
        return derive_key(secret, b"seal", transcript, *ends)


def pair_key(own: X25519PrivateKey, theirs: bytes, transcript: bytes) -> bytes:
    """Return the key of a pairwise mask: both ends, and whoever has one private key, get it."""
    return derive_key(_exchange(own, theirs), b"pairwise mask", transcript)


def self_mask_key(seed: bytes, transcript: bytes) -> bytes:
    """Return the key of a participant's own mask."""
    return derive_key(seed, b"own mask", transcript)


def is_usable(public: bytes) -> bool:
    """Say whether a secret can be agreed with the owner of this X25519 key."""
    try:
        _exchange(X25519PrivateKey.from_private_bytes(bytes([1] * 32)), public)
    except ConfigError:
        return False
    return True


def _exchange(own: X25519PrivateKey, theirs: bytes) -> bytes:
    try:
        return own.exchange(X25519PublicKey.from_public_bytes(theirs))
    except ValueError:  # a point of small order: everybody would know the secret
        raise ConfigError(
            "a key agreement needs a proper X25519 key",
            came="one of small order",
            action="leave the round",
        ) from None
