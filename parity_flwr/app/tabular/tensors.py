"""A table's model as a safetensors file on disk: written whole, read from anybody."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from parity_flwr.core.content.safetensors import decode_safetensors, safetensors_chunks
from parity_flwr.core.encoding import ModelLimits
from parity_flwr.errors import ContentError, DataError
from parity_flwr.files import atomic_file

_LIMITS: Final = ModelLimits(max_bytes=4 << 30, max_arrays=1000)


def write_tensors(
    path: Path, arrays: Mapping[str, NDArray[Any]], *, metadata: Mapping[str, str] | None = None
) -> None:
    """Write the arrays, whole or not at all.

    Raises
    ------
    ConfigError
        If an array has another dtype than the format knows.
    """
    with atomic_file(path) as file:
        for piece in safetensors_chunks(arrays, metadata=metadata):
            file.write(piece)


def read_tensors(path: Path, *, limits: ModelLimits = _LIMITS) -> dict[str, NDArray[Any]]:
    """Return the arrays of a file from anybody, by name, all numbers finite.

    Raises
    ------
    DataError
        If it is no such file, is over the limits, or holds a number that is not finite.
    """
    try:
        arrays = decode_safetensors(_bytes_of(path, limits), limits=limits, canonical=False)
    except ContentError as error:
        raise _bad(path, f"to be sound: {error.needed}", error.came) from error
    for name, array in arrays.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise _bad(path, "finite numbers", f"others in {name!r:.40}")
    return arrays


def _bytes_of(path: Path, limits: ModelLimits) -> bytes:
    try:
        size = path.stat().st_size
        if size > limits.max_bytes:
            raise _bad(path, f"at most {limits.max_bytes} bytes", f"{size} bytes")
        return path.read_bytes()
    except OSError as error:
        raise _bad(path, "to be readable", error.strerror or str(error)) from error


def _bad(path: Path, needed: str, came: str) -> DataError:
    return DataError(
        f"{path.name} needs {needed}", came=came, action="fetch the file again from its source"
    )
