"""Checkpoints: what goes in comes out, and nothing hostile comes in."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from journal_records import SECRET, checkpoint, model_of
from parity_flwr.app.runs.arrays import read_arrays, write_arrays
from parity_flwr.app.runs.checkpoint import (
    CheckpointStore,
    UpdateStore,
    read_model,
    write_model,
)
from parity_flwr.core.encoding import model_hash
from parity_flwr.core.records import Checkpoint
from parity_flwr.errors import CheckpointError
from parity_flwr.files import TEMPORARY, atomic_file

NUMBERS = hnp.arrays(
    st.sampled_from([np.dtype(text) for text in ("f4", ">f8", "i8", "u1", "?", "f2", "c8")]),
    hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
)
NAMES = st.text(st.characters(codec="utf-8"), max_size=20)


def npy(array: Any) -> bytes:
    """Return an array as numpy writes it."""
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


def archive(path: Path, members: dict[str, bytes], *, compression: int = 0) -> None:
    """Write a zip file of raw members."""
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, data in members.items():
            file.writestr(name, data)


def table(names: object, facts: object = None) -> bytes:
    """Return the table of names as a member's bytes."""
    text = json.dumps({"names": names, "facts": facts or {}}).encode()
    return npy(np.frombuffer(text, dtype=np.uint8))


@given(st.dictionaries(NAMES, NUMBERS, max_size=4))
def test_any_numbers_under_any_names_come_back(
    tmp_path_factory: pytest.TempPathFactory, model: dict[str, np.ndarray[Any, Any]]
) -> None:
    path = tmp_path_factory.mktemp("npz") / "model.npz"
    write_model(path, model)
    again = read_model(path)
    assert list(again) == list(model)
    for name, array in model.items():
        assert again[name].dtype == array.dtype
        assert again[name].flags.writeable
        np.testing.assert_array_equal(again[name], array)


def test_a_checkpoint_comes_back_whole(tmp_path: Path) -> None:
    store = CheckpointStore(folder=tmp_path)
    store.write(checkpoint(7))
    assert [path.name for path in tmp_path.iterdir()] == ["round-00007.npz"]
    again = store.read(7, expected_hash=model_hash(model_of(7)))
    assert (again.round, again.sketch_seed) == (7, SECRET)
    assert again.client_state == checkpoint(7).client_state
    assert store.path(7).stat().st_mode & 0o077 == 0


def test_no_client_state_is_not_an_empty_one(tmp_path: Path) -> None:
    store = CheckpointStore(folder=tmp_path)
    store.write(Checkpoint(round=1, model={}))
    store.write(Checkpoint(round=2, model={}, client_state=b""))
    assert store.read(1).client_state is None
    assert store.read(2).client_state == b""


def test_an_object_array_is_never_written(tmp_path: Path) -> None:
    store = CheckpointStore(folder=tmp_path)
    with pytest.raises(CheckpointError, match="arrays of numbers; got dtype object"):
        store.write(Checkpoint(round=1, model={"w": np.array([None])}))
    assert list(tmp_path.iterdir()) == []


HOSTILE: dict[str, dict[str, bytes]] = {
    "no table": {"model-0.npy": npy(np.ones(3))},
    "table is a list": {"table.npy": npy(np.frombuffer(b"[1]", dtype=np.uint8))},
    "table is no JSON": {"table.npy": npy(np.ones(3))},
    "table nests deep": {"table.npy": npy(np.frombuffer(b"[" * 200_000, dtype=np.uint8))},
    "names are numbers": {"table.npy": table({"model": [1]})},
    "names are a text": {"table.npy": table({"model": "ab"})},
    "one name twice": {
        "table.npy": table({"model": ["w", "w"]}),
        "model-0.npy": npy(np.ones(1)),
        "model-1.npy": npy(np.ones(1)),
    },
    "array missing": {"table.npy": table({"model": ["w"]})},
    "object array": {
        "table.npy": table({"model": ["w"]}),
        "model-0.npy": npy(np.array([{"a": 1}], dtype=object)),
    },
    "text array": {"table.npy": table({"model": ["w"]}), "model-0.npy": npy(np.array(["x"]))},
    "header cut off": {
        "table.npy": table({"model": ["w"]}),
        "model-0.npy": npy(np.ones(3)).replace(b"(3,)", b"(999"),
    },
    "no dtype of ours": {
        "table.npy": table({"model": ["w"]}),
        "model-0.npy": npy(np.ones(3)).replace(b"<f8", b"<m8"),
    },
    "negative shape": {
        "table.npy": table({"model": ["w"]}),
        "model-0.npy": npy(np.ones(3)).replace(b"(3,)", b"-3, "),
    },
    "shape that is code": {
        "table.npy": table({"model": ["w"]}),
        "model-0.npy": npy(np.ones((1, 3))).replace(b"(1, 3)", b"(9**9)"),
    },
    "too short": {"table.npy": table({"model": ["w"]}), "model-0.npy": npy(np.ones(9))[:-8]},
    "too long": {"table.npy": table({"model": ["w"]}), "model-0.npy": npy(np.ones(9)) + b"x"},
    "not npy": {"table.npy": table({"model": ["w"]}), "model-0.npy": b"\x80\x04pickle"},
    "empty member": {"table.npy": table({"model": ["w"]}), "model-0.npy": b""},
}


