"""Safetensors files: what is written comes back, others read it, and liars are refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from parity_flwr.app.tabular.tensors import read_tensors, write_tensors
from parity_flwr.core.content.safetensors import decode_safetensors, encode_safetensors
from parity_flwr.core.encoding import ModelLimits
from parity_flwr.errors import ConfigError, ContentError, DataError

ARRAYS: dict[str, NDArray[Any]] = {
    "b": np.arange(6, dtype=np.float32).reshape(2, 3),
    "a": np.array([1, -2], np.int64),
    "none": np.zeros((0, 4)),
    "one": np.array(2.5),
    "marks": np.array([True, False]),
}


def file_of(path: Path, header: Any, body: bytes = b"") -> Path:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + body)
    return path


def test_what_is_written_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    write_tensors(path, ARRAYS, metadata={"kind": "test"})
    found = read_tensors(path)
    assert set(found) == set(ARRAYS)
    for name, array in ARRAYS.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)
    with pytest.raises(DataError, match="at most 10 bytes"):
        read_tensors(path, limits=ModelLimits(max_bytes=10))
    before = path.read_bytes()
    with pytest.raises(ConfigError, match="arrays of real numbers"):
        write_tensors(path, {"x": np.array([1j])})
    assert path.read_bytes() == before


def test_only_metadata_sets_the_file_apart_from_published_ones(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    write_tensors(path, ARRAYS)
    assert path.read_bytes() == encode_safetensors(ARRAYS)
    assert set(decode_safetensors(path.read_bytes())) == set(ARRAYS)
    write_tensors(path, ARRAYS, metadata={"kind": "test"})
    with pytest.raises(ContentError, match="canonical"):
        decode_safetensors(path.read_bytes())


def test_the_library_reads_it_and_we_read_the_librarys(tmp_path: Path) -> None:
    library = pytest.importorskip("safetensors.numpy")
    write_tensors(tmp_path / "ours", ARRAYS)
    theirs = library.load_file(tmp_path / "ours")
    library.save_file(dict(ARRAYS), tmp_path / "theirs", {"kind": "test"})
    ours = read_tensors(tmp_path / "theirs")
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(theirs[name], array)
        np.testing.assert_array_equal(ours[name], array)


def entry(kind: str = "F32", shape: Any = (1,), span: Any = (0, 4)) -> dict[str, Any]:
    return {"dtype": kind, "shape": shape, "data_offsets": span}


LIES: list[tuple[Any, bytes]] = [
    (b"", b""),
    (b"nonsense", b""),
    ([], b""),
    ({"x": 3}, b"1234"),
    ({"x": entry("O")}, b"1234"),
    ({"x": entry(shape=[2])}, b"1234"),
    ({"x": entry(shape=[-1])}, b"1234"),
    ({"x": entry(shape=[1.0])}, b"1234"),
    ({"x": entry(shape=[2**40, 2**40])}, b"1234"),
    ({"x": entry(shape=[1] * 40)}, b"1234"),
    ({"x": entry(span=[0, 400])}, b"1234"),
    ({"x": entry(span=[4, 0])}, b"1234"),
    ({"x": entry(), "y": entry()}, b"1234"),
    ({"x": entry(), "y": entry(span=[8, 12])}, b"123456789012"),
    ({"__metadata__": {"x": "y" * (1 << 20)}, "x": entry()}, b"1234"),
    ({"x": entry()}, b"12345"),
    ({"x": entry()}, np.float32(np.nan).tobytes()),
    ({"x": entry()}, np.float32(np.inf).tobytes()),
    ({str(k): entry(shape=[0], span=[0, 0]) for k in range(1001)}, b""),
]


def test_arrays_come_in_any_order(tmp_path: Path) -> None:
    header = {"x": entry(span=[4, 8]), "__metadata__": {"a": "b"}, "y": entry()}
    body = np.array([1, 2], "<f4").tobytes()
    found = read_tensors(file_of(tmp_path / "x", header, body))
    assert {name: each.tolist() for name, each in found.items()} == {"x": [2], "y": [1]}


@pytest.mark.parametrize(("header", "body"), LIES)
def test_liars_are_refused(header: Any, body: bytes, tmp_path: Path) -> None:
    with pytest.raises(DataError):
        read_tensors(file_of(tmp_path / "x", header, body))


def test_short_and_absent_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes((2**62).to_bytes(8, "little") + b"{}")
    for name in ("x", "gone"):
        with pytest.raises(DataError):
            read_tensors(tmp_path / name)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_changed_byte_is_read_or_refused(data: st.DataObject, tmp_path: Path) -> None:
    path = tmp_path / "x"
    write_tensors(path, ARRAYS)
    whole = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(whole) - 1))
    whole[place] = data.draw(st.integers(0, 255))
    path.write_bytes(bytes(whole))
    try:
        found = read_tensors(path)
    except DataError:
        return
    assert all(np.isfinite(each).all() for each in found.values() if each.dtype.kind == "f")
