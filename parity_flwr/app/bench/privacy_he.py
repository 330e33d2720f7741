"""Encrypted sums: ours, and NVFLARE's way in the same run.

NVFLARE's way, written down again with TenSEAL as its ``lighter/impl/he.py``,
``app_opt/he`` encryptor, aggregator and decryptor do it (2.9): one CKKS context for all
clients, symmetric, degree 8192, coefficient modulus [60, 40, 40], scale 2^40; a
``ckks_vector`` for each layer, serialised; the server adds them; every client gets the
encrypted sum and decrypts it. Nothing of NVFLARE is imported.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import median
from time import process_time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_flwr.core.encryption.bfv import BfvCipher, add_all
from parity_flwr.core.encryption.group_secret import GroupSecret
from parity_flwr.core.encryption.plan import BfvPlan
from parity_flwr.core.encryption.terms import sums_dtype

Row = NDArray[np.float32]

_CLIP = 1.0
_LAYERS = 8
_FLOAT_BYTES = 4


@dataclass(frozen=True)
class Federation:
    """n updates of d numbers in [-1, 1]."""

    n: int
    d: int

    @cached_property
    def rows(self) -> list[Row]:
        """The updates, float32."""
        streams = (np.random.default_rng([7, client]) for client in range(self.n))
        return [rng.uniform(-_CLIP, _CLIP, self.d).astype(np.float32) for rng in streams]


@dataclass(frozen=True, kw_only=True)
class Costs:
    """CPU seconds and bytes of one client in one round, and the server's CPU seconds."""

    encrypt_s: float
    decrypt_s: float
    server_s: float
    up_bytes: int
    down_bytes: int
    round_bytes: int  # everything that one client sends and receives
    max_error: float  # of one addend: the sum's largest error over n

    @property
    def client_s(self) -> float:
        """CPU seconds of one client."""
        return self.encrypt_s + self.decrypt_s


def measure_he(*, quick: bool) -> dict[str, float]:
    """Return the figures named ``he.*``.

    Parameters
    ----------
    quick : bool
        A hundredth of the size, once: for tests of the figures' names, not their values.

    Returns
    -------
    dict[str, float]
        Parameters per CPU second, bytes per parameter, the error of one addend, and our
        client's CPU and our whole round's bytes over NVFLARE's.
    """
    federation = Federation(n=10, d=10_000 if quick else 1_000_000)
    repeat = 1 if quick else 3
    ours, theirs = measure_ours(federation, repeat=repeat), measure_nvflare(federation, repeat)
    return {
        "he.encrypt_params_s": federation.d / ours.encrypt_s,
        "he.decrypt_params_s": federation.d / ours.decrypt_s,
        "he.bytes_per_param": ours.up_bytes / federation.d,
        "he.sum_bytes_per_param": ours.down_bytes / federation.d,
        "he.round_bytes_per_param": ours.round_bytes / federation.d,
        "he.max_error": ours.max_error,
        "he.server_s": ours.server_s,
        "he.vs_nvflare_cpu": ours.client_s / theirs.client_s,
        "he.vs_nvflare_bytes": ours.round_bytes / theirs.round_bytes,
        "he.nvflare_client_s": theirs.client_s,
        "he.nvflare_bytes_per_param": theirs.up_bytes / federation.d,
        "he.nvflare_max_error": theirs.max_error,
    }


