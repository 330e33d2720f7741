"""A participant's secrets of one session, all derived from 32 random bytes."""

from __future__ import annotations

from typing import Final

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from parity_flwr.core.key_agreement import agree, derive_key, seal, unseal
from parity_flwr.core.secagg.messages import PAIR_BYTES
from parity_flwr.core.sharing import PRIME_256
from parity_flwr.core.sharing.shamir import SHARE_BYTES, share_bytes, share_from_bytes
from parity_flwr.errors import ConfigError

_DOMAIN: Final = b"parity-flwr/secagg/v1"

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
        self._root = root
        self.mask_private = derive_key(root, _DOMAIN, b"mask key")
        self.seed = derive_key(root, _DOMAIN, b"self mask")
        self._mask = X25519PrivateKey.from_private_bytes(self.mask_private)
        self._wrap = X25519PrivateKey.from_private_bytes(derive_key(root, _DOMAIN, b"wrap key"))

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

    def fixed_pair(
        self, *, dealer: int, holder: int, theirs: bytes, transcript: bytes
    ) -> SharePair:
        """Return the shares that both ends derive: nothing of them has to be sent.

        ``theirs`` is the other end's public wrap key; one's own shares follow from the root.
        A dealer fixes one share less than its secrets' threshold in this way.
        """
        secret = self._root if dealer == holder else _exchange(self._wrap, theirs)
        label = b"fixed shares"
        data = _derive(secret, label, transcript, dealer, holder, size=2 * SHARE_BYTES)
        first, second = data[:SHARE_BYTES], data[SHARE_BYTES:]
        # Of 2^256 values 189 come twice: no bias that anybody could see.
        return int.from_bytes(first, "big") % PRIME_256, int.from_bytes(
            second, "big"
        ) % PRIME_256

    def seal(
        self, pair: SharePair, *, dealer: int, holder: int, theirs: bytes, transcript: bytes
    ) -> bytes:
        """Encrypt a pair of shares for one holder, whose public wrap key is ``theirs``."""
        secret = _exchange(self._wrap, theirs)
        key = _derive(secret, b"seal", transcript, dealer, holder)
        return seal(key, share_bytes(pair[0]) + share_bytes(pair[1]))

    def unseal(
        self, data: bytes, *, dealer: int, holder: int, theirs: bytes, transcript: bytes
    ) -> SharePair | None:
        """Decrypt what a dealer sealed; None if it did not seal this, or no two shares."""
        secret = _exchange(self._wrap, theirs)
        plain = unseal(_derive(secret, b"seal", transcript, dealer, holder), data)
        if plain is None or len(plain) != PAIR_BYTES:
            return None
        try:
            first, second = plain[:SHARE_BYTES], plain[SHARE_BYTES:]
            return share_from_bytes(first), share_from_bytes(second)
        except ConfigError:
            return None


def _derive(
    secret: bytes, label: bytes, transcript: bytes, dealer: int, holder: int, *, size: int = 32
) -> bytes:
    ends = (dealer.to_bytes(8, "big"), holder.to_bytes(8, "big"))
    return derive_key(secret, _DOMAIN, label, transcript, *ends, size=size)


def pair_key(own: X25519PrivateKey, theirs: bytes, transcript: bytes) -> bytes:
    """Return the key of a pairwise mask: both ends, and whoever has one private key, get it."""
    return derive_key(_exchange(own, theirs), _DOMAIN, b"pairwise mask", transcript)


def self_mask_key(seed: bytes, transcript: bytes) -> bytes:
    """Return the key of a participant's own mask."""
    return derive_key(seed, _DOMAIN, b"own mask", transcript)


def is_usable(public: bytes) -> bool:
    """Say whether a secret can be agreed with the owner of this X25519 key."""
    return agree(X25519PrivateKey.from_private_bytes(bytes([1] * 32)), public) is not None


def _exchange(own: X25519PrivateKey, theirs: bytes) -> bytes:
    secret = agree(own, theirs)
    if secret is None:
        raise ConfigError(
            "a key agreement needs a proper X25519 key",
            came="one of small order",
            action="leave the round",
        )
    return secret
