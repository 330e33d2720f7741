"""Microsoft SEAL through TenSEAL's bindings, and nothing else of TenSEAL.

TenSEAL's own vectors want relinearisation keys and an empty second coefficient modulus that
sums have no use for, and write both halves of a ciphertext. The bindings below them do not,
and they write a fresh symmetric ciphertext as one half and a seed: half the bytes.

SEAL checks what it loads against the parameters (``Ciphertext.load``, not ``unsafe_load``);
what passes is a well-formed ciphertext of exactly these parameters, whatever it encrypts.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_flwr.core.encryption.plan import COEFFICIENT_MODULUS, DEGREE, VALUES, BfvPlan
from parity_flwr.errors import ConfigError, DataError, MissingExtraError, RunError

# What SEAL's checks raise through the bindings.
_FOREIGN = (RuntimeError, ValueError, IndexError, TypeError, OverflowError, MemoryError)
_CIPHERTEXT_POLYNOMIALS = 2


def sealapi() -> ModuleType:
    """Return TenSEAL's bindings of SEAL, imported when they are first needed.

    Raises
    ------
    MissingExtraError
        If TenSEAL is not installed.
    """
    try:
        from tenseal import sealapi as found
    except ImportError as error:
        raise MissingExtraError("encryption", extra="privacy") from error
    module: ModuleType = found
    return module


class SealRing:
    """One set of parameters inside SEAL: loading, saving, adding.

    Parameters
    ----------
    bfv : bool
        BFV, else CKKS.
    degree : int
        N.
    moduli : list of int
        Prime coefficient moduli.
    plain_modulus : int
        t of BFV; 0 for CKKS.

    Raises
    ------
    MissingExtraError
        If TenSEAL is not installed.
    ConfigError
        If SEAL does not take the parameters at 128-bit security.
    """

    def __init__(
        self, *, bfv: bool, degree: int, moduli: list[int], plain_modulus: int = 0
    ) -> None:
        self.api = sealapi()
        self._bfv, self._degree, self._moduli = bfv, degree, moduli
        self._plain_modulus = plain_modulus
        self.context = self._make_context(None)
        self.evaluator = self.api.Evaluator(self.context)
        self._scratch = _Scratch()

    def _make_context(self, seed: list[int] | None) -> Any:
        api = self.api
        scheme = api.SCHEME_TYPE.BFV if self._bfv else api.SCHEME_TYPE.CKKS
        parameters = api.EncryptionParameters(scheme)
        parameters.set_poly_modulus_degree(self._degree)
        parameters.set_coeff_modulus([api.Modulus(each) for each in self._moduli])
        if self._bfv:
            parameters.set_plain_modulus(self._plain_modulus)
        if seed is not None:
            parameters.set_random_generator(api.Blake2xbPRNGFactory(seed))
        context = api.SEALContext(parameters, True, api.SEC_LEVEL_TYPE.TC128)
        complaint = context.parameters_error_message()
        if complaint != "valid":
            raise ConfigError(
                "SEAL needs parameters that it takes at 128-bit security",
                came=str(complaint),
                action="report this",
            )
        return context

    def secret_key(self, seed: bytes) -> Any:
        """Return the secret key that 64 bytes of secret stand for.

        Only the key generator sees the seed; encryption draws from the operating system.
        """
        words = [int(word) for word in np.frombuffer(seed, "<u8")]
        return self.api.KeyGenerator(self._make_context(words)).secret_key()

    def save(self, thing: Any) -> bytes:
        """Return the bytes of a ciphertext or key."""
        return self._scratch.saved(thing)

    def load(self, blob: bytes, *, level: Any = None) -> Any:
        """Return the ciphertext that these hostile bytes are.

        ``level`` is the SEAL id of the level it must be at, the first by default.

        Raises
        ------
        DataError
            If they are no ciphertext of two polynomials under exactly these parameters, or
            one that hides nothing (its second polynomial is 0).
        """
        ciphertext = self.api.Ciphertext(self.context)
        wanted = self.context.first_parms_id() if level is None else level
        try:
            self._scratch.load(ciphertext, self.context, blob)
            other = (
                ciphertext.size() != _CIPHERTEXT_POLYNOMIALS
                or ciphertext.is_ntt_form() == self._bfv
                or ciphertext.parms_id() != wanted
                or ciphertext.is_transparent()
            )
        except _FOREIGN as error:
            raise _refusal(f"one that SEAL refuses ({' '.join(str(error).split())})") from None
        if other:
            raise _refusal("one of another form")
        return ciphertext

    def load_key(self, key: Any, blob: bytes) -> Any:
        """Let an empty key object read hostile bytes; DataError if they are no such key."""
        try:
            self._scratch.load(key, self.context, blob)
        except _FOREIGN as error:
            raise _refusal(f"a key that SEAL refuses ({error})") from None
        return key

    def add(self, total: Any, ciphertext: Any) -> None:
        """Add in place."""
        try:
            self.evaluator.add_inplace(total, ciphertext)
        except _FOREIGN as error:
            raise _refusal(f"a sum that SEAL refuses ({error})") from None


class Ring(SealRing):
    """The ring of a BFV plan, with its slots.

    Parameters
    ----------
    plan : BfvPlan
        The parameters.
    """

    def __init__(self, plan: BfvPlan) -> None:
        super().__init__(
            bfv=True,
            degree=DEGREE,
            moduli=[COEFFICIENT_MODULUS],
            plain_modulus=plan.plain_modulus,
        )
        self._encoder = self.api.BatchEncoder(self.context)

    def encode(self, slots: NDArray[np.int64]) -> Any:
        """Return a plaintext whose first slot is 1 and whose next ones are given."""
        plaintext = self.api.Plaintext()
        self._encoder.encode([1, *slots.tolist(), *[0] * (VALUES - slots.size)], plaintext)
        return plaintext

    def decode(self, plaintext: Any) -> NDArray[np.int64]:
        """Return all slots of a plaintext, the first one included."""
        return np.array(self._encoder.decode_uint64(plaintext), np.uint64).astype(np.int64)


def _refusal(came: str) -> DataError:
    return DataError(
        "a ciphertext needs to be of the round's parameters",
        came=came[:120],
        action="refuse its sender",
    )


@contextmanager
def refusing() -> Iterator[None]:
    """Turn what SEAL raises at hostile operands into a DataError."""
    try:
        yield
    except _FOREIGN as error:
        raise _refusal(f"one that SEAL refuses ({' '.join(str(error).split())})") from None


class _Scratch:
    """Memory with a path: the bindings save to and load from paths only (Linux)."""

    def __init__(self) -> None:
        try:
            self._file = os.memfd_create("parity-flwr")
        except (AttributeError, OSError) as error:
            raise RunError(
                "encryption needs memory with a path (memfd, Linux)",
                came=type(error).__name__,
                action="run on Linux",
            ) from None
        self._path = f"/proc/self/fd/{self._file}"
        weakref.finalize(self, os.close, self._file)

    def saved(self, thing: Any) -> bytes:
        """Return what the object writes."""
        os.ftruncate(self._file, 0)
        thing.save(self._path)
        return os.pread(self._file, os.fstat(self._file).st_size, 0)

    def load(self, thing: Any, context: Any, data: bytes) -> None:
        """Let the object read the bytes."""
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, data, 0)
        thing.load(context, self._path)