def measure_ours(federation: Federation, *, repeat: int) -> Costs:
    """Return the costs of packed BFV, from float32 update to the decoded sum.

    Encrypting includes rounding, packing and serialising; decrypting includes parsing,
    unpacking and the bytes of the opened sum. The whole round counts the model that is
    broadcast (4 bytes a number), the encrypted update, the encrypted sum and the opened sum
    that goes back: the mode in which every client opens and the server learns the aggregate.
    """
    plan = BfvPlan(addends=federation.n, clip=_CLIP)
    cipher = BfvCipher(plan, GroupSecret.generate())
    encrypt_s, decrypt_s, server_s = [], [], []
    vectors = [_ours_encrypted(cipher, plan, row) for row in federation.rows]
    total, opened = b"", b""
    sums = np.empty(0)
    for _ in range(repeat + 1):  # the first pays for fresh memory
        encrypt_s.append(_timed(lambda: _ours_encrypted(cipher, plan, federation.rows[0])))
        start = process_time()
        total = add_all(plan, vectors, size=federation.d, key_id=cipher.key_id)
        server_s.append(process_time() - start)
        start = process_time()
        integers, addends = cipher.decrypt_sum(total, size=federation.d)
        opened = integers.astype(sums_dtype(plan)).tobytes()
        sums = plan.grid.decode_sum(integers, addends=addends)
        decrypt_s.append(process_time() - start)
    return Costs(
        encrypt_s=median(encrypt_s[1:]),
        decrypt_s=median(decrypt_s[1:]),
        server_s=median(server_s[1:]),
        up_bytes=len(vectors[0]),
        down_bytes=len(total),
        round_bytes=(_FLOAT_BYTES * federation.d + len(vectors[0]) + len(total) + len(opened)),
        max_error=_error(sums, federation),
    )


def _ours_encrypted(cipher: BfvCipher, plan: BfvPlan, row: Row) -> bytes:
    return cipher.encrypt(plan.grid.quantise(row))


def measure_nvflare(federation: Federation, repeat: int) -> Costs:
    """Return the costs of NVFLARE's way."""
    context = _nvflare_context()
    encrypt_s, decrypt_s, server_s = [], [], []
    vectors = [_nvflare_encrypted(context, row) for row in federation.rows]
    total: list[bytes] = []
    sums = np.empty(0)
    for _ in range(repeat + 1):
        encrypt_s.append(_timed(lambda: _nvflare_encrypted(context, federation.rows[0])))
        start = process_time()
        total = _nvflare_sum(context, vectors)
        server_s.append(process_time() - start)
        start = process_time()
        sums = _nvflare_decrypted(context, total)
        decrypt_s.append(process_time() - start)
    up, down = sum(map(len, vectors[0])), sum(map(len, total))
    return Costs(
        encrypt_s=median(encrypt_s[1:]),
        decrypt_s=median(decrypt_s[1:]),
        server_s=median(server_s[1:]),
        up_bytes=up,
        down_bytes=down,
        round_bytes=up + down,
        max_error=_error(sums, federation),
    )


def _nvflare_context() -> Any:
    import tenseal

    context = tenseal.context(
        tenseal.SCHEME_TYPE.CKKS,
        poly_modulus_degree=8192,
        coeff_mod_bit_sizes=[60, 40, 40],
        encryption_type=tenseal.ENCRYPTION_TYPE.SYMMETRIC,
        n_threads=1,
    )
    context.global_scale = 2**40
    return context


def _nvflare_encrypted(context: Any, row: Row) -> list[bytes]:
    import tenseal

    layers = np.array_split(row, _LAYERS)
    return [bytes(tenseal.ckks_vector(context, layer).serialize()) for layer in layers]


def _nvflare_sum(context: Any, vectors: Sequence[Sequence[bytes]]) -> list[bytes]:
    import tenseal

    totals: list[Any] = [tenseal.ckks_vector_from(context, each) for each in vectors[0]]
    for vector in vectors[1:]:
        for k, layer in enumerate(vector):
            totals[k] += tenseal.ckks_vector_from(context, layer)
    return [bytes(total.serialize()) for total in totals]


def _nvflare_decrypted(context: Any, total: Sequence[bytes]) -> NDArray[np.float64]:
    import tenseal

    layers = [tenseal.ckks_vector_from(context, layer).decrypt() for layer in total]
    return np.concatenate([np.asarray(layer, np.float64) for layer in layers])


def _timed(call: Any) -> float:
    start = process_time()
    call()
    return process_time() - start


def _error(sums: NDArray[np.float64], federation: Federation) -> float:
    exact = np.zeros(federation.d)
    for row in federation.rows:
        exact += row
    return float(np.abs(sums - exact).max()) / federation.n
