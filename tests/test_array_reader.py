"""Flower arrays read in place: hostile bytes in, a refusal or checked views out."""

from __future__ import annotations

import io
import tracemalloc
from typing import Any

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from parity_flwr.errors import ConfigError
from parity_flwr.strategies.arrays import ArrayRefusedError, read_array, read_arrays

BASE: dict[str, NDArray[Any]] = {
    "w": np.arange(6, dtype=np.float32).reshape(2, 3),
    "steps": np.array(3, np.int64),
    "mask": np.array([True, False]),
}


def image(array: NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def lying(header: str, data: bytes = b"", version: int = 1) -> bytes:
    width = 2 if version == 1 else 4
    text = header.encode("latin1")
    return (
        b"\x93NUMPY" + bytes([version, 0]) + len(text).to_bytes(width, "little") + text + data
    )


def as_array(data: bytes, like: NDArray[Any] = BASE["w"]) -> Array:
    return Array(str(like.dtype), like.shape, "numpy.ndarray", data)


@pytest.mark.parametrize(
    "array",
    [
        np.asfortranarray(np.arange(12, dtype=np.float64).reshape(3, 4)),
        np.array(1.5, np.float32),
        np.zeros(0, np.float32),
        np.zeros((0, 7), np.float64),
        np.array([True, False]),
        np.arange(5, dtype=np.uint8),
        np.arange(4, dtype=np.float16).reshape(2, 1, 2),
    ],
    ids=["Fortran", "scalar", "empty", "empty matrix", "booleans", "bytes", "half"],
)
def test_read_array_returns_what_was_saved_without_a_copy(array: NDArray[Any]) -> None:
    sent = Array(array)
    found = read_array(sent)
    assert found.dtype == array.dtype
    assert found.shape == array.shape
    np.testing.assert_array_equal(found, array)
    assert array.size == 0 or np.shares_memory(found, np.frombuffer(sent.data, np.uint8))


@pytest.mark.parametrize("version", [1, 2, 3])
def test_every_version_of_the_format_is_read(version: int) -> None:
    header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }"
    sent = as_array(lying(header, BASE["w"].tobytes(), version))
    np.testing.assert_array_equal(read_array(sent), BASE["w"])


W_HEADER = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "not a numpy image"),
        (b"PK\x03\x04" + bytes(60), "not a numpy image"),
        (lying(W_HEADER, bytes(24), version=4)[:6] + b"\x04" + bytes(60), "not a numpy image"),
        (lying(W_HEADER, bytes(23)), "24 bytes stated, 23 came"),
        (lying(W_HEADER, bytes(25)), "24 bytes stated, 25 came"),
        (lying(" " * 5000, bytes(24)), "header too long"),
        (b"\x93NUMPY\x02\x00\xff\xff\xff\xff" + bytes(60), "header too long"),
        (lying("{'descr': '|O', 'fortran_order': False, 'shape': (2, 3)}"), "not readable"),
        (lying("{'descr': '<M8[s]', 'fortran_order': False, 'shape': (3,)}"), "not readable"),
        (lying("{'descr': [('a','<f4')], 'fortran_order': False, 'shape': ()}"), "readable"),
        (lying("{'descr': 'a3', 'fortran_order': False, 'shape': (2, 3)}"), "not readable"),
        (lying("{'descr': '<f4', 'fortran_order': 0, 'shape': (2, 3)}"), "not readable"),
        (lying("{'descr': '<f4', 'fortran_order': False, 'shape': (-1, 3)}"), "not readable"),
        (lying("{'descr': '<f4', 'fortran_order': False, 'shape': (True, 3)}"), "readable"),
        (lying("{'descr': '<f4', 'fortran_order': False, 'shape': [2, 3]}"), "not readable"),
        (lying("{'descr': '<f4', 'fortran_order': False}"), "not readable"),
        (lying("__import__('os').abort()"), "not readable"),
        (lying("'\\d'"), "not readable"),
        (lying("(" * 4000), "not readable"),
        (lying("{[]: 1}"), "not readable"),
        (lying("9" * 4096), "not readable"),
        (lying("\x00" * 9), "not readable"),
        (
            lying("{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3)}", bytes(48)),
            "state",
        ),
        (
            lying("{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2)}", bytes(24)),
            "state",
        ),
    ],
)
def test_bytes_that_are_no_such_array_are_refused(data: bytes, expected: str) -> None:
    with pytest.raises(ArrayRefusedError, match=expected.replace("(", r"\(")):
        read_array(as_array(data))


def test_another_serialisation_is_refused() -> None:
    with pytest.raises(ArrayRefusedError, match=r"serialised as 'tenseal\.ckks', not numpy"):
        read_array(Array("float32", (2, 3), "tenseal.ckks", image(BASE["w"])))


def test_header_that_promises_terabytes_allocates_nothing() -> None:
    shape = (1_000_000, 1_000_000)
    header = "{'descr': '<f4', 'fortran_order': False, 'shape': (1000000, 1000000), }"
    hostile = Array("float32", shape, "numpy.ndarray", lying(header, bytes(64)))
    tracemalloc.start()
    try:
        with pytest.raises(ArrayRefusedError, match="4000000000000 bytes stated, 64 came"):
            read_array(hostile)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_header_whose_size_would_overflow_is_refused() -> None:
    shape = (2**47,) * 32
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}"
    with pytest.raises(ArrayRefusedError, match="bytes stated"):
        read_array(Array("float32", shape, "numpy.ndarray", lying(header)))


@settings(max_examples=400)
@given(
    array=st.sampled_from(list(BASE.values())),
    edits=st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), max_size=6),
    cut=st.integers(-30, 30),
)
def test_mutated_bytes_are_refused_or_read_never_anything_else(
    array: NDArray[Any], edits: list[tuple[int, int]], cut: int
) -> None:
    data = bytearray(image(array))
    for position, value in edits:
        data[position % len(data)] = value
    data = data[:cut] if cut < 0 else data + bytes(cut)
    try:
        found = read_array(as_array(bytes(data), array))
    except ArrayRefusedError:
        return
    assert found.dtype == array.dtype
    assert found.shape == array.shape


@settings(max_examples=300)
@given(
    st.text(max_size=200).map(lambda text: text.encode("latin1", "replace").decode("latin1"))
)
def test_any_header_text_is_refused_or_read(text: str) -> None:
    with pytest.raises(ArrayRefusedError):
        read_array(as_array(lying(text, bytes(24))))


@settings(max_examples=200)
@given(
    descr=st.text("<>|=fiubcOSUVMm?0123456789,()[] ", max_size=8),
    fortran=st.sampled_from(["True", "False", "1", "None"]),
    shape=st.lists(st.integers(-1, 4), max_size=3).map(tuple),
)
def test_any_header_fields_are_refused_or_read(descr: str, fortran: str, shape: Any) -> None:
    header = f"{{'descr': {descr!r}, 'fortran_order': {fortran}, 'shape': {shape!r}}}"
    try:
        read_array(as_array(lying(header, bytes(24))))
    except ArrayRefusedError:
        return
    assert shape == (2, 3)


def test_our_own_model_that_is_not_plain_is_an_error_in_three_parts() -> None:
    mixed = ArrayRecord({"w": Array("float32", (2, 3), "pickle", b"")})
    with pytest.raises(ConfigError, match="plain numeric numpy arrays; got serialised as"):
        read_arrays(mixed)
