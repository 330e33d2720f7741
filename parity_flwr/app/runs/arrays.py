"""Named arrays in an npz file that is safe to read from anybody.

The names are not file names (a client or an app chose them): the arrays are called
``0``, ``1``, ... and a JSON table, itself an array of bytes, says which is which. Nothing
is compressed, so that no file can hold more than its own size; nothing is unpickled.
"""

from __future__ import annotations

import ast
import json
import math
import re
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from parity_flwr.errors import CheckpointError
from parity_flwr.files import atomic_file

Arrays = Mapping[str, NDArray[Any]]

_TABLE = "table"
_MAX_TABLE_BYTES = 64 << 20
_MAX_HEADER_BYTES = 4096
_NPY = b"\x93NUMPY\x01\x00"
_DTYPE = re.compile(r"[<>|][biufc]\d{1,2}")
_PLAIN_KINDS = "biufc"


def write_arrays(path: Path, groups: Mapping[str, Arrays], facts: Mapping[str, Any]) -> None:
    """Write groups of named arrays and some JSON-able facts, atomically.

    Raises
    ------
    CheckpointError
        An array does not hold plain numbers, or the file cannot be written.
    """
    names = {group: list(arrays) for group, arrays in groups.items()}
    table = json.dumps({"names": names, "facts": dict(facts)}).encode()
    members = {_TABLE: np.frombuffer(table, dtype=np.uint8)}
    for group in names:
        for index, array in enumerate(groups[group].values()):
            members[f"{group}-{index}"] = _require_plain(np.asarray(array), path)
    try:
        with atomic_file(path) as file:
            np.savez(file, allow_pickle=False, **members)
    except OSError as error:
        raise CheckpointError(
            f"a checkpoint needs to be written to {path}",
            came=error.strerror or str(error),
            action="free some space or fix the permissions, then continue with --resume",
        ) from error


def read_arrays(path: Path) -> tuple[dict[str, dict[str, NDArray[Any]]], dict[str, Any]]:
    """Return the groups and the facts that :func:`write_arrays` wrote.

    Raises
    ------
    CheckpointError
        The file is missing, damaged, or not one of ours. Nothing larger than the file is
        ever allocated.
    """
    with _blaming(path), zipfile.ZipFile(path) as archive:
        _require_no_bomb(archive, path.stat().st_size)
        names, facts = _read_table(archive)
        groups = {
            group: {
                name: _read_member(archive, f"{group}-{index}")
                for index, name in enumerate(listed)
            }
            for group, listed in names.items()
        }
        return groups, facts


@contextmanager
def _blaming(path: Path) -> Iterator[None]:
    """Turn every way in which a hostile file can fail into one error that names it."""
    try:
        yield
    except FileNotFoundError as error:
        raise CheckpointError(
            f"{path} is needed",
            came="no such file",
            action="restore it from a backup; the rounds themselves are in the journal",
        ) from error
    except (
        OSError,
        EOFError,
        KeyError,
        TypeError,
        ValueError,
        RecursionError,
        NotImplementedError,
        RuntimeError,
        SyntaxError,
        MemoryError,
        ArithmeticError,
        zipfile.BadZipFile,
    ) as error:
        raise CheckpointError(
            f"{path} needs to be an undamaged npz file of parity-flwr",
            came=str(error)[:200] or type(error).__name__,
            action="restore it from a backup, or start a new run with --reputation-from",
        ) from error


def _require_no_bomb(archive: zipfile.ZipFile, size: int) -> None:
    """Refuse compressed members, and members that overlap to hold more than the file."""
    members = archive.infolist()
    if any(member.compress_type != zipfile.ZIP_STORED for member in members):
        raise ValueError("an array is compressed")
    if any(member.file_size != member.compress_size for member in members):
        raise ValueError("an array claims two sizes")
    if sum(member.file_size for member in members) > size:
        raise ValueError("the arrays claim to be larger than the file")


def _read_table(archive: zipfile.ZipFile) -> tuple[dict[str, list[str]], dict[str, Any]]:
    raw = _read_member(archive, _TABLE, max_bytes=_MAX_TABLE_BYTES)
    table = json.loads(raw.tobytes())
    names, facts = table["names"], table["facts"]
    if not isinstance(names, dict) or not isinstance(facts, dict):
        raise ValueError("the table of names is not a table")
    for listed in names.values():
        if not isinstance(listed, list) or not all(isinstance(name, str) for name in listed):
            raise ValueError("the table of names holds something else")
        if len(set(listed)) != len(listed):
            raise ValueError("two arrays have one name")
    return names, facts


def _read_member(
    archive: zipfile.ZipFile, name: str, *, max_bytes: int | None = None
) -> NDArray[Any]:
    member = archive.getinfo(f"{name}.npy")
    if max_bytes is not None and member.file_size > max_bytes:
        raise ValueError(f"array {name} holds {member.file_size} bytes")
    with archive.open(member) as file:
        return _read_array(file, name, member.file_size)


def _read_array(file: IO[bytes], name: str, size: int) -> NDArray[Any]:
    """Parse one npy member whose claimed shape must fit its ``size`` exactly."""
    dtype, shape, fortran = _read_header(file, name)
    count = math.prod(shape)
    if file.tell() + count * dtype.itemsize != size:
        raise ValueError(f"array {name} claims shape {shape} in {size} bytes")
    data = np.frombuffer(bytearray(file.read(count * dtype.itemsize)), dtype=dtype)
    return data.reshape(shape, order="F" if fortran else "C")


def _read_header(file: IO[bytes], name: str) -> tuple[np.dtype[Any], tuple[int, ...], bool]:
    """Parse an npy header, version 1 (NEP 1); numpy's own parser fails in too many ways."""
    start = file.read(10)
    length = int.from_bytes(start[8:], "little")
    if start[:8] != _NPY or length > _MAX_HEADER_BYTES:
        raise ValueError(f"array {name} is no npy array")
    fields = ast.literal_eval(file.read(length).decode("ascii").strip())
    descr, fortran, shape = fields["descr"], fields["fortran_order"], fields["shape"]
    if not isinstance(descr, str) or not _DTYPE.fullmatch(descr):
        raise ValueError(f"array {name} has dtype {descr!r:.40}")
    sides = shape if isinstance(shape, tuple) else ("none",)
    if not all(type(side) is int and side >= 0 for side in sides):
        raise ValueError(f"array {name} has shape {shape!r:.40}")
    return np.dtype(descr), shape, bool(fortran)


def _require_plain(array: NDArray[Any], path: Path) -> NDArray[Any]:
    if array.dtype.kind not in _PLAIN_KINDS:
        raise CheckpointError(
            f"{path} needs arrays of numbers",
            came=f"dtype {array.dtype}",
            action="convert the array to numbers before the run",
        )
    return array
