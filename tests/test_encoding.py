"""A model has one canonical encoding, and only that encoding is a model."""

from __future__ import annotations

import contextlib
import hashlib
import struct
import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from parity_flwr.core.encoding import (
    DTYPES,
    ModelLimits,
    decode_model,
    encode_model,
    model_chunks,
    model_hash,
)
from parity_flwr.errors import CheckpointError, ConfigError, ParityError

Model = dict[str, NDArray[Any]]

ARRAYS = st.sampled_from(sorted(DTYPES)).flatmap(
    lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0))
)
MODELS = st.dictionaries(st.text("abé/.\x00", max_size=4), ARRAYS, max_size=4)


def same(left: Model, right: Model) -> bool:
    return left.keys() == right.keys() and all(
        left[name].dtype == right[name].dtype
        and left[name].shape == right[name].shape
        and left[name].tobytes() == right[name].tobytes()
        for name in left
    )


def test_the_layout_is_as_documented() -> None:
    by_hand = (
        b"parity-model-v1\n"
        + struct.pack("<I", 2)
        + b"\x01\0\0\0b\x03|u1\x00\x07"
        + b"\x01\0\0\0w\x03<f4\x02"
        + struct.pack("<QQ", 1, 2)
        + struct.pack("<ff", 1.5, -0.0)
    )
    model = {"w": np.array([[1.5, -0.0]], "f4"), "b": np.array(7, "u1")}
    assert encode_model(model) == by_hand
    assert model_hash(model) == hashlib.sha256(by_hand).hexdigest()


def test_a_known_hash_stays_what_it_is() -> None:
    # Pinned on x86-64, little-endian: any other machine must get the same.
    model = {"layer.weight": np.arange(12, dtype=np.float32).reshape(3, 4) / 7}
    assert model_hash(model) == KNOWN


KNOWN = "82c3326e3ce4e99651617a865830234adac152bdde1137d1373a9f559cb4cee0"


@given(MODELS)
def test_a_model_comes_back_bit_for_bit(model: Model) -> None:
    data = encode_model(model)
    back = decode_model(data)
    assert same(back, model)
    assert list(back) == sorted(model)
    assert encode_model(back) == data
    assert model_hash(model) == hashlib.sha256(data).hexdigest()


@given(MODELS)
def test_the_order_of_the_names_leaves_no_trace(model: Model) -> None:
    assert model_hash(dict(reversed(model.items()))) == model_hash(model)


@given(MODELS, MODELS)
def test_different_models_have_different_hashes(left: Model, right: Model) -> None:
    assert (model_hash(left) == model_hash(right)) == same(left, right)


@given(ARRAYS.filter(lambda array: array.size > 0), st.data())
def test_any_change_changes_the_hash(array: NDArray[Any], data: st.DataObject) -> None:
    base = model_hash({"w": array})
    raw = bytearray(array.tobytes())
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    other = np.frombuffer(bytes(raw), array.dtype).reshape(array.shape)
    assert model_hash({"w": other}) != base
    assert model_hash({"v": array}) != base
    assert model_hash({"w": array[None]}) != base
    assert model_hash({"w": array.reshape(-1).view(np.uint8)}) != base or array.dtype == "u1"
    assert model_hash({"w": array, "x": array}) != base


def test_the_same_bytes_of_another_type_are_another_model() -> None:
    array = np.zeros(4, np.float32)
    hashes = {model_hash({"w": array.view(kind)}) for kind in ("f4", "i4", "u4", "f2", "u1")}
    hashes |= {model_hash({"w": array.reshape(shape)}) for shape in ((2, 2), (4, 1), (1, 4))}
    assert len(hashes) == 8


@pytest.mark.parametrize("kind", ["f4", "f8", "i2", "c16"])
def test_memory_layout_and_byte_order_leave_no_trace(kind: str) -> None:
    array = np.arange(24).reshape(2, 3, 4).astype(kind)
    expected = model_hash({"w": array})
    wide = np.zeros((2, 3, 8), kind)
    wide[:, :, ::2] = array
    backwards = array[::-1].copy()
    read_only = array.copy()
    read_only.flags.writeable = False
    variants = [
        array.astype(f">{kind}"),
        np.asfortranarray(array),
        wide[:, :, ::2],
        backwards[::-1],
        np.asfortranarray(array.astype(f">{kind}")),
        read_only,
    ]
    assert [model_hash({"w": variant}) for variant in variants] == [expected] * len(variants)


def test_scalars_and_empty_arrays_have_an_encoding() -> None:
    model = {"a": np.array(2.5), "b": np.zeros((0, 3), "f4"), "c": np.zeros((2, 0), bool)}
    assert same(decode_model(encode_model(model)), model)
    assert decode_model(encode_model({})) == {}


def test_hashing_views_the_arrays_and_copies_none() -> None:
    array = np.ones(1 << 22, np.float32)
    chunks = list(model_chunks({"w": array}))
    assert isinstance(chunks[-1], memoryview)
    assert np.shares_memory(np.frombuffer(chunks[-1], np.float32), array)
    tracemalloc.start()
    model_hash({"w": array, "v": array})
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < array.nbytes // 100


