"""From a client's model to the words that it masks, and from their sum to the mean update."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_flwr.core.integrity import length_prefixed
from parity_flwr.core.secagg.quantise import Quantised, Words
from parity_flwr.core.secagg.session import Session
from parity_flwr.core.wire import EXTRA_WORDS
from parity_flwr.errors import ConfigError

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class MeanUpdate:
    """What a secure sum says: the weighted mean update and the total weight.

    ``weight`` is sum_k w_k with w_k in [0, 1]; ``clipped`` counts the numbers that clients
    cut to the range, all clients together.
    """

    update: NDArray[np.float64]
    weight: float
    clipped: int


def summed_length(model: Arrays) -> int:
    """Return how many words a model's masked update has: its floats, and two more."""
    return sum(array.size for array in model.values() if array.dtype.kind == "f") + EXTRA_WORDS


def client_weight(session: Session, num_examples: int) -> float:
    """Return w_k = min(n_k, cap)/cap in [0, 1]; without a cap 1, and 0 for no examples."""
    if type(num_examples) is not int or num_examples < 0:
        raise ConfigError(
            "a weight needs an integer number of examples >= 0",
            came=repr(num_examples)[:40],
            action="return it from the training",
        )
    cap = session.weight_cap or 1
    return min(num_examples, cap) / cap


def update_words(
    session: Session,
    base: Arrays,
    trained: Arrays,
    *,
    num_examples: int,
    clip: bool = False,
    rounding_key: bytes | None = None,
) -> Quantised:
    """Return w_k (w_k-th model - base) in fixed point, then the weight and the clipped count.

    Integer arrays (counters) are left out: they stay as the server has them.

    Raises
    ------
    ConfigError
        If the trained model has other arrays than the base, or does not fit the range.
    """
    weight = client_weight(session, num_examples)
    flat = _difference(base, trained)
    if flat.size + EXTRA_WORDS != session.length:
        raise _another_model(f"{flat.size + EXTRA_WORDS} words instead of {session.length}")
    flat *= weight
    fixed = session.quantiser
    quantised = fixed.quantise(flat, clip=clip, rounding_key=rounding_key)
    extra = [round(weight * fixed.levels), fixed.count(quantised.clipped)]
    words = np.concatenate([quantised.words, np.array(extra, np.uint32)])
    return Quantised(words, quantised.clipped)


def mean_update(session: Session, total: Words, *, clients: int) -> MeanUpdate | str:
    """Return the mean update of a sum over so many clients, or why there is none.

    A sum that honest clients cannot have made (a weight beyond theirs, a number beyond
    the range) is refused; a lie within these bounds is not seen.
    """
    fixed = session.quantiser
    weight, clipped = (int(each) for each in total[-EXTRA_WORDS:].view(np.int32))
    if not 0 <= weight <= clients * fixed.levels:
        return "the weights do not sum to what clients may have"
    if weight == 0:
        return "no client has examples"
    update = fixed.dequantise(total[:-EXTRA_WORDS])
    if float(np.abs(update).max(initial=0.0)) > clients * session.clipping_range * (1 + 1e-9):
        return "the sum is beyond what clients may send"
    share = weight / fixed.levels
    return MeanUpdate(update / share, share, clipped)


def moved(base: Arrays, update: NDArray[np.float64]) -> dict[str, NDArray[Any]]:
    """Return the model moved by an update over its floats, in its own dtypes."""
    result, start = {}, 0
    for name, array in base.items():
        if array.dtype.kind != "f":
            result[name] = array
            continue
        step = update[start : start + array.size].reshape(array.shape)
        result[name] = np.asarray(array + step, array.dtype)
        start += array.size
    return result


def configuration_hash(records: Mapping[str, Mapping[str, object]]) -> str:
    """Return the SHA-256 of the configuration that comes with a model, hex.

    Everybody must train with the same: a server that gives all but one a learning rate of
    0 would read that one's update off the sum.

    Examples
    --------
    >>> one = configuration_hash({"config": {"lr": 0.1}})
    >>> one == configuration_hash({"config": {"lr": 0.0}})
    False
    """
    fields = [
        part
        for name, record in sorted(records.items())
        for key, value in sorted(record.items())
        for part in (name.encode(), key.encode(), type(value).__name__.encode(), _text(value))
    ]
    return hashlib.sha256(length_prefixed(b"parity-flwr/secagg/config/v1", *fields)).hexdigest()


def _text(value: object) -> bytes:
    return value if isinstance(value, bytes) else repr(value).encode()


def _difference(base: Arrays, trained: Arrays) -> NDArray[np.float64]:
    if list(base) != list(trained):
        raise _another_model("other array names")
    parts = [np.zeros(0)]
    for name, array in base.items():
        other = trained[name]
        if other.shape != array.shape or other.dtype.kind != array.dtype.kind:
            raise _another_model("another shape or kind of number")
        if array.dtype.kind == "f":
            parts.append((other.astype(np.float64) - array).reshape(-1))
    flat = np.concatenate(parts)
    if not math.isfinite(float(np.abs(flat).max(initial=0.0))):
        raise ConfigError(
            "secure aggregation needs finite numbers",
            came="NaN or infinity",
            action="check the training: this client is left out of the round",
        )
    return flat


def _another_model(came: str) -> ConfigError:
    return ConfigError(
        "a secure sum needs the trained model in the form in which it was sent",
        came=came,
        action="return the same arrays",
    )
