"""What the two sides send each other, packed and parsed with limits.

Whatever both sides know is not sent: who is who follows from the order of participants, and
subsets of them travel as bits.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from parity_flwr.core.integrity import length_prefixed
from parity_flwr.core.secagg.quantise import MOST_ADDENDS
from parity_flwr.core.sharing.shamir import SHARE_BYTES, share_bytes, share_from_bytes
from parity_flwr.core.signatures import verify
from parity_flwr.errors import ConfigError

KEY_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64
PAIR_BYTES: Final = 2 * SHARE_BYTES  # a seed share and a key share
SEALED_BYTES: Final = PAIR_BYTES + 16  # and Poly1305's tag
COMMITMENT_BYTES: Final = 32
DIGEST_BYTES: Final = 8  # of a share: see share_digest
MOST_ID: Final = 2**64 - 1
_AD_BYTES: Final = 8 + 3 * KEY_BYTES + SIGNATURE_BYTES
_KEYS_DOMAIN: Final = b"parity-flwr/secagg/keys/v1"
_CONFIRM_DOMAIN: Final = b"parity-flwr/secagg/confirm/v1"


@dataclass(frozen=True, kw_only=True)
class Advertisement:
    """A participant's fresh keys for one session, signed by its registered identity."""

    participant: int
    mask_key: bytes  # X25519, for pairwise masks
    wrap_key: bytes  # X25519, to seal shares
    identity: bytes  # Ed25519
    signature: bytes = b""

    def payload(self, digest: bytes) -> bytes:
        """Return what is signed, given the session's digest."""
        number = self.participant.to_bytes(8, "big")
        return length_prefixed(_KEYS_DOMAIN, digest, number, self.mask_key, self.wrap_key)

    def is_signed(self, digest: bytes) -> bool:
        """Say whether the signature is the identity's, over this session."""
        return verify(self.identity, self.payload(digest), self.signature)

    def pack(self) -> bytes:
        """Return 168 bytes."""
        keys = self.mask_key + self.wrap_key + self.identity
        return self.participant.to_bytes(8, "big") + keys + self.signature

    @classmethod
    def unpack(cls, data: bytes) -> Advertisement:
        """Read what :meth:`pack` wrote; ConfigError for anything else."""
        _require(type(data) is bytes and len(data) == _AD_BYTES, "keys")
        return cls(
            participant=int.from_bytes(data[:8], "big"),
            mask_key=data[8:40],
            wrap_key=data[40:72],
            identity=data[72:104],
            signature=data[104:],
        )


@dataclass(frozen=True, kw_only=True)
class Deal:
    """A participant's shares: sealed for each neighbour, with commitments for the server.

    ``sealed`` follows :meth:`Participants.sealed_to`, ``held`` all holders ascending: the
    digest of the seed share, then of the key share.
    """

    sealed: tuple[bytes, ...]
    held: tuple[tuple[bytes, bytes], ...]
    seed_commitment: bytes

    def to_record(self) -> dict[str, Any]:
        """Return plain values for a message."""
        held = b"".join(one + two for one, two in self.held)
        return {"sealed": b"".join(self.sealed), "held": held, "seed": self.seed_commitment}

    @classmethod
    def from_record(cls, record: Mapping[str, object], *, sealed_to: int, holders: int) -> Deal:
        """Read the deal of a participant with so many holders, some of them sealed to."""
        sealed = _pieces(record.get("sealed"), SEALED_BYTES, count=sealed_to)
        held = _pieces(record.get("held"), DIGEST_BYTES, count=2 * holders)
        (seed,) = _pieces(record.get("seed"), COMMITMENT_BYTES, count=1)
        pairs = zip(held[::2], held[1::2], strict=True)
        return cls(sealed=sealed, held=tuple(pairs), seed_commitment=seed)


@dataclass(frozen=True)
class MaskedInput:
    """A masked vector, and the peers whose shares were unusable (not masked with)."""

    words: NDArray[np.uint32]
    complaints: frozenset[int] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Release:
    """What a survivor reveals: by peer a seed share, or a key share and a pairwise key."""

    seeds: Mapping[int, int]  # of survivors
    keys: Mapping[int, int]  # of those who dropped out
    pairs: Mapping[int, bytes]  # the pairwise mask keys with them

    def to_record(self) -> dict[str, Any]:
        """Return plain values for a message."""
        return {
            "seeds": b"".join(share_bytes(self.seeds[each]) for each in sorted(self.seeds)),
            "keys": b"".join(share_bytes(self.keys[each]) for each in sorted(self.keys)),
            "pairs": b"".join(self.pairs[each] for each in sorted(self.keys)),
        }

    @classmethod
    def from_record(
        cls, record: Mapping[str, object], *, seed_of: Sequence[int], key_of: Sequence[int]
    ) -> Release:
        """Read a release of these peers' shares; ConfigError for anything malformed."""
        seeds = _pieces(record.get("seeds"), SHARE_BYTES, count=len(seed_of))
        keys = _pieces(record.get("keys"), SHARE_BYTES, count=len(key_of))
        pairs = _pieces(record.get("pairs"), KEY_BYTES, count=len(key_of))
        return cls(
            seeds=dict(zip(seed_of, map(share_from_bytes, seeds), strict=True)),
            keys=dict(zip(key_of, map(share_from_bytes, keys), strict=True)),
            pairs=dict(zip(key_of, pairs, strict=True)),
        )


