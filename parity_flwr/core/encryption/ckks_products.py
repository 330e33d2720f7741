"""What can be computed on CKKS ciphertexts without a key (P-24, P-25).

Weighted sums of updates, and a linear model evaluated on encrypted test data (D): with the
model in clear, or with both encrypted.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

from parity_flwr.core.encryption.ckks import (
    LARGEST,
    CkksRing,
    ckks_envelope,
    ckks_shape,
)
from parity_flwr.core.encryption.envelope import Shape, parse_envelope
from parity_flwr.core.encryption.seal import refusing
from parity_flwr.errors import DataError

_MOST_TERMS: Final = 100_000
_SMALLEST: Final = 2.0**-39  # a weight under half a unit of the scale is encoded as 0


def weighted_sum(
    vectors: Sequence[bytes], weights: Sequence[float], *, size: int, key_id: bytes
) -> bytes:
    """Return the encryption of sum_k c_k x_k for known weights (P-2 under P-24); no key.

    Weights of magnitude under 2^-39 count as 0.

    Raises
    ------
    DataError
        If a vector is malformed, a weight is not finite, or all weights are 0.
    """
    ring = CkksRing()
    _check_weights(weights, len(vectors))
    totals = _weighted(ring, vectors, weights, ckks_shape(size, key_id))
    return _finished(ring, totals, size=size, key_id=key_id)


def linear_scores(
    columns: Sequence[bytes],
    weights: Sequence[float],
    *,
    rows: int,
    key_id: bytes,
    intercept: float = 0.0,
) -> bytes:
    """Return the encryption of X w + b: a linear model on encrypted test data (D).

    Each column of X (one feature of all rows) is one encrypted vector, so that a dot product
    is a weighted sum of columns: no rotations, hence no Galois keys.

    Parameters
    ----------
    columns : sequence of bytes, p of them
        ``CkksCipher.encrypt(X[:, j])``.
    weights : sequence of float, p of them
        The model, which the owner of the data need not know.
    rows : int
        How many examples.
    key_id : bytes
        Of the owner of the data, who alone can decrypt the scores.
    intercept : float
        b.

    Examples
    --------
    >>> import numpy as np
    >>> from parity_flwr.core.encryption.ckks import CkksCipher
    >>> from parity_flwr.core.encryption.group_secret import GroupSecret
    >>> owner = CkksCipher(GroupSecret(bytes(32)))
    >>> table = np.array([[1.0, 2.0], [3.0, 4.0]])
    >>> columns = [owner.encrypt(column) for column in table.T]
    >>> scores = linear_scores(columns, [0.5, -1.0], rows=2, key_id=owner.key_id, intercept=2.0)
    >>> owner.decrypt(scores, size=2).round(6).tolist()
    [0.5, -0.5]
    """
    ring = CkksRing()
    _check_weights([*weights, intercept], len(columns) + 1)
    totals = _weighted(ring, columns, weights, ckks_shape(rows, key_id))
    for total in totals if intercept else ():
        shift = ring.encode(intercept, scale=total.scale, level=total.parms_id())
        ring.evaluator.add_plain_inplace(total, shift)
    return _finished(ring, totals, size=rows, key_id=key_id)


def encrypted_linear_scores(
    columns: Sequence[bytes],
    weights: Sequence[bytes],
    *,
    rows: int,
    key_id: bytes,
    relinearisation_key: bytes,
) -> bytes:
    """Return the encryption of X w with both encrypted: P-25, homomorphic multiplication.

    E(x) * E(w) = E(x w) slot by slot. Each weight is an encrypted vector that repeats it
    ``rows`` times. Whoever computes this learns neither the data nor the model.

    Raises
    ------
    DataError
        If a vector or the relinearisation key is malformed.
    """
    ring = CkksRing()
    if not 0 < len(columns) == len(weights) <= _MOST_TERMS:
        raise _uneven(len(columns), len(weights))
    key = ring.load_key(ring.api.RelinKeys(), relinearisation_key)
    totals: list[Any] = []
    shape = ckks_shape(rows, key_id)
    for column, weight in zip(columns, weights, strict=True):
        pairs = zip(
            parse_envelope(column, shape).blobs,
            parse_envelope(weight, shape).blobs,
            strict=True,
        )
        _accumulate(ring, totals, [_product(ring, a, b, key) for a, b in pairs])
    return _finished(ring, totals, size=rows, key_id=key_id)


def _weighted(
    ring: CkksRing, vectors: Sequence[bytes], weights: Sequence[float], shape: Shape
) -> list[Any]:
    totals: list[Any] = []
    for vector, weight in zip(vectors, weights, strict=True):
        # Loaded even where the weight is 0: a malformed vector is refused all the same.
        loaded = [ring.load(blob) for blob in parse_envelope(vector, shape).blobs]
        if abs(weight) >= _SMALLEST:
            _accumulate(ring, totals, [_scaled(ring, each, weight) for each in loaded])
    return totals


def _scaled(ring: CkksRing, ciphertext: Any, weight: float) -> Any:
    """Return weight * ciphertext, rescaled."""
    result = ring.api.Ciphertext(ring.context)
    with refusing():
        ring.evaluator.multiply_plain(ciphertext, ring.encode(float(weight)), result)
        ring.evaluator.rescale_to_next_inplace(result)
    return result


def _product(ring: CkksRing, first: bytes, second: bytes, key: Any) -> Any:
    result = ring.api.Ciphertext(ring.context)
    factors = ring.load(first), ring.load(second)
    with refusing():
        ring.evaluator.multiply(*factors, result)
        ring.evaluator.relinearize_inplace(result, key)
        ring.evaluator.rescale_to_next_inplace(result)
    return result


def _accumulate(ring: CkksRing, totals: list[Any], terms: list[Any]) -> None:
    if not totals:
        totals.extend(terms)
        return
    for total, term in zip(totals, terms, strict=True):
        ring.add(total, term)


def _finished(ring: CkksRing, totals: list[Any], *, size: int, key_id: bytes) -> bytes:
    if not totals:
        raise DataError(
            "a result under encryption needs a weight that is not 0",
            came="none",
            action="it is 0: say so in clear",
        )
    return ckks_envelope(tuple(ring.save(each) for each in totals), size=size, key_id=key_id)


def _check_weights(weights: Sequence[float], terms: int) -> None:
    if len(weights) != terms or not 0 < terms <= _MOST_TERMS:
        raise _uneven(terms, len(weights))
    if not all(math.isfinite(weight) and abs(weight) <= LARGEST for weight in weights):
        raise DataError(
            f"weights need to be finite and within {LARGEST:g}", came="others", action="scale"
        )


def _uneven(terms: int, weights: int) -> DataError:
    return DataError(
        "a weighted sum needs one weight for each vector, and at least one",
        came=f"{terms} vectors and {weights} weights",
        action="pass as many",
    )
