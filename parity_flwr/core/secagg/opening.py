"""From what survivors reveal to the sum: take every mask off, or say why it cannot be."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from numpy.typing import NDArray

from parity_flwr.core.key_agreement import KEY_BYTES
from parity_flwr.core.keystream import add_stream
from parity_flwr.core.secagg.messages import Release, share_digest
from parity_flwr.core.secagg.own_secrets import pair_key, self_mask_key
from parity_flwr.core.secagg.server import Lost, Reasons, Summed
from parity_flwr.core.sharing import PRIME_256, interpolation_weights

_SEED, _KEY = 0, 1


@dataclass(frozen=True)
class Opened:
    """The sum of the survivors' vectors, exact modulo 2^32, and who sent wrong shares."""

    words: NDArray[np.uint32]
    wrong: Mapping[int, str] = field(default_factory=dict)


def open_sum(summed: Summed, releases: Mapping[int, Release]) -> Opened | Lost:
    """Remove the survivors' own masks and the pairwise masks with those who dropped out.

    Every share is compared with the hash that its dealer gave, every secret with its
    commitment: a wrong one is left out, and its sender named.
    """
    return _Opening(summed, releases).run()


class _Opening:
    """One attempt at opening a sum."""

    def __init__(self, summed: Summed, releases: Mapping[int, Release]) -> None:
        self.summed = summed
        self.everybody = summed.dealt.participants
        self.releases = {
            each: release for each, release in releases.items() if each in summed.survivors
        }
        self.words = summed.total.copy()
        self.disagreements: Counter[int] = Counter()
        self._weights: dict[tuple[int, ...], list[int]] = {}

    def run(self) -> Opened | Lost:
        if len(self.releases) < self.everybody.quorum:
            came = len(self.releases)
            return Lost(f"{came} of {self.everybody.quorum} survivors answered to unmask")
        survivors = set(self.summed.survivors)
        for each in self.summed.dealt.deals:
            lost = self._own_mask(each) if each in survivors else self._pair_masks(each)
            if lost:
                culprits = {**self._liars(), **lost.culprits}
                return Lost(lost.reason, culprits)
        return Opened(self.words, self._liars())

    def _own_mask(self, survivor: int) -> Lost | None:
        secret = self._secret(survivor, _SEED)
        if secret is None:
            return Lost(f"too few usable shares of participant {survivor}'s mask")
        commitment = self.summed.dealt.deals[survivor].seed_commitment
        if hashlib.sha256(secret).digest() != commitment:
            return self._bad_dealer(survivor)
        key = self_mask_key(secret, self.everybody.transcript)
        add_stream(self.words, key, subtract=True)
        return None

    def _pair_masks(self, gone: int) -> Lost | None:
        """Remove what survivors added for one that dropped out after dealing."""
        masked = [s for s in self.summed.survivors if gone in self.summed.masked_with(s)]
        private = self._private_key(gone) if masked else None
        for survivor in masked:
            if private is not None:
                theirs = self.everybody.of(survivor).mask_key
                key = pair_key(private, theirs, self.everybody.transcript)
            else:
                release = self.releases.get(survivor)
                found = release.pairs.get(gone) if release else None
                if found is None:
                    return Lost(f"too few usable shares of participant {gone}'s key")
                key = found
            # A survivor subtracted masks shared with lower ids and added the others.
            add_stream(self.words, key, subtract=gone > survivor)
        return None

    def _private_key(self, gone: int) -> X25519PrivateKey | None:
        secret = self._secret(gone, _KEY)
        if secret is None or len(secret) != KEY_BYTES:
            return None
        private = X25519PrivateKey.from_private_bytes(secret)
        if private.public_key().public_bytes_raw() != self.everybody.of(gone).mask_key:
            return None
        return private

    def _secret(self, dealer: int, kind: int) -> bytes | None:
        """Combine the shares that agree with the dealer's hashes, None if they are too few."""
        needed = self.everybody.threshold(dealer)
        shares: dict[int, int] = {}
        hashes = self.summed.dealt.deals[dealer].held
        for holder, expected in zip(self.everybody.holders(dealer), hashes, strict=True):
            share = self._share(holder, dealer, kind)
            if share is None:
                continue
            if share_digest(share) != expected[kind]:
                self.disagreements.update((holder, dealer))
                continue
            shares[self.everybody.ranks[holder] + 1] = share
            if len(shares) == needed:
                break
        if len(shares) < needed:
            return None
        return _combine(shares, self._basis(tuple(shares)))

    def _share(self, holder: int, dealer: int, kind: int) -> int | None:
        release = self.releases.get(holder)
        if release is None:
            return None
        return (release.seeds if kind == _SEED else release.keys).get(dealer)

    def _basis(self, points: tuple[int, ...]) -> list[int]:
        """Return Lagrange's weights; most secrets have the same holders."""
        if points not in self._weights:
            self._weights[points] = interpolation_weights(points)
        return self._weights[points]

    def _bad_dealer(self, dealer: int) -> Lost:
        reason = f"participant {dealer} dealt shares of something else than its mask"
        return Lost(reason, {dealer: "dealt shares of something else than its mask"})

    def _liars(self) -> Reasons:
        """Return who disagrees with more than one other: in every such pair one lies."""
        return {
            each: f"{count} shares do not fit what was dealt"
            for each, count in self.disagreements.items()
            if count > 1
        }


def _combine(shares: Mapping[int, int], weights: list[int]) -> bytes:
    """Return the secret; one that is no 32 bytes comes back too long for any commitment."""
    products = (w * share for w, share in zip(weights, shares.values(), strict=True))
    secret = sum(products) % PRIME_256
    return secret.to_bytes(max(KEY_BYTES, (secret.bit_length() + 7) // 8), "big")
