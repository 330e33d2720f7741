"""Keys that two parties agree on, keys for one purpose each, and boxes under them.

X25519 (RFC 7748), HKDF-SHA-256 (RFC 5869) and ChaCha20-Poly1305 (RFC 8439): what secure
aggregation and the group secret of encrypted aggregation are built of.
"""

from __future__ import annotations

from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from parity_flwr.core.integrity import length_prefixed

KEY_BYTES: Final = 32
TAG_BYTES: Final = 16
_NONCE: Final = bytes(12)  # every key seals once


def derive_key(secret: bytes, *labels: bytes, size: int = KEY_BYTES) -> bytes:
    """Return ``size`` bytes for one purpose: HKDF over length-prefixed labels.

    Examples
    --------
    >>> derive_key(bytes(32), b"ab", b"c") == derive_key(bytes(32), b"a", b"bc")
    False
    """
    return HKDF(SHA256(), size, None, length_prefixed(*labels)).derive(secret)


def agree(own: X25519PrivateKey, theirs: bytes) -> bytes | None:
    """Return the secret shared with the owner of a public key.

    None if the key is a point of small order, whose secret everybody would know, or none.
    """
    try:
        return own.exchange(X25519PublicKey.from_public_bytes(theirs))
    except ValueError:
        return None


def seal(key: bytes, plain: bytes) -> bytes:
    """Encrypt under a key that is used for this alone; 16 bytes longer."""
    return ChaCha20Poly1305(key).encrypt(_NONCE, plain, None)


def unseal(key: bytes, sealed: bytes) -> bytes | None:
    """Return what was sealed; None if it was changed or is another key's."""
    try:
        return ChaCha20Poly1305(key).decrypt(_NONCE, sealed, None)
    except InvalidTag:
        return None
