"""The next model from an encrypted round's sum, and models that only the clients can read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_flwr.core.encoding import decode_model, encode_model
from parity_flwr.core.encryption.group_secret import GroupSecret
from parity_flwr.core.encryption.plan import BfvPlan
from parity_flwr.core.encryption.terms import SEALED, Arrays, Layout
from parity_flwr.errors import DataError

_DIGITS = 8


def next_model(
    base: Arrays,
    layout: Layout,
    *,
    plan: BfvPlan,
    sums: NDArray[Any],
    addends: int,
    total: float,
) -> dict[str, NDArray[Any]]:
    """Return w' = w + sum_k c_k delta_k (P-2) from the sum of pre-weighted updates.

    Parameters
    ----------
    base : mapping
        w, the model that was sent.
    layout : Layout
        Which arrays the sum is of.
    sums : ndarray of integers, shape (layout.size,)
        The decrypted sum of quantised ``weight_k * delta_k``.
    addends : int
        How many were added.
    total : float
        Sum of the ``weight_k``, above 0, so that the c_k add up to 1.

    Raises
    ------
    DataError
        If the sums are none of these addends, or the model does not stay finite.
    """
    if not total > 0 or sums.shape != (layout.size,):
        raise _broken(f"total {total!r}, shape {sums.shape}")
    step = plan.grid.decode_sum(sums, addends=addends) / total
    with np.errstate(over="ignore"):
        model = layout.moved(base, step)
    if not all(np.isfinite(model[name]).all() for name in layout.encrypted):
        raise _broken("a model that is not finite")
    return model


def seal_model(model: Arrays, secret: GroupSecret, *, run_id: str) -> dict[str, NDArray[Any]]:
    """Return the model as one array of bytes under the clients' secret, order included."""
    ordered = {f"{k:0{_DIGITS}d}{name}": each for k, (name, each) in enumerate(model.items())}
    sealed = secret.seal(encode_model(ordered), label=run_id)
    return {SEALED: np.frombuffer(sealed, np.uint8)}


def open_model(arrays: Arrays, secret: GroupSecret, *, run_id: str) -> dict[str, NDArray[Any]]:
    """Return the model that :func:`seal_model` sealed; any other model as it is.

    Raises
    ------
    DataError
        If it was sealed under another secret or for another run, or changed.

    Examples
    --------
    >>> secret = GroupSecret(bytes(32))
    >>> sealed = seal_model({"w": np.ones(2)}, secret, run_id="run")
    >>> open_model(sealed, secret, run_id="run")
    {'w': array([1., 1.])}
    """
    if set(arrays) != {SEALED}:
        return dict(arrays)
    opened = secret.open(np.asarray(arrays[SEALED], np.uint8).tobytes(), label=run_id)
    return {name[_DIGITS:]: array for name, array in decode_model(opened).items()}


def sealed_size(model: Mapping[str, NDArray[Any]], run_id: str) -> int:
    """Return the length of the sealed model, which depends on names and shapes only."""
    return int(seal_model(model, GroupSecret(bytes(32)), run_id=run_id)[SEALED].size)


def _broken(came: str) -> DataError:
    return DataError(
        "an opened sum needs to fit the round", came=came, action="keep the model as it was"
    )
