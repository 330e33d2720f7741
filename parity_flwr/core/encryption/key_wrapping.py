"""The keys' way from one client to the others through a server that must not see them.

Each newcomer offers an X25519 key signed by its identity; a client that holds the secret (or
makes it) encrypts it to every offer with a fresh key pair: X25519, HKDF-SHA256,
ChaCha20-Poly1305. The box is signed by its maker. Both sides believe only identities from
their own list of peers, so a server that relays cannot sit in the middle.
"""

from __future__ import annotations

from collections.abc import Collection

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from parity_flwr.core.encryption.group_secret import SECRET_BYTES, GroupSecret
from parity_flwr.core.integrity import length_prefixed, text_bytes
from parity_flwr.core.key_agreement import TAG_BYTES, agree, derive_key, seal, unseal
from parity_flwr.core.signatures import Signer, verify
from parity_flwr.errors import ConfigError, DataError

_OFFER = b"parity-flwr/he-offer/v1"
_BOX = b"parity-flwr/he-box/v1"
_PUBLIC = b"parity-flwr/he-public-key/v1"
_KEY, _SIGNATURE = 32, 64

OFFER_BYTES = 2 * _KEY + _SIGNATURE
MAX_ANNOUNCEMENT = 80_000
BOX_BYTES = 3 * _KEY + SECRET_BYTES + TAG_BYTES + _SIGNATURE


def new_private_key() -> bytes:
    """Return the 32 secret bytes of a new X25519 key, for one offer."""
    return X25519PrivateKey.generate().private_bytes_raw()


def make_offer(private_key: bytes, signer: Signer, *, run_id: str) -> bytes:
    """Return a signed X25519 public key: key, identity, signature."""
    key = X25519PrivateKey.from_private_bytes(private_key).public_key().public_bytes_raw()
    return key + signer.public_key + signer.sign(_offered(key, run_id))


def check_offer(offer: bytes, *, peers: Collection[bytes], run_id: str) -> bytes:
    """Return the X25519 key of an offer.

    Raises
    ------
    DataError
        If it is not one of these peers' for this run.
    """
    _require_length(offer, OFFER_BYTES, "an offer")
    key, identity, signature = offer[:32], offer[32:64], offer[64:]
    _require_peer(identity, peers, "an offer")
    if not verify(identity, _offered(key, run_id), signature):
        raise _refusal("an offer signed for this run", "another signature")
    return key


def wrap_secret(
    secret: GroupSecret,
    offer: bytes,
    signer: Signer,
    *,
    peers: Collection[bytes],
    run_id: str,
) -> bytes:
    """Return the secret for one peer alone: offer key, fresh key, maker, box, signature.

    Raises
    ------
    DataError
        If the offer is not one of these peers' for this run, or a key of small order.
    """
    recipient = check_offer(offer, peers=peers, run_id=run_id)
    fresh = X25519PrivateKey.generate()
    head = recipient + fresh.public_key().public_bytes_raw() + signer.public_key
    key = _box_key(fresh, recipient, head, run_id)
    box = head + seal(key, secret.value)
    return box + signer.sign(_boxed(box, run_id))


def unwrap_secret(
    box: bytes, private_key: bytes, *, peers: Collection[bytes], run_id: str
) -> GroupSecret:
    """Return the secret from a box made for this private key by one of these peers.

    Raises
    ------
    DataError
        If it is no such box.
    """
    _require_length(box, BOX_BYTES, "a box")
    body, signature = box[:-_SIGNATURE], box[-_SIGNATURE:]
    head, sealed = body[:96], body[96:]
    recipient, fresh, maker = head[:32], head[32:64], head[64:]
    _require_peer(maker, peers, "a box")
    if not verify(maker, _boxed(body, run_id), signature):
        raise _refusal("a box signed for this run", "another signature")
    private = X25519PrivateKey.from_private_bytes(private_key)
    if recipient != private.public_key().public_bytes_raw():
        raise _refusal("a box for this client's offer", "one for another")
    key = _box_key(private, fresh, head, run_id)
    secret = unseal(key, sealed)
    if secret is None:
        raise _refusal("an intact box", "a changed one")
    return GroupSecret(secret)


def announce_key(public_key: bytes, key_id: bytes, signer: Signer, *, run_id: str) -> bytes:
    """Return a decryptor's signed public key: key id, identity, signature, key."""
    signature = signer.sign(_announced(public_key, key_id, run_id))
    return key_id + signer.public_key + signature + public_key


def check_announcement(
    announcement: bytes, *, decryptor: bytes, run_id: str
) -> tuple[bytes, bytes]:
    """Return key id and public key of the one decryptor that this client believes.

    Raises
    ------
    DataError
        If it is not that decryptor's for this run.
    """
    if not isinstance(announcement, bytes) or len(announcement) > MAX_ANNOUNCEMENT:
        raise _refusal(f"a public key of {MAX_ANNOUNCEMENT} bytes at most", "more")
    key_id, identity = announcement[:16], announcement[16:48]
    signature, public_key = announcement[48:112], announcement[112:]
    if identity != decryptor:
        raise _refusal("the public key of this client's decryptor", "another's")
    if not verify(identity, _announced(public_key, key_id, run_id), signature):
        raise _refusal("a public key signed for this run", "another signature")
    return key_id, public_key


def _announced(public_key: bytes, key_id: bytes, run_id: str) -> bytes:
    return length_prefixed(_PUBLIC, key_id, public_key, text_bytes(run_id, name="run_id"))


def _box_key(private: X25519PrivateKey, public: bytes, head: bytes, run_id: str) -> bytes:
    shared = agree(private, public)
    if shared is None:
        raise _refusal("an X25519 key", "one of small order")
    return derive_key(shared, _BOX, head, text_bytes(run_id, name="run_id"))


def _offered(key: bytes, run_id: str) -> bytes:
    return length_prefixed(_OFFER, key, text_bytes(run_id, name="run_id"))


def _boxed(body: bytes, run_id: str) -> bytes:
    return length_prefixed(_BOX, body, text_bytes(run_id, name="run_id"))


def _require_length(data: bytes, length: int, what: str) -> None:
    if not isinstance(data, bytes) or len(data) != length:
        raise _refusal(f"{what} of {length} bytes", "another length")


def _require_peer(identity: bytes, peers: Collection[bytes], what: str) -> None:
    if identity not in peers:
        raise _refusal(f"{what} by a peer on this client's list", "a stranger's")


def _refusal(needed: str, came: str) -> DataError:
    return DataError(
        f"sharing the group secret needs {needed}", came=came, action="leave its sender out"
    )


def check_peers(peers: Collection[bytes]) -> frozenset[bytes]:
    """Return the peers' Ed25519 keys; ConfigError if they are not such keys."""
    found = frozenset(peers)
    if not found or any(not isinstance(p, bytes) or len(p) != _KEY for p in found):
        raise ConfigError(
            "peers need to be Ed25519 public keys of 32 bytes, at least one",
            came=f"{len(found)} values",
            action="list the public keys of all clients",
        )
    return found
