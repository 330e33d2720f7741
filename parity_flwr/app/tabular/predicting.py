"""`parity predict`: new rows through a trained model, into a CSV file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_flwr.app.pace import Steps, unseen
from parity_flwr.app.runs.folder import RunFolder
from parity_flwr.app.tabular.encoding_file import Encoding
from parity_flwr.app.tabular.metrics import class_metrics, metric_notes, number_metrics
from parity_flwr.app.tabular.model_folder import FOLDER, MANIFEST, TableModel, open_model
from parity_flwr.app.tabular.new_rows import NewRows
from parity_flwr.errors import ConfigError, DataError
from parity_flwr.files import atomic_file

MOST_JUDGED = 1_000_000
"""Rows with a known target that metrics are computed on; they are kept in memory."""


def locate_model(reference: str, home: Path) -> Path:
    """Return the model folder of a run, by the run's reference or by its own path.

    Raises
    ------
    ConfigError
        No run goes by that reference.
    DataError
        The run has no model folder.
    """
    path = Path(reference)
    for folder in (path, path / FOLDER):
        if (folder / MANIFEST).is_file():
            return folder
    run = RunFolder.find(reference, home)
    if not (run.path / FOLDER / MANIFEST).is_file():
        raise DataError(
            f"run {run.id} needs a {FOLDER}/, which runs on tables end with",
            came="none",
            action="name another run, or continue this one with --resume",
        )
    return run.path / FOLDER


def predict_file(
    model_folder: Path, rows: Path, output: Path, *, steps: Steps = unseen
) -> dict[str, Any]:
    """Write a prediction for each row, with the probability of each class, in its order.

    The file is read and written in blocks. Where it has the target's column, the metrics of
    the rows with a known target are computed.

    Parameters
    ----------
    model_folder : Path
        As a run wrote it, or a copy from anybody.
    rows : Path
        A CSV file with the columns that the model was trained on.
    output : Path
        Written whole or not at all.
    steps : callable, keyword-only
        Gets how many bytes of the rows' file are read, and of how many.

    Raises
    ------
    DataError
        The model folder or the rows are not sound.
    ConfigError
        The output cannot be written.
    """
    model = open_model(model_folder)
    source = NewRows(rows, model.encoding)
    if output.exists() and output.samefile(rows):
        raise ConfigError(
            "predictions need a file of their own",
            came=f"{output.name}, which holds the rows",
            action="change --output",
        )
    judged = _Judged(model.encoding)
    try:
        count = _write(output, model, source, judged, steps)
    except OSError as error:
        raise ConfigError(
            f"writing {output} needs a folder that can be written to",
            came=error.strerror or str(error),
            action="change --output",
        ) from error
    metrics, notes = judged.metrics()
    return {
        "model": str(model_folder),
        "target": model.encoding.target,
        "task": model.encoding.task.value,
        "rows": count,
        "output": str(output),
        "ignored_columns": list(source.ignored),
        "judged_rows": judged.rows,
        "metrics": metrics,
        "notes": notes,
    }


def _write(
    output: Path, model: TableModel, source: NewRows, judged: _Judged, steps: Steps
) -> int:
    """Write the predictions block by block; return how many."""
    from pyarrow import csv  # it is there: the rows were opened with it

    count, schema = 0, _schema(model.encoding)
    with atomic_file(output) as file, csv.CSVWriter(file, schema) as writer:
        for block in source:
            values = model.predict(block.table)
            writer.write_batch(_batch(values, model.encoding, schema))
            count += len(values)
            steps(*source.read_bytes)
            if block.y is not None:
                judged.add(values, block.y)
    return count


class _Judged:
    """The rows whose target is known, as far as they are kept."""

    def __init__(self, encoding: Encoding) -> None:
        self._encoding = encoding
        self._values: list[NDArray[np.float64]] = []
        self._y: list[NDArray[Any]] = []
        self.rows = 0
        self._unknown = self._more = 0

    def add(self, values: NDArray[np.float64], y: NDArray[Any]) -> None:
        known = y >= 0 if self._encoding.classes else ~np.isnan(y)
        self._unknown += int(np.count_nonzero(~known))
        room = MOST_JUDGED - self.rows
        self._more += max(0, int(np.count_nonzero(known)) - room)
        self._values.append(values[known][:room])
        self._y.append(y[known][:room])
        self.rows += len(self._y[-1])

    def metrics(self) -> tuple[dict[str, float], list[str]]:
        """Return the metrics, and what they leave out."""
        notes = []
        if self._unknown:
            what = "a target that is missing or unknown to the model"
            notes.append(f"metrics: without {self._unknown} rows with {what}")
        if self._more:
            notes.append(f"metrics: of the first {self.rows} rows, without {self._more} more")
        if not self.rows:
            return {}, notes
        values, y = np.concatenate(self._values), np.concatenate(self._y)
        judge = class_metrics if self._encoding.classes else number_metrics
        found = judge(values, y)
        return found, [*notes, *metric_notes(found, y, self._encoding.classes)]


def _schema(encoding: Encoding) -> Any:
    import pyarrow as pa

    named = [type(each) for each in encoding.classes]
    numbers = pa.float64() if float in named or not named else pa.int64()
    kind = pa.string() if str in named else numbers
    fields = [("prediction", kind)]
    fields += [(f"probability_{each}", pa.float64()) for each in encoding.classes]
    return pa.schema(fields)


def _batch(values: NDArray[np.float64], encoding: Encoding, schema: Any) -> Any:
    import pyarrow as pa

    if not encoding.classes:
        return pa.record_batch([pa.array(values)], schema=schema)
    chosen = [encoding.classes[k] for k in values.argmax(axis=1).tolist()]
    columns = [pa.array(chosen, schema.field(0).type), *map(pa.array, values.T.copy())]
    return pa.record_batch(columns, schema=schema)