def confirmation_payload(transcript: bytes, survivors: Sequence[int]) -> bytes:
    """Return what a participant signs when it has seen who survived."""
    return length_prefixed(_CONFIRM_DOMAIN, transcript, pack_ids(survivors))


def pack_advertisements(each: Iterable[Advertisement]) -> bytes:
    """Return the advertisements one after the other."""
    return b"".join(one.pack() for one in each)


def unpack_advertisements(data: object, *, most: int) -> tuple[Advertisement, ...]:
    """Read at most so many advertisements; ConfigError for anything else."""
    pieces = _pieces(data, _AD_BYTES, most=most)
    return tuple(Advertisement.unpack(piece) for piece in pieces)


def pack_ids(ids: Iterable[int]) -> bytes:
    """Return ids as 8 bytes each: node ids do not fit a signed integer."""
    return b"".join(each.to_bytes(8, "big") for each in ids)


def unpack_ids(data: object) -> tuple[int, ...]:
    """Read distinct ids; ConfigError for anything else.

    Examples
    --------
    >>> unpack_ids(pack_ids([7, 2**63]))
    (7, 9223372036854775808)
    """
    ids = tuple(int.from_bytes(each, "big") for each in _pieces(data, 8, most=MOST_ADDENDS))
    _require(len(set(ids)) == len(ids), "ids")
    return ids


def pack_subset(everybody: Sequence[int], chosen: Collection[int]) -> bytes:
    """Return one bit for each of everybody, in their order."""
    bits = sum(1 << place for place, each in enumerate(everybody) if each in chosen)
    return bits.to_bytes((len(everybody) + 7) // 8, "little")


def unpack_subset(everybody: Sequence[int], data: object) -> tuple[int, ...]:
    """Read what :func:`pack_subset` wrote; ConfigError for anything else.

    Examples
    --------
    >>> unpack_subset([5, 7, 9], pack_subset([5, 7, 9], {9, 5}))
    (5, 9)
    """
    if type(data) is not bytes or len(data) != (len(everybody) + 7) // 8:
        raise _malformed("subset")
    bits = int.from_bytes(data, "little")
    _require(bits >> len(everybody) == 0, "subset")
    return tuple(each for place, each in enumerate(everybody) if bits >> place & 1)


def share_digest(share: int) -> bytes:
    """Return the 8 bytes that a dealer shows the server of a share.

    They find who sends a wrong one; whether a secret is right its whole hash or its public
    key decides. A share is uniform in 256 bits, so that its digest says nothing about it.
    """
    return hashlib.sha256(share_bytes(share)).digest()[:DIGEST_BYTES]


def pack_confirmations(survivors: Sequence[int], signed: Mapping[int, bytes]) -> dict[str, Any]:
    """Return signatures of survivors as plain values for a message."""
    signers = [each for each in survivors if each in signed]
    return {
        "signers": pack_subset(survivors, signers),
        "signatures": b"".join(signed[each] for each in signers),
    }


def unpack_confirmations(
    record: Mapping[str, object], survivors: Sequence[int]
) -> dict[int, bytes]:
    """Read signatures by survivor."""
    signers = unpack_subset(survivors, record.get("signers"))
    found = _pieces(record.get("signatures"), SIGNATURE_BYTES, count=len(signers))
    return dict(zip(signers, found, strict=True))


def pieces(data: object, size: int, *, count: int) -> tuple[bytes, ...]:
    """Cut bytes into so many pieces of one size; ConfigError for anything else."""
    return _pieces(data, size, count=count)


def _pieces(
    data: object, size: int, *, count: int | None = None, most: int = MOST_ADDENDS
) -> tuple[bytes, ...]:
    """Cut bytes into pieces of one size; as many as stated, or at most so many."""
    if type(data) is not bytes or len(data) % size:
        raise _malformed("data")
    found = len(data) // size
    _require(found == count if count is not None else found <= most, "data")
    return tuple(data[k * size : (k + 1) * size] for k in range(found))


def _require(holds: bool, what: str) -> None:
    if not holds:
        raise _malformed(what)


def _malformed(what: str) -> ConfigError:
    return ConfigError(
        "a message of secure aggregation needs a stated size and form",
        came=f"malformed {what}",
        action="refuse it",
    )