def test_what_is_decoded_is_fresh_memory() -> None:
    data = encode_model({"w": np.arange(3.0)})
    array = decode_model(memoryview(data))["w"]
    array += 1
    assert array.flags.aligned
    assert decode_model(data)["w"].tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    "array",
    [
        np.array([object()]),
        np.zeros(2, [("a", "f4")]),
        np.array(["text"]),
        np.array([b"text"]),
        np.zeros(1, "V4"),
        np.zeros(1, np.longdouble),
        np.zeros(1, "M8[s]"),
    ],
    ids=lambda array: str(array.dtype),
)
def test_what_has_no_portable_bytes_is_refused(array: NDArray[Any]) -> None:
    with pytest.raises(ConfigError, match="numbers of a fixed size in 'w'"):
        model_hash({"w": array})


@pytest.mark.parametrize(
    ("model", "complaint"),
    [
        ({"w": [1.0]}, "numpy arrays"),
        ({"w": np.float32(1)}, "numpy arrays"),
        ({1: np.zeros(1)}, "a text as the name"),
        ({"\ud800": np.zeros(1)}, "UTF-8"),
        ({"x" * 4097: np.zeros(1)}, "at most 4096 bytes"),
        ({"w": np.zeros((1,) * 33)}, "at most 32 dimensions"),
    ],
)
def test_what_cannot_be_named_or_shaped_is_refused(model: Any, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        encode_model(model)


def encoded(
    name: bytes = b"w", kind: bytes = b"<f4", shape: Any = (1,), data: bytes = b""
) -> bytes:
    """One array, written without any check."""
    dims = struct.pack(f"<B{len(shape)}Q", len(shape), *shape)
    return struct.pack("<I", len(name)) + name + bytes([len(kind)]) + kind + dims + data


def model_of(*arrays: bytes, count: int | None = None) -> bytes:
    number = len(arrays) if count is None else count
    return b"parity-model-v1\n" + struct.pack("<I", number) + b"".join(arrays)


GOOD = encoded(data=b"\0" * 4)


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"", "more bytes"),
        (b"parity-model-v2\n" + b"\0" * 4, "parity-model-v1"),
        (model_of(GOOD) + b"\0", "nothing after the last array; got 1 more"),
        (model_of(GOOD)[:-1], "4 more bytes; got 3"),
        (model_of(GOOD, count=2), "more bytes"),
        (model_of(count=1 << 31), "at most 100000 arrays"),
        (model_of(GOOD, GOOD), "names that ascend"),
        (model_of(encoded(b"x", data=b"\0" * 4), GOOD), "names that ascend"),
        (model_of(encoded(b"\xff", data=b"\0" * 4)), "UTF-8"),
        (model_of(encoded(b"x" * 5000, data=b"\0" * 4)), "4096"),
        (model_of(encoded(kind=b"|O", data=b"\0" * 8)), "dtype"),
        (model_of(encoded(kind=b">f4", data=b"\0" * 4)), "dtype"),
        (model_of(encoded(kind=b"<V4", data=b"\0" * 4)), "dtype"),
        (model_of(encoded(kind=b"\xff\xff", data=b"\0" * 4)), "dtype"),
        (model_of(encoded(shape=(1 << 40,), data=b"\0" * 4)), "more bytes"),
        (model_of(encoded(shape=(1 << 63, 2), data=b"")), "fits memory"),
        (model_of(encoded(shape=(0, 1 << 63), data=b"")), "fits memory"),
        (model_of(encoded(shape=(1,) * 33, data=b"\0" * 4)), "32 dimensions"),
        (model_of(encoded(kind=b"|b1", data=b"\x02")), "0 or 1"),
    ],
)
def test_anything_but_one_exact_encoding_is_corrupt(data: bytes, complaint: str) -> None:
    with pytest.raises(CheckpointError, match=complaint):
        decode_model(data)


def test_limits_hold() -> None:
    data = model_of(GOOD, encoded(b"x", data=b"\0" * 4))
    assert len(decode_model(data, limits=ModelLimits(max_bytes=len(data), max_arrays=2))) == 2
    with pytest.raises(CheckpointError, match=f"at most {len(data) - 1} bytes"):
        decode_model(data, limits=ModelLimits(max_bytes=len(data) - 1))
    with pytest.raises(CheckpointError, match="at most 1 arrays"):
        decode_model(data, limits=ModelLimits(max_arrays=1))


@given(st.binary(max_size=80))
def test_noise_raises_nothing_but_our_errors(noise: bytes) -> None:
    with pytest.raises(ParityError):
        decode_model(noise)
    with contextlib.suppress(ParityError):
        decode_model(b"parity-model-v1\n\x01\0\0\0" + noise)


@given(MODELS, st.data())
def test_whatever_decodes_is_canonical(model: Model, data: st.DataObject) -> None:
    raw = bytearray(encode_model(model))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        back = decode_model(bytes(raw))
    except ParityError:
        return
    assert encode_model(back) == raw