@pytest.mark.parametrize("members", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_file_is_one_error(tmp_path: Path, members: dict[str, bytes]) -> None:
    path = tmp_path / "hostile.npz"
    archive(path, members)
    with pytest.raises(
        CheckpointError, match=r"hostile\.npz needs to be an undamaged"
    ) as caught:
        read_arrays(path)
    assert "\n" not in str(caught.value)


def test_a_header_that_lies_allocates_nothing(tmp_path: Path) -> None:
    header = npy(np.ones(3, dtype=np.uint8))
    lie = header.replace(b"(3,), }" + b" " * 12, b"(3958241859993,), }")
    assert lie != header
    archive(tmp_path / "lie.npz", {"table.npy": table({"m": ["w"]}), "m-0.npy": lie})
    with pytest.raises(CheckpointError, match="claims shape"):
        read_arrays(tmp_path / "lie.npz")


def test_a_zip_bomb_is_refused_before_it_is_opened(tmp_path: Path) -> None:
    zeros = npy(np.zeros(1 << 22, dtype=np.uint8))
    members = {"table.npy": table({"model": ["w"]}), "model-0.npy": zeros}
    archive(tmp_path / "bomb.npz", members, compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(CheckpointError, match="an array is compressed"):
        read_arrays(tmp_path / "bomb.npz")


def test_members_that_overlap_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "overlap.npz"
    data = npy(np.zeros(4096, dtype=np.uint8))
    archive(path, {"table.npy": table({"model": ["w"]}), "model-0.npy": data})
    with zipfile.ZipFile(path, "a") as file:
        for index in range(1, 50):
            twin = zipfile.ZipInfo(f"model-{index}.npy")
            first = file.getinfo("model-0.npy")
            twin.header_offset, twin.CRC = first.header_offset, first.CRC
            twin.file_size = twin.compress_size = first.file_size
            file.filelist.append(twin)
        file._didModify = True  # type: ignore[attr-defined]
    with pytest.raises(CheckpointError, match="larger than the file"):
        read_arrays(path)


@given(st.data())
def test_a_flipped_byte_never_crashes_nor_passes_as_the_model(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("npz") / "round-00001.npz"
    store = CheckpointStore(folder=path.parent)
    store.write(checkpoint(1))
    raw = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(raw) - 1))
    raw[place] ^= data.draw(st.integers(1, 255))
    path.write_bytes(raw)
    expected = model_hash(model_of(1))
    try:
        again = store.read(1, expected_hash=expected)
    except CheckpointError:
        return
    assert model_hash(again.model) == expected  # the flip hit what zip does not use


def test_a_missing_checkpoint_says_so(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"round-00003\.npz is needed; got no such file"):
        CheckpointStore(folder=tmp_path).read(3)


def test_another_model_is_not_the_journals(tmp_path: Path) -> None:
    write_model(tmp_path / "model.npz", model_of(1))
    with pytest.raises(CheckpointError, match="of the journal"):
        read_model(tmp_path / "model.npz", expected_hash=model_hash(model_of(2)))


def test_an_update_belongs_to_one_client_and_round(tmp_path: Path) -> None:
    store = UpdateStore(tmp_path)
    store.write(1, {"alice": {"w": np.ones(2)}})
    store.path(1, "bob").write_bytes(store.path(1, "alice").read_bytes())
    with pytest.raises(CheckpointError, match="another's"):
        store.read(1, "bob")


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with atomic_file(path) as file:
        file.write(b"old")

    def fail() -> None:
        with atomic_file(path) as file:
            file.write(b"new")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert path.read_bytes() == b"old"
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def test_a_full_disk_is_one_line(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoints"
    folder.symlink_to("/dev/full/")
    with pytest.raises(CheckpointError, match="free some space") as caught:
        write_arrays(folder / "round-00001.npz", {"model": {"w": np.ones(2)}}, {})
    assert "\n" not in str(caught.value)


def test_half_written_files_are_swept_up(tmp_path: Path) -> None:
    store = CheckpointStore(folder=tmp_path)
    store.write(checkpoint(1))
    (tmp_path / f"round-00002.npz.ab12{TEMPORARY}").write_bytes(b"half")
    store.clean()
    assert store.rounds() == [1]
    assert len(list(tmp_path.iterdir())) == 1
