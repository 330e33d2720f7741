"""Who sent an update: what a client signs, and how the server checks it.

The signature binds the run, the round, the model that was sent out, the update and its
number of examples, so an old honest update cannot be sent again.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)

from parity_flwr.core.integrity import (
    digest_from_hex,
    integer_bytes,
    length_prefixed,
    text_bytes,
)
from parity_flwr.core.keyfile import key_error, read_key_file, write_key_file
from parity_flwr.core.wallet_signatures import WALLET_KEY_BYTES, verify_wallet

UPDATE_DOMAIN = b"parity-flwr/update/v1"
"""Keeps a signature over an update from being one over anything else."""

BALLOT_DOMAIN = b"parity-flwr/ballot/v1"
"""The same for a validator's ballot."""

# The public keys of small order, without their sign bit: under one of these a signature
# can be valid for every message, so it would bind nothing (RFC 8032, section 8.4 names the
# contributory behaviour; the list is libsodium's).
_SMALL_ORDER = frozenset(
    bytes.fromhex(key)
    for key in (
        "00" * 32,
        "01" + "00" * 31,
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "ec" + "ff" * 30 + "7f",
        "ed" + "ff" * 30 + "7f",
        "ee" + "ff" * 30 + "7f",
    )
)


def update_payload(
    *, run_id: str, round: int, base_hash: str, update_hash: str, num_examples: int
) -> bytes:
    """Return what a client signs, as length-prefixed fields after a domain tag.

    Parameters
    ----------
    run_id : str
        The run, as the train config's "parity-run" gives it.
    round : int
        The round, as the train config's "server-round" gives it.
    base_hash, update_hash : str
        SHA-256 of the model sent out and of the arrays returned, 64 hex digits.
    num_examples : int
        n_k as reported.

    Raises
    ------
    ConfigError
        If a hash is no digest or a number does not fit 64 bits.
    """
    return length_prefixed(
        UPDATE_DOMAIN,
        text_bytes(run_id, name="run_id"),
        integer_bytes(round, name="round"),
        digest_from_hex(base_hash, name="base_hash"),
        digest_from_hex(update_hash, name="update_hash"),
        integer_bytes(num_examples, name="num_examples"),
    )


def ballot_payload(
    *, run_id: str, round: int, candidate_hash: str, vote: str, loss_rise: int | None
) -> bytes:
    """Return what a validator signs: its vote on one candidate model, with its score.

    Parameters
    ----------
    run_id, round
        As in :func:`update_payload`.
    candidate_hash : str
        SHA-256 of the candidate model, 64 hex digits.
    vote : str
        "accept", "reject" or "abstain".
    loss_rise : int or None
        By how much the validator's own loss rose, in millionths.

    Raises
    ------
    ConfigError
        If the hash is no digest or the round does not fit 64 bits.
    """
    return length_prefixed(
        BALLOT_DOMAIN,
        text_bytes(run_id, name="run_id"),
        integer_bytes(round, name="round"),
        digest_from_hex(candidate_hash, name="candidate_hash"),
        text_bytes(vote, name="vote"),
        text_bytes("" if loss_rise is None else str(loss_rise), name="loss_rise"),
    )


class Signer(Protocol):
    """Holds a private key; the bridge implements it for wallets."""

    @property
    def public_key(self) -> bytes:
        """The key that verifies this signer's signatures."""
        ...

    def sign(self, payload: bytes) -> bytes:
        """Return the signature over the payload."""
        ...


class Ed25519Signer:
    """Signs with Ed25519 (RFC 8032). The private key shows in no repr and no error.

    Examples
    --------
    >>> signer = Ed25519Signer.from_seed(bytes(32))
    >>> verify(signer.public_key, b"payload", signer.sign(b"payload"))
    True
    """

    def __init__(self, private_key: Ed25519PrivateKey) -> None:
        self._private_key = private_key

    @classmethod
    def generate(cls) -> Ed25519Signer:
        """Make a new key from the operating system's randomness."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def from_seed(cls, seed: bytes) -> Ed25519Signer:
        """Make the key of a 32-byte secret; ConfigError for any other length."""
        if not isinstance(seed, bytes) or len(seed) != 32:
            raise key_error("a seed of 32 bytes", "another", "pass 32 secret bytes")
        return cls(Ed25519PrivateKey.from_private_bytes(seed))

    @classmethod
    def from_pem(cls, pem: bytes) -> Ed25519Signer:
        """Read an unencrypted PKCS #8 key; ConfigError if it is anything else."""
        try:
            key = serialization.load_pem_private_key(pem, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise key_error("an unencrypted PEM", "something else") from None
        if not isinstance(key, Ed25519PrivateKey):
            raise key_error("an Ed25519 key", type(key).__name__)
        return cls(key)

    @classmethod
    def from_file(cls, path: Path | str) -> Ed25519Signer:
        """Read a PEM file that only its owner can read (mode 0600).

        Raises
        ------
        ConfigError
            If it cannot be read, others may read it, or it is no Ed25519 key.
        """
        return cls.from_pem(read_key_file(path))

    def to_pem(self) -> bytes:
        """Return the private key as unencrypted PKCS #8 PEM: keep it secret."""
        return self._private_key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )

    def save(self, path: Path | str) -> None:
        """Write a new PEM file of mode 0600; ConfigError if it exists or cannot be made."""
        write_key_file(path, self.to_pem())

    @property
    def public_key(self) -> bytes:
        """The 32 bytes of the public key."""
        return self._private_key.public_key().public_bytes_raw()

    def sign(self, payload: bytes) -> bytes:
        """Return the signature, 64 bytes."""
        return self._private_key.sign(payload)

    def __repr__(self) -> str:
        return f"Ed25519Signer(public_key={self.public_key.hex()})"


def verify(public_key: bytes, payload: bytes, signature: bytes) -> bool:
    """Say whether the signature over the payload is this key's; never raises.

    A key of 32 bytes is Ed25519's, one of 33 a wallet's
    (:mod:`parity_flwr.core.wallet_signatures`). Keys of small order are False: their
    signatures can be valid for any payload.
    """
    parts = (public_key, payload, signature)
    if not all(isinstance(part, bytes) for part in parts):
        return False
    if len(public_key) == WALLET_KEY_BYTES:
        return verify_wallet(public_key, payload, signature)
    if len(public_key) != 32:
        return False
    if public_key[:31] + bytes([public_key[31] & 0x7F]) in _SMALL_ORDER:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, payload)
    except (InvalidSignature, ValueError, UnsupportedAlgorithm):
        return False
    return True
