"""``model/``: a trained model of a table, ready for use without the run that made it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_flwr import __version__
from parity_flwr.app.report.files import write_text
from parity_flwr.app.tabular.data import TabularData
from parity_flwr.app.tabular.encoding_file import Encoding, load_encoding, write_encoding
from parity_flwr.app.tabular.fitted import FittedModel, Kind
from parity_flwr.app.tabular.model_card import model_card
from parity_flwr.app.tabular.new_rows import NewRows
from parity_flwr.app.tabular.onnx_file import write_onnx
from parity_flwr.app.tabular.reading import RawTable
from parity_flwr.app.tabular.tensors import read_tensors, write_tensors
from parity_flwr.clients import save_forest
from parity_flwr.errors import DataError, MissingExtraError

FOLDER = "model"
MANIFEST = "manifest.json"
TENSORS = "model.safetensors"
_FORMAT = 1
_MAX_MANIFEST = 1 << 20


@dataclass(frozen=True, eq=False)
class TableModel:
    """A model and the encoding of its inputs, as :func:`open_model` returns it."""

    encoding: Encoding
    fitted: FittedModel

    def predict(self, table: RawTable) -> NDArray[np.float64]:
        """Return probabilities, shape (n, classes), or numbers, shape (n,)."""
        return self.fitted.predict(self.encoding.encoder.encode(table))

    def predict_file(self, rows: Path) -> Iterator[NDArray[np.float64]]:
        """Yield the predictions for a CSV file block by block, in its order.

        Raises
        ------
        DataError
            If its columns are not the model's, or a line is not sound.
        """
        for block in NewRows(rows, self.encoding):
            yield self.predict(block.table)


def write_model_folder(
    folder: Path, fitted: FittedModel, data: TabularData, *, facts: dict[str, Any]
) -> list[str]:
    """Write the model, its encoding, a manifest and a card; return what was left out and why.

    A forest is written as ``model.skops`` too, a network as ``model.onnx``: each where its
    library is installed.

    Parameters
    ----------
    folder : Path
        The run's folder; ``model/`` is made in it.
    fitted : FittedModel
    data : TabularData
        Whose encoding it is.
    facts : dict
        For manifest and card: run, target, model, metrics, privacy, rows.
    """
    where = folder / FOLDER
    where.mkdir(parents=True, exist_ok=True)
    write_encoding(where, data, target=facts["target"])
    write_tensors(where / TENSORS, fitted.arrays, metadata={"kind": fitted.kind.value})
    left_out = []
    try:
        if fitted.kind is Kind.FOREST:
            save_forest(where / "model.skops", fitted.forest)
        elif fitted.kind is Kind.NETWORK:
            write_onnx(where / "model.onnx", fitted)
    except MissingExtraError as error:
        name = "model.skops" if fitted.kind is Kind.FOREST else "model.onnx"
        left_out.append(f"{name}: {error.action}")
    files = sorted({path.name for path in where.iterdir()} - {MANIFEST} | {"README.md"})
    manifest = {
        "format": _FORMAT,
        "kind": fitted.kind.value,
        "made_by": f"parity-flwr {__version__}",
        "inputs": list(data.encoder.names),
        "files": files,
        **facts,
    }
    write_text(where / "README.md", model_card(fitted, manifest))
    write_text(where / MANIFEST, json.dumps(manifest, indent=1, allow_nan=False) + "\n")
    return left_out


def open_model(folder: Path) -> TableModel:
    """Return the model of a ``model/`` folder, wherever it was copied and from whomever.

    Raises
    ------
    DataError
        If a file is missing, too large, or not what its name says.
    """
    path = folder / MANIFEST
    try:
        if path.stat().st_size > _MAX_MANIFEST:
            raise ValueError("size")
        manifest = json.loads(path.read_text(encoding="utf-8"))
        kind = Kind(manifest["kind"])
        known = manifest["format"] == _FORMAT
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise _bad(folder, f"{type(error).__name__} in {MANIFEST}") from error
    if not known:
        raise _bad(folder, f"format {manifest['format']!r:.40}")
    encoding = load_encoding(folder)
    fitted = FittedModel(
        kind=kind,
        arrays=read_tensors(folder / TENSORS),
        features=len(encoding.encoder.names),
        classes=encoding.classes,
        centre=encoding.centre,
        scale=encoding.scale,
    )
    if kind is Kind.FOREST and not len(fitted.forest):
        raise _bad(folder, "a forest without trees")
    return TableModel(encoding, fitted)


def _bad(folder: Path, came: str) -> DataError:
    return DataError(
        f"{folder.name}/ needs to be the model folder of a run on a table",
        came=came,
        action="give the run's id, or the path of its model/",
    )
