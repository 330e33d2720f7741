"""skops files: written for everybody, read without believing any."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from parity_flwr.clients.forest_file import load_forest, read_forest, save_forest
from parity_flwr.clients.forest_model import from_sklearn
from parity_flwr.core.forest import Forest, ForestLimits, ForestSchema
from parity_flwr.errors import ConfigError, DataError
from sample_tables import sample_table

pytest.importorskip("skops")
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor


def grown(*, strings: bool = False, regression: bool = False) -> tuple[Any, Any, Forest]:
    x, y = sample_table("diabetes" if regression else "breast_cancer")
    y = np.array(["benign", "malign"])[y] if strings else y
    kind = RandomForestRegressor if regression else RandomForestClassifier
    estimator = kind(3, max_depth=4, random_state=0).fit(x, y)
    return x, estimator, from_sklearn(estimator)


@pytest.mark.parametrize(
    "case", [{}, {"strings": True}, {"regression": True}], ids=["ints", "strings", "numbers"]
)
def test_what_was_saved_predicts_as_before(case: dict[str, bool], tmp_path: Path) -> None:
    import skops.io

    x, estimator, forest = grown(**case)
    path = tmp_path / "forest.skops"
    save_forest(path, forest)
    assert np.array_equal(load_forest(path).predict(x), estimator.predict(x))
    trusting = skops.io.load(path, trusted=["sklearn.tree._tree.Tree"])
    assert np.array_equal(trusting.predict(x), estimator.predict(x))


def test_an_empty_forest_is_not_saved(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="needs a tree"):
        save_forest(tmp_path / "x.skops", Forest.of(ForestSchema(2), []))


def rewritten(path: Path, edit: Callable[[dict[str, bytes]], object]) -> Path:
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    edit(files)
    target = path.with_name("hostile.skops")
    with zipfile.ZipFile(target, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return target


def in_schema(change: Callable[[Any], None]) -> Callable[[dict[str, bytes]], None]:
    def edit(files: dict[str, bytes]) -> None:
        schema = json.loads(files["schema.json"])
        change(schema)
        files["schema.json"] = json.dumps(schema).encode()

    return edit


def first_tree(schema: Any) -> Any:
    return schema["content"]["content"]["estimators_"]["content"][0]["content"]["content"][
        "tree_"
    ]


def nodes_changed(column: str, value: int) -> Callable[[dict[str, bytes]], None]:
    def edit(files: dict[str, bytes]) -> None:
        state = first_tree(json.loads(files["schema.json"]))["content"]["content"]
        name = state["nodes"]["file"]
        rows = np.load(io.BytesIO(files[name]))
        rows[column][0] = value
        out = io.BytesIO()
        np.save(out, rows)
        files[name] = out.getvalue()

    return edit


def pickled(files: dict[str, bytes]) -> None:
    state = first_tree(json.loads(files["schema.json"]))["content"]["content"]
    out = io.BytesIO()
    np.save(out, np.array([{}], dtype=object), allow_pickle=True)
    files[state["nodes"]["file"]] = out.getvalue()


def another_type(schema: Any) -> None:
    schema["__class__"] = "Popen"
    schema["__module__"] = "subprocess"


HOSTILE: dict[str, Callable[[dict[str, bytes]], object]] = {
    "another type": in_schema(another_type),
    "a child out of range": nodes_changed("left_child", 10**6),
    "a child beyond 32 bits": nodes_changed("left_child", 2**40 + 1),
    "a cycle": nodes_changed("right_child", 0),
    "a feature that is not there": nodes_changed("feature", 10**6),
    "a pickle": pickled,
    "no schema": lambda files: files.pop("schema.json"),
    "a schema that is no JSON": lambda files: files.update({"schema.json": b"{"}),
    "a schema that is a list": lambda files: files.update({"schema.json": b"[1]"}),
    "a file missing": in_schema(
        lambda s: first_tree(s)["content"]["content"]["nodes"].update({"file": "../x"})
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_refused(name: str, tmp_path: Path) -> None:
    path = tmp_path / "forest.skops"
    save_forest(path, grown()[2])
    with pytest.raises(DataError, match=r"forest|tree"):
        load_forest(rewritten(path, HOSTILE[name]))


def test_a_node_count_that_lies_is_not_believed(tmp_path: Path) -> None:
    """skops with scikit-learn would read foreign memory here; nothing of it is used."""
    path = tmp_path / "forest.skops"
    x, estimator, forest = grown()
    save_forest(path, forest)

    def lie(schema: Any) -> None:
        first_tree(schema)["content"]["content"]["node_count"]["content"] = "100000000"

    assert np.array_equal(
        load_forest(rewritten(path, in_schema(lie))).predict(x), estimator.predict(x)
    )


def test_limits_and_truncated_files(tmp_path: Path) -> None:
    path = tmp_path / "forest.skops"
    save_forest(path, grown()[2])
    with pytest.raises(DataError, match="3 trees"):
        read_forest(path, limits=ForestLimits(trees=2))
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError, match="save_forest"):
        load_forest(path)
    with pytest.raises(DataError, match="save_forest"):
        load_forest(tmp_path / "not there")
