"""Microsoft SEAL through TenSEAL's bindings, and nothing else of TenSEAL.

TenSEAL's own vectors want relinearisation keys and an empty second coefficient modulus that
sums have no use for, and write both halves of a ciphertext. The bindings below them do not,
and they write a fresh symmetric ciphertext as one half and a seed: half the bytes.

SEAL checks what it loads against the parameters (``Ciphertext.load``, not ``unsafe_load``);
what passes is a well-formed ciphertext of exactly these parameters, whatever it encrypts.
"""

from __future__ import annotations

import os
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


class Ring:
    """The parameters of a plan inside SEAL: encoding, loading, saving, adding.

    Parameters
    ----------
    plan : BfvPlan
        The parameters.

    Raises
    ------
    MissingExtraError
        If TenSEAL is not installed.
    ConfigError
        If SEAL does not take the parameters at 128-bit security.
    """

    def __init__(self, plan: BfvPlan) -> None:
        self.plan = plan
        self.api = sealapi()
        self.context = self._make_context(None)
        self._encoder = self.api.BatchEncoder(self.context)
        self._evaluator = self.api.Evaluator(self.context)
        self._scratch = _Scratch()

    def _make_context(self, seed: list[int] | None) -> Any:
        api = self.api
        parameters = api.EncryptionParameters(api.SCHEME_TYPE.BFV)
        parameters.set_poly_modulus_degree(DEGREE)
        parameters.set_coeff_modulus([api.Modulus(COEFFICIENT_MODULUS)])
        parameters.set_plain_modulus(self.plan.plain_modulus)
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

    def encode(self, slots: NDArray[np.int64]) -> Any:
        """Return a plaintext whose first slot is 1 and whose next ones are given."""
        plaintext = self.api.Plaintext()
        self._encoder.encode([1, *slots.tolist(), *[0] * (VALUES - slots.size)], plaintext)
        return plaintext

    def decode(self, plaintext: Any) -> NDArray[np.int64]:
        """Return all slots of a plaintext, the first one included."""
        return np.array(self._encoder.decode_uint64(plaintext), np.uint64).astype(np.int64)

    def save(self, thing: Any) -> bytes:
        """Return the bytes of a ciphertext or key."""
        return self._scratch.saved(thing)

    def load(self, blob: bytes) -> Any:
        """Return the ciphertext that these hostile bytes are.

        Raises
        ------
        DataError
            If they are no ciphertext of two polynomials under exactly these parameters, or
            one that hides nothing (its second polynomial is 0).
        """
        ciphertext = self.api.Ciphertext(self.context)
        try:
            self._scratch.load(ciphertext, self.context, blob)
            plain = (
                ciphertext.size() != _CIPHERTEXT_POLYNOMIALS
                or ciphertext.is_ntt_form()
                or ciphertext.parms_id() != self.context.first_parms_id()
                or ciphertext.is_transparent()
            )
        except _FOREIGN as error:
            raise _refusal(f"one that SEAL refuses ({' '.join(str(error).split())})") from None
        if plain:
            raise _refusal("one of another form")
        return ciphertext

    def add(self, total: Any, ciphertext: Any) -> None:
        """Add in place."""
        try:
            self._evaluator.add_inplace(total, ciphertext)
        except _FOREIGN as error:
            raise _refusal(f"a sum that SEAL refuses ({error})") from None


def _refusal(came: str) -> DataError:
    return DataError(
        "a ciphertext needs to be of the round's parameters",
        came=came[:120],
        action="refuse its sender",
    )


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

    def __del__(self) -> None:
        file = getattr(self, "_file", None)
        if file is not None:
            os.close(file)
